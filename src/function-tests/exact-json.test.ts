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
  ["a\nb", "a\nc", "differs from line 2 on:\n  - b\n  + c"],
  ["a\nb\nc\n", "a\nx\nc\n", "differs from line 2 on:\n  - b\n  + x"],
  ["a\nc\n", "a\nb\nc\n", "differs from line 2 on:\n  + b"],
  ["a\nb\nc\n", "a\nc\n", "differs from line 2 on:\n  - b"],
  ["a\nb\n", "a\nb", "differs at its end: expected a line feed, got none"],
  ["a\nb", "a\nb\n", "differs at its end: got a line feed, expected none"],
  ["a\nb \n", "a\n\tb\n", 'differs from line 2 on:\n  - "b "\n  + "\\tb"'],
  ['a\n"b"', "a\r\nb", 'differs from line 1 on:\n  - a\n  - "b"\n  + "a\\r"\n  + b'],
  [
    `${"1\n".repeat(9)}`,
    `${"2\n".repeat(9)}`,
    `differs from line 1 on:${"\n  - 1".repeat(5)}${"\n  + 2".repeat(5)}`,
  ],
  [
    `a\n${"x".repeat(300)}old`,
    `a\n${"x".repeat(300)}new`,
    `differs from line 2 on:\n  - …${"x".repeat(30)}old\n  + …${"x".repeat(30)}new`,
  ],
  ["a\n", "b\n", 'expected "a\\n", got "b\\n"'],
])("texts of several lines are shown by lines: %j and %j", (expected, actual, words) => {
  const [line, ...others] = differences(JSON.stringify(expected), JSON.stringify(actual));
  expect([line, others]).toEqual([`response: ${words}`, []]);
});

test.each<[expected: unknown, actual: unknown, lines: readonly string[]]>([
  [{ a: [1, { b: "x" }] }, { a: [1, { b: "y" }] }, ['.a[1].b: expected "x", got "y"']],
  [{ a: 1, b: 2 }, { b: 3 }, [".a: missing, expected 1", ".b: expected 2, got 3"]],
  [[1], [2], ["[0]: expected 1, got 2"]],
])("JSON in a text is compared by its members: %j and %j", (expected, actual, lines) => {
  const bodies = [expected, actual].map((body) => JSON.stringify({ body: JSON.stringify(body) }));
  expect(differences(bodies[0] ?? "", bodies[1] ?? "")).toEqual(
    lines.map((line) => `(response.body|fromjson)${line}`),
  );
});

test.each([
  ['{"a":1}', '{"a": 1}', 'expected "{\\"a\\":1}", got "{\\"a\\": 1}"'],
  ['{"a":1}', "{a:1}", 'expected "{\\"a\\":1}", got "{a:1}"'],
  ["{}", "[]", "(response|fromjson): expected {}, got []"],
  ["1", "2", 'expected "1", got "2"'],
])(
  "texts that are not both JSON, or differ in white space alone, are compared as texts: %s and %s",
  (expected, actual, words) => {
    const line = words.startsWith("(") ? words : `response: ${words}`;
    expect(differences(JSON.stringify(expected), JSON.stringify(actual))).toEqual([line]);
  },
);

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
