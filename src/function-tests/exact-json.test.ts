import { expect, test } from "bun:test";

import { type Comparison, jsonDifferences, projectJson } from "./exact-json.ts";

function differences(expected: string, actual: string, comparison: Comparison = "equal") {
  return jsonDifferences(expected, actual, comparison, "response").map(
    ({ path, words }) => `${path}: ${words}`,
  );
}

test.each([
  ['{"a":1,"b":[true,null]}', ' {"b": [true, null], "a": 1.0}\n'],
  ["12345678901234567890", "12345678901234567890"],
  ["1e2", "100"],
  ["0.10", "1e-1"],
  ["-0", "0"],
  ["1e400", "1.0e400"],
  ["100000000000000000000000", "1E23"],
  ['"\\u00e9"', '"é"'],
  ['{"__proto__":1}', '{"__proto__":1}'],
])("%s is equal to %s", (expected, actual) => {
  expect(differences(expected, actual)).toEqual([]);
});

test.each([
  [
    "12345678901234567890",
    "12345678901234567891",
    ": expected 12345678901234567890, got 12345678901234567891",
  ],
  ["1", '"1"', ': expected 1, got "1"'],
  ["null", "false", ": expected null, got false"],
  ["{}", "[]", ": expected {}, got []"],
  ['{"a":1}', "7", ': expected {"a":1}, got 7'],
  ["[1,2]", "[1]", ": expected 2 elements, got 1"],
  ["[1]", "[2]", "[0]: expected 1, got 2"],
  ['{"a":{"b c":1}}', '{"a":{"b c":2}}', '.a["b c"]: expected 1, got 2'],
  ['{"a":1}', "{}", ".a: missing, expected 1"],
  ["{}", '{"a":[1.50]}', ".a: not expected, got [1.50]"],
  ['{"__proto__":1}', "{}", ".__proto__: missing, expected 1"],
])("%s against %s: response%s", (expected, actual, line) => {
  expect(differences(expected, actual)).toEqual([`response${line}`]);
});

test.each([
  ['{"a":1}', '{"a":1,"b":2}', []],
  ['{"a":{"b":1}}', '{"a":{"b":1,"c":2},"d":3}', []],
  ['[{"a":1}]', '[{"a":1,"b":2}]', []],
  ["{}", '{"a":1}', []],
  ['[{"a":1}]', '[{"a":1},{"a":1}]', ["response: expected 1 element, got 2"]],
  ['{"a":1}', '{"b":1}', ["response.a: missing, expected 1"]],
  ['{"a":null}', "{}", ["response.a: missing, expected null"]],
])("what contains %s: %s", (expected, actual, lines) => {
  expect(differences(expected, actual, "contains")).toEqual(lines);
});

test("long texts are shown where they part", () => {
  const [line] = differences(`"${"x".repeat(300)}old"`, `"${"x".repeat(300)}new"`);
  const context = "x".repeat(30);
  expect(line).toBe(
    `response: differs from character 301 on: expected …"${context}old", got …"${context}new"`,
  );
});

test.each([
  ['{"a":1}', '{"a":2,"b":3}', '{"a":2}'],
  [
    '{"a":{"b":1},"gone":1}',
    '{"a":{"b":12345678901234567890,"c":2}}',
    '{"a":{"b":12345678901234567890}}',
  ],
  ["[1]", '[{"a":1}]', '[{"a":1}]'],
])("the members of %s in %s are %s", (expected, actual, projected) => {
  expect(projectJson(expected, actual)).toBe(projected);
});
