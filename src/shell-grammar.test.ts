import { expect, test } from "bun:test";

import { parseScript } from "./shell-grammar.ts";

test("a script becomes a tree of bash's grammar, and what is not bash's stands in it as an error", async () => {
  const script = await parseScript('f() { echo "$(cat)" | wc -l; }\n');
  expect(script.rootNode.hasError).toBe(false);
  expect(script.rootNode.descendantsOfType("command").map((node) => node?.text)).toEqual([
    'echo "$(cat)"',
    "cat",
    "wc -l",
  ]);
  script.delete();
  const broken = await parseScript("if; then (\n");
  expect(broken.rootNode.hasError).toBe(true);
  broken.delete();
});
