import { expect, test } from "bun:test";

import { EnvironmentLines } from "./log.ts";

/** Lines of one environment that are written in these pieces. */
function linesOf(pieces: Iterable<string | Uint8Array>): readonly string[] {
  const lines: string[] = [];
  const splitter = new EnvironmentLines((line) => lines.push(line));
  for (const piece of pieces) splitter.add(Buffer.from(piece as string), 0);
  splitter.flush(0);
  return lines;
}

test.each([
  [["a\nb\n"], ["a", "b"]],
  [
    ["a", "b\nc", "\n", "d"],
    ["ab", "c", "d"],
  ],
  [
    ["\n\n", "a\n\nb"],
    ["", "", "a", "", "b"],
  ],
  [[""], []],
])("the lines of %j are %j", (pieces, lines) => {
  expect(linesOf(pieces)).toEqual(lines);
});

test("a character in two pieces is one", () => {
  const bytes = Buffer.from("größe\n");
  expect(linesOf([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(["größe"]);
});

test.each([
  ["é", 1],
  ["€", 1],
  ["€", 2],
  ["𝒳", 3],
])(
  "of a character (%s) that ends after %d bytes the next line begins with nothing",
  (text, bytes) => {
    const lines: string[] = [];
    const splitter = new EnvironmentLines((line) => lines.push(line));
    splitter.add(Buffer.concat([Buffer.from("one "), Buffer.from(text).subarray(0, bytes)]), 0);
    splitter.flush(0);
    splitter.add(Buffer.from("two\n"), 0);
    expect(lines).toEqual(["one \ufffd", "two"]);
  },
);

test("lines of several environments do not mix", () => {
  const lines: (readonly [number, string])[] = [];
  const splitter = new EnvironmentLines((line, environment) => lines.push([environment, line]));
  for (const [at, text] of ["a", "b", "c\n", "d\n"].entries()) {
    splitter.add(Buffer.from(text), at % 2);
  }
  expect(lines).toEqual([
    [0, "ac"],
    [1, "bd"],
  ]);
});

test("a line without an end takes neither all the time nor all the memory", () => {
  const piece = Buffer.alloc(64 * 1024, "x");
  let longest = 0;
  let length = 0;
  const splitter = new EnvironmentLines((line) => {
    longest = Math.max(longest, line.length);
    length += line.length;
  });
  const startedAtMs = performance.now();
  for (let round = 0; round < 4_000; round += 1) splitter.add(piece, 0);
  splitter.flush(0);
  expect(length).toBe(4_000 * piece.byteLength);
  expect(longest).toBeLessThan(2 * 1024 * 1024);
  // Copied with each piece, it would take minutes.
  expect(performance.now() - startedAtMs).toBeLessThan(20_000);
});
