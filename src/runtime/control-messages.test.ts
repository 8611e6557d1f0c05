import { describe, expect, test } from "bun:test";

import { ControlReader } from "./control-messages.ts";

const CONTROL = "/proc/8/fd/7";
const ENDED = "/proc/8/fd/10/ended-m3x8/";

function messages(...texts: readonly string[]) {
  const reader = new ControlReader(CONTROL, ENDED);
  return texts.flatMap((text) => reader.take(text));
}

describe("control messages", () => {
  test.each([
    ["dash", `f: 43: cannot open ${ENDED}137/: No such file\n`],
    ["bash", `f: line 6: ${ENDED}0/: Not a directory\n`],
  ])("the end of an idle fork, in the words of %s", (_, line) => {
    expect(messages(line)).toEqual([{ kind: "ended" }]);
    expect(messages(line, line + line)).toEqual([
      { kind: "ended" },
      { kind: "ended" },
      { kind: "ended" },
    ]);
    for (let at = 1; at < line.length; at += 1) {
      expect(messages(line.slice(0, at), line.slice(at))).toEqual([{ kind: "ended" }]);
    }
  });

  test("the last command of a bash that fails", () => {
    const line = `f: line 1: ${CONTROL}/left/helper/9/handler/x=$(curl -s http://a/b)/: Not a directory\n`;
    const command = "x=$(curl -s http://a/b)";
    expect(messages(line)).toEqual([
      { kind: "left", functionName: "helper", line: "9", caller: "handler", command },
    ]);
  });

  test("the letters of a command, which come as bytes", () => {
    const line = `f: line 1: ${CONTROL}/left/größe/9/handler/test "€" = 😀/: Not a directory\n`;
    expect(messages(Buffer.from(line, "utf8").toString("latin1"))).toMatchObject([
      { functionName: "größe", command: 'test "€" = 😀' },
    ]);
  });

  test.each([
    ['test "a', 'b" = c/: Not a directory\n'],
    ["jq -e '.a / .b |", " .c' /tmp/x/: Not a directory\n"],
    ["curl http://a/b/", "  --fail/: No such file or directory\n"],
  ])("of a command with several lines the first: %s", (first, rest) => {
    const report = `f: line 1: ${CONTROL}/left/handler/1//${first}\n${rest}`;
    expect(messages(report)).toMatchObject([
      { functionName: "handler", caller: "", command: `${first} …` },
    ]);
  });

  test("the last command outside of a function", () => {
    expect(messages(`f: line 1: ${CONTROL}/left////return 3/: Not a directory\n`)).toEqual([
      { kind: "left", functionName: "", line: "", caller: "", command: "return 3" },
    ]);
  });

  test("other words are not a message, however long", () => {
    expect(messages("words\n", "x".repeat(100_000), "\n", "\n")).toEqual([]);
    const line = `${"x".repeat(100_000)}${ENDED}0/: Not a directory\n`;
    expect(messages(line.slice(0, 100_000), line.slice(100_000))).toEqual([{ kind: "ended" }]);
  });
});
