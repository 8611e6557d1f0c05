/** Scripts that are nested as deep, and chained as long, as nobody writes them by hand. */

import { expect, test } from "bun:test";

import { scriptParser } from "./script-commands.ts";

const TIMES = 20_000;
const nested = (open: string, close: string) => `${open.repeat(TIMES)}:${close.repeat(TIMES)}\n`;

test.each([
  ["subshells", nested("( ", " )"), 1],
  ["groups", nested("{ ", "; }"), 1],
  ["and lists", `:${" && :".repeat(TIMES)}\n`, TIMES + 1],
  ["or lists", `:${" || :".repeat(TIMES)}\n`, TIMES + 1],
] as const)("the commands in many %s are found", async (_, text, count) => {
  const parse = await scriptParser();
  const { commands, unknown } = parse(`handler() {\n${text}}\n`);
  expect(unknown).toEqual([]);
  expect(commands).toHaveLength(count);
  expect(commands.at(-1)).toEqual({ line: 2, tracedLine: 2, words: [":"] });
});

test("the lines in a substitution of many lines are told by the first and the last", async () => {
  const parse = await scriptParser();
  const { commands, unknown } = parse(`x=$(\n${":\n".repeat(TIMES)}) y=$(\n:\n)\n`);
  expect(commands.map(({ line }) => line)).toEqual([1]);
  expect(unknown).toMatchObject([
    { from: 2, to: TIMES + 1 },
    { from: TIMES + 3, to: TIMES + 3 },
  ]);
});
