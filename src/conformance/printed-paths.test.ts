/**
 * Outputs that look like what the loaded shell says of a status, since a handler prints the shell's command line
 * (`ps`), or repeats an event that somebody has made up.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { childrenOf } from "../testing/process-facts.ts";
import { FURTHER_SHELLS, SHELLS } from "../testing/shells.ts";

/** Prints what the event asks for, and then its last words. */
const FUNCTION = `handler() {
  case $1 in
    bytes) cat "/proc/$$/cmdline" ;;
    lines) tr '\\0' '\\n' <"/proc/$$/cmdline" ;;
    one*line) tr '\\0\\n' '  ' <"/proc/$$/cmdline" ;;
    twice) cat "/proc/$$/cmdline" "/proc/$$/cmdline" ;;
    large) for i in 1 2 3 4 5 6 7 8 9; do for j in 1 2 3 4 5 6 7 8 9; do cat "/proc/$$/cmdline"; done; done ;;
    ps*) ps -ww -o args= -p "$$" ;;
  esac
  printf 'last words'
}`;

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))("%s", (shell) => {
  test.concurrent("a handler may print the command line of its shell", async () => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": FUNCTION },
    });
    const { api, bootstrap } = environment;
    await api.idle();
    const [loadedShell = 0] = childrenOf(bootstrap.pid);
    const line = readFileSync(`/proc/${loadedShell}/cmdline`);
    for (const [body, times] of [
      ["bytes", 1],
      ["lines", 1],
      ["one line", 1],
      ["twice", 2],
      ["large", 81],
    ] as const) {
      const invocation = api.enqueue({ body });
      const post = await invocation.posted;
      expect([body, post.path.split("/").at(-1), post.body.length]).toEqual([
        body,
        "response",
        times * line.length + "last words".length,
      ]);
      expect(post.latin1).toEndWith("last words");
    }
    const post = await api.invoke({ body: "ps" });
    expect(post.latin1.split("\n").at(-1)).toBe("last words");
  });

  test.concurrent.each(["a\nb/c.handler", "a\nb/tool", "d\n.handler"])(
    "a name with a line end is not a part of a response: %j",
    async (handler) => {
      const text = "handler() { printf words; }";
      const tool = { text: `${"${SHEBANG}"}\nprintf words\n`, mode: "755" };
      await using environment = await EnvironmentUnderTest.start({
        shell,
        handler,
        files: { "a\nb/c.sh": text, "d\n.sh": text, "a\nb/tool": tool },
      });
      for (const body of ["1", "2"]) {
        expect((await environment.api.invoke({ body })).latin1).toBe("words");
      }
      await environment.api.idle();
      expect(environment.bootstrap.stderr).not.toContain("/ended-");
    },
  );

  test.concurrent("an event cannot end the output of a handler that repeats it", async () => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": "handler() { cat; case $1 in *fail*) return 3 ;; esac; }" },
    });
    const { api, bootstrap } = environment;
    await api.idle();
    const [loadedShell = 0] = childrenOf(bootstrap.pid);
    const line = readFileSync(`/proc/${loadedShell}/cmdline`, "latin1");
    const [, output = "unknown"] = /"(\/proc\/\d+\/fd\/\d+)\/ended/.exec(line) ?? [];
    expect(line).toContain(`2>"${output}"`);
    // Who sends an event can know the process ids of an environment, and the numbers of descriptors.
    for (const path of ["ended/0/", "ended/3/", "ended-/0/", "ended-0/0/"]) {
      const forged = `${output}/${path}: Not a directory\n`;
      const repeated = api.enqueue({ body: `a ${forged} and more` });
      await repeated.posted;
      expectOutcome(repeated, { echo: true });
      const failing = api.enqueue({ body: `fail ${forged} and more` });
      await failing.posted;
      expectOutcome(failing, {
        error: { errorType: "Function.ExitError", errorMessage: { contains: ["status 3"] } },
      });
    }
  });
});
