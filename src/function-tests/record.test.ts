import { expect, test } from "bun:test";

import { withMembers } from "./record.ts";

const RESPONSE = { response: '{"n":12345678901234567890}' };
const LONG = { response: JSON.stringify({ list: ["a".repeat(50), "b".repeat(50)] }) };

test.each([
  ['{"event": {}}', '{"event": {}, "expect": { "response": {"n":12345678901234567890} }}'],
  [
    '{\n  "event": {}\n}\n',
    '{\n  "event": {},\n  "expect": { "response": {"n":12345678901234567890} }\n}\n',
  ],
  [
    '{\r\n\t"event": {}\r\n}\r\n',
    '{\r\n\t"event": {},\r\n\t"expect": { "response": {"n":12345678901234567890} }\r\n}\r\n',
  ],
  [
    '{"event": 1, "expect": {"error": {"errorType": "A"}, "logContains": ["x"]}, "name": "n"}',
    '{"event": 1, "expect": { "response": {"n":12345678901234567890}, "logContains": ["x"] }, "name": "n"}',
  ],
  [
    '{"expect": {"responseText": "a"}, "event": [1,   2]}',
    '{"expect": { "response": {"n":12345678901234567890} }, "event": [1,   2]}',
  ],
])("in %j the expectation alone changes", (before, after) => {
  expect(withMembers(before, [], RESPONSE)).toBe(after);
});

test("the second test of a list is changed", () => {
  const before = '[\n  {"event": 1},\n  {"event": 2}\n]\n';
  expect(withMembers(before, [1], { error: '{"errorType":"A"}' })).toBe(
    '[\n  {"event": 1},\n  {"event": 2, "expect": { "error": {"errorType":"A"} }}\n]\n',
  );
});

test("what is long stands on lines of its own, with the line ends of the file", () => {
  const after = withMembers('{\r\n  "event": {}\r\n}\r\n', [], LONG);
  expect(after.split("\r\n")).toEqual([
    "{",
    '  "event": {},',
    '  "expect": {',
    '    "response": {',
    '      "list": [',
    `        "${"a".repeat(50)}",`,
    `        "${"b".repeat(50)}"`,
    "      ]",
    "    }",
    "  }",
    "}",
    "",
  ]);
});
