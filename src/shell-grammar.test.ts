import { expect, test } from "bun:test";

import { parseScript } from "./shell-grammar.ts";

test("a script becomes a tree of bash's grammar, and what is not bash's stands in it as an error", async () => {
  const script = await parseScript('f() { echo "$(cat)" | wc -l; }\n');
  expect(script?.rootNode.hasError).toBe(false);
  expect(script?.rootNode.descendantsOfType("command").map((node) => node?.text)).toEqual([
    'echo "$(cat)"',
    "cat",
    "wc -l",
  ]);
  script?.delete();
  const broken = await parseScript("if; then (\n");
  expect(broken?.rootNode.hasError).toBe(true);
  broken?.delete();
});

// Each took from ten seconds to two minutes before there was a bound.
test.each([
  "case x in (",
  "case x in ((a) b;; esac\n",
  "case x in a) [[ a == (",
  "[[ $a =~ ( ",
  "for a in (",
  "echo @(",
  "a=(",
  "${a#(",
])("a text that leaves %j open 10,000 times is given up, and the next is read", async (open) => {
  expect(await parseScript(open.repeat(10_000))).toBeUndefined();
  const next = await parseScript("a\n");
  expect(next?.rootNode.text).toBe("a\n");
  next?.delete();
});

test.each(["case x in (a) b;; esac\n", "f() { a; }\n", "cat <<E\n(\nE\n", 'echo "${a#(}"\n'])(
  "a script of %j 10,000 times is read to its end",
  async (part) => {
    const script = await parseScript(part.repeat(10_000));
    expect(script?.rootNode.hasError).toBe(false);
    expect(script?.rootNode.endIndex).toBe(part.length * 10_000);
    script?.delete();
  },
);
