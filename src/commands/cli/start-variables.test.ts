import { expect, test } from "bun:test";

import { parseEnvironment, startVariables } from "./start-variables.ts";

test.each<[string, string, Record<string, string>]>([
  ["nothing", "", {}],
  ["one", "A=1\0", { A: "1" }],
  ["an empty value, and one with =", "A=\0B=x=y\0", { A: "", B: "x=y" }],
  ["a name twice", "A=1\0A=2\0", { A: "1" }],
  ["entries that are not variables", "A\0=x\0\0B=1\0", { B: "1" }],
  [
    "a name that objects have",
    "constructor=1\0__proto__x=2\0",
    { constructor: "1", __proto__x: "2" },
  ],
  ["lines", "A=1\n2\0", { A: "1\n2" }],
])("parseEnvironment() reads %s", (_, block, expected) => {
  expect(parseEnvironment(block)).toEqual(expected);
});

test("startVariables() has what was set since, and what was there", () => {
  process.env["SET_SINCE"] = "1";
  expect(startVariables()["SET_SINCE"]).toBe("1");
  expect(startVariables()["PATH"]).toBe(process.env["PATH"] as string);
  delete process.env["SET_SINCE"];
});
