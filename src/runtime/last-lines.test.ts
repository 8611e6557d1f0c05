import { describe, expect, test } from "bun:test";

import { characterFrom, LastLines } from "./last-lines.ts";
import { prefixPattern } from "./traces.ts";

const TRACING = {
  prefixes: [prefixPattern("+ ")],
  isQuoted: true,
  mayTrace: false,
  isUnknown: false,
};

function lastLines(...writes: readonly (string | Buffer)[]): string[] {
  const lastLines = new LastLines();
  for (const write of writes) lastLines.take(Buffer.from(write));
  return lastLines.lines(TRACING);
}

describe("the last lines", () => {
  test.each<[string, string[], string[]]>([
    ["of nothing", [], []],
    ["of empty lines", ["\n", " \t\n\r\n"], []],
    ["with and without a line end", ["a\nb"], ["a", "b"]],
    ["of writes that end anywhere", ["a", "b\nc", "\n", "d\n"], ["ab", "c", "d"]],
    ["with carriage returns", ["a\r\nb\r\n"], ["a", "b"]],
    ["without empty ones", ["a\n\n  \nb\n\n"], ["a", "b"]],
    ["without traced commands", ["a\n+ b 'c\nd'\ne\n"], ["a", "e"]],
  ])("%s", (_, writes, expected) => {
    expect(lastLines(...writes)).toEqual(expected);
  });

  test("are at most twenty", () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
    expect(lastLines(lines.join("\n"))).toEqual(lines.slice(-20));
  });

  test("are at most 8 KiB, in whole lines", () => {
    const lines = Array.from({ length: 20 }, (_, index) => `${index} ${"x".repeat(997)}`);
    const kept = lastLines(lines.join("\n"));
    expect(kept).toEqual(lines.slice(-8));
  });

  test.each([9_000, 30_000, 100_000, 1_000_000])(
    "have both ends of a line of %d bytes",
    (length) => {
      const [line = "", ...others] = lastLines(`before\nMyError: it${"x".repeat(length)}the end\n`);
      expect(others).toEqual([]);
      expect(line).toStartWith("MyError: itxxx");
      expect(line).toContain("x … x");
      expect(line).toEndWith("xxxthe end");
      expect(Buffer.byteLength(line)).toBeLessThan(8 * 1024 + 10);
    },
  );

  test("have no part of a character", () => {
    const characters = "😀é";
    for (let shift = 0; shift < Buffer.byteLength(characters); shift += 1) {
      const [line = ""] = lastLines(`${"a".repeat(shift)}${characters.repeat(5_000)}`);
      expect(line).not.toContain("\ufffd");
      const lines = lastLines(`${"a".repeat(shift)}${`${characters}\n`.repeat(10_000)}`);
      expect(lines.join("")).not.toContain("\ufffd");
    }
  });

  test("keep what is not UTF-8 as a sign", () => {
    expect(lastLines(Buffer.from([0x61, 0xff, 0x80, 0x62, 0x0a]))).toEqual(["a\ufffd\ufffdb"]);
  });

  test("show nothing of a traced command whose beginning is gone", () => {
    const secret = "secret line\n".repeat(5_000);
    expect(lastLines(`+ KEY='${secret}'\n+ true\nfailed\n`)).toEqual(["failed"]);
    // Where nothing is traced, nothing is held back.
    expect(lastLines(secret, "failed\n").at(0)).toBe("secret line");
  });

  test("are forgotten", () => {
    const lastLines = new LastLines();
    lastLines.take(Buffer.from("x\n".repeat(30_000)));
    lastLines.clear();
    lastLines.take(Buffer.from("y\n+ z\n"));
    expect(lastLines.lines(TRACING)).toEqual(["y"]);
  });

  test("are their own copy", () => {
    const lastLines = new LastLines();
    const bytes = Buffer.from("first\n");
    lastLines.take(bytes);
    bytes.fill("x");
    expect(lastLines.lines(TRACING)).toEqual(["first"]);
  });
});

describe("where a character begins", () => {
  // One byte, two, three and four, and one.
  const bytes = Buffer.from("aé€😀b");

  test.each([
    [0, 0],
    [1, 1],
    [2, 3],
    [3, 3],
    [4, 6],
    [5, 6],
    [7, 10],
    [9, 10],
    [10, 10],
    [11, 11],
  ])("at byte %d or after it: at %d", (index, expected) => {
    expect(characterFrom(bytes, index)).toBe(expected);
  });

  test("is three bytes later at most, where bytes only look like those of a character", () => {
    expect(characterFrom(Buffer.alloc(8, 0x80), 1)).toBe(4);
  });
});
