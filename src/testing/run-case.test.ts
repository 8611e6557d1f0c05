/** A case fails where the log has what it must lack, however late that comes. */

import { expect, test } from "bun:test";

import { runCase } from "./run-case.ts";

test.each([
  ["is written by the handler", "handler() { echo secret >&2; printf ok; }", false],
  [
    "comes at the end of the runtime",
    "handler() { (trap 'echo secret >&2; exit' TERM; sleep 60 & wait) & printf ok; }",
    false,
  ],
  ["never comes", "handler() { echo said >&2; printf ok; }", true],
])("a piece that the log must lack %s", async (_when, script, passes) => {
  const run = runCase(
    {
      name: "a case",
      files: { "function.sh": script },
      events: [{ expect: { response: "ok" } }],
      log: { lacks: ["secret"] },
    },
    { shell: "dash" },
  );
  if (passes) await run;
  else await expect(run).rejects.toThrow('Expected to not contain: "secret"');
});
