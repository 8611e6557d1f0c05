import { expect, test } from "bun:test";

import { parseTestFile } from "./test-file.ts";

const parse = (text: string | Uint8Array) =>
  parseTestFile(typeof text === "string" ? Buffer.from(text) : text, "tests/t.json");

test("a test has everything that its file says", () => {
  const result = parse(`{
    "name": "all of it",
    "event": { "big": 12345678901234567890, "text": "a  b" },
    "handler": "function.other",
    "env": { "A": "1" },
    "timeout": "1m30s",
    "headers": { "Lambda-Runtime-X": "y" },
    "expect": { "responseContains": {"n": 1.50}, "responseMatches": "^\\\\{", "logContains": "hi" }
  }`);
  expect(result).toEqual({
    kind: "valid",
    tests: [
      {
        id: "tests/t.json: all of it",
        file: "tests/t.json",
        event: {
          kind: "bytes",
          bytes: new Uint8Array(Buffer.from('{"big":12345678901234567890,"text":"a  b"}')),
        },
        handler: "function.other",
        env: { A: "1" },
        timeoutMs: 90_000,
        headers: { "Lambda-Runtime-X": "y" },
        expected: {
          responseContains: '{"n": 1.50}',
          responseMatches: /^\{/,
          logContains: ["hi"],
        },
        place: [],
      },
    ],
  });
});

test.each([
  ["a byte-order mark", `\ufeff{"event": {}}`],
  ["Windows line ends", `{\r\n"event": {}\r\n}\r\n`],
  ["a list", `[{"event": 1}, {"event": null, "expect": {"response": null}}]`],
  ["a time as a number", `{"event": {}, "timeout": 3}`],
  ["Lambda's longest time", `{"event": {}, "timeout": "30m"}`],
  ["Lambda's longest time in seconds", `{"event": {}, "timeout": 1800}`],
  ["any error", `{"event": {}, "expect": {"error": {}}}`],
  ["an example", `{"example": "sqs-event", "set": ["Records.0.body=hi"]}`],
])("a file may have %s", (_name, text) => {
  expect(parse(text).kind).toBe("valid");
});

test("a test without a name is named by its file, and by its number in a list", () => {
  const ids = (text: string) => {
    const result = parse(text);
    return result.kind === "valid" ? result.tests.map(({ id }) => id) : result.complaints;
  };
  expect(ids('{"event": 1}')).toEqual(["tests/t.json"]);
  expect(ids('[{"event": 1}, {"name": "two", "event": 1}]')).toEqual([
    "tests/t.json: test 1",
    "tests/t.json: two",
  ]);
});

test.each<[string, string]>([
  ["", ': the file is empty: write a test, as in {"event": {}}'],
  [" \n", ': the file is empty: write a test, as in {"event": {}}'],
  ['{"event": {}', ':1:13: not JSON: it ends before the closing "}"'],
  ['{"event": {},}', ':1:14: not JSON: expected the name of a member in double quotes, got "}"'],
  ["{event: {}}", ':1:2: not JSON: unexpected "event"'],
  ["{'event': {}}", ":1:2: not JSON: unexpected \"'event'\""],
  ['{"event": {} "expect": {}}', ':1:14: not JSON: a comma is missing before "\\"expect\\""'],
  [
    '{\n  // why\n  "event": {}}',
    ':2:3: not JSON: JSON has no comments: say it in the "name" of the test',
  ],
  [
    '{"event": "C:\\dir"}',
    ':1:11: not JSON: a string with an invalid escape: a backslash is written "\\\\"',
  ],
  [
    '{"event": "a\nb"}',
    ':1:11: not JSON: a string without its closing quote in the same line: a line feed is written "\\n"',
  ],
  ["7", ':1:1: a file has one test or a list of them, each an object: {"event": …, "expect": …}'],
  ["[]", ':1:1: the list has no test: write one, as in [{"event": {}}]'],
  [
    '[{"event": 1}, 2]',
    ':1:16: a file has one test or a list of them, each an object: {"event": …, "expect": …}',
  ],
  [
    "{}",
    ':1:1: no event: write "event": {…}, "eventFile": "../events/ada.json" or "example": "sqs-event"\n' +
      "  a file that is nothing but an event belongs in the folder events",
  ],
  [
    '{"Records": []}',
    ':1:2: unknown member "Records"\n' +
      "  there are: name, event, eventFile, example, set, handler, env, timeout, headers, expect\n" +
      "  a file that is nothing but an event belongs in the folder events",
  ],
  ['{"event": 1, "expected": {}}', ':1:14: unknown member "expected"\n  did you mean "expect"?'],
  [
    '{"event": 1,\n "expect": {"respons": 1}}',
    ':2:13: unknown member "respons"\n  did you mean "response"?',
  ],
  ['{"event": 1, "eventFile": "x"}', ":1:1: event and eventFile exclude each other"],
  [
    '{"event": 1, "set": ["a=1"]}',
    ":1:1: set changes an eventFile or an example: change the event itself",
  ],
  ['{"event": 1, "event": 2}', ':1:14: duplicate member "event"'],
  ['{"event": 1, "expect": {"response": 1, "response": 2}}', ':1:40: duplicate member "response"'],
  [
    '{"event": 1, "env": {"N": 3}}',
    ':1:27: a value of env must be a string in quotes, as in {"GREETING": "Ciao", "LIMIT": "3"}',
  ],
  ['{"event": 1, "env": {"a b": "3"}}', ':1:22: not a variable name: "a b"'],
  ...["_HANDLER", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT"].map(
    (name) =>
      [
        `{"event": 1, "env": {"${name}": "x"}}`,
        `:1:22: Lambda sets the variable ${name} itself\n` +
          '  what a test can choose of that has members of its own: "handler", "timeout", "headers"',
      ] as [string, string],
  ),
  [
    '{"event": 1, "env": ["N=3"]}',
    ':1:21: env must be an object of strings, as in {"GREETING": "Ciao", "LIMIT": "3"}',
  ],
  [
    '{"event": 1, "headers": {"X-Name": "y"}}',
    ':1:26: "X-Name" is not a header that an event can have: its name is Lambda-Runtime-…,\n' +
      "  and request id and deadline are the host's",
  ],
  [
    '{"event": 1, "headers": {"Lambda-Runtime-Aws-Request-Id": "y"}}',
    ':1:26: "Lambda-Runtime-Aws-Request-Id" is not a header that an event can have: its name is Lambda-Runtime-…,\n' +
      "  and request id and deadline are the host's",
  ],
  ['{"event": 1, "timeout": "soon"}', ':1:25: "soon" is not a duration between 1ms and 30m'],
  ['{"event": 1, "timeout": 0}', ':1:25: "0" is not a duration between 1ms and 30m'],
  ['{"event": 1, "timeout": 1801}', ':1:25: "1801" is not a duration between 1ms and 30m'],
  [
    '{"event": 1, "timeout": "2 s"}',
    ':1:25: "2 s" is not a duration between 1ms and 30m\n  write: 2s',
  ],
  ['{"event": 1, "timeout": null}', ":1:25: timeout must be a duration: 3, 500ms, 1m30s"],
  ['{"event": 1, "name": 3}', ":1:22: name must be a string"],
  ['{"event": 1, "name": ""}', ":1:22: name is empty: leave it out, or say what the test shows"],
  [
    '{"event": 1, "expect": "ok"}',
    ':1:24: expect must be an object, as in {"response": {"ok": true}}',
  ],
  [
    '{"event": 1, "expect": {}}',
    ':1:1: expect is empty: say what must come back, as in {"response": {"ok": true}}, or leave it out:\n' +
      "  lambda-shell test --update writes what comes back",
  ],
  [
    '{"event": 1, "expect": {"response": 1, "responseText": "1"}}',
    ":1:1: response and responseText exclude each other",
  ],
  [
    '{"event": 1, "expect": {"response": 1, "error": {}}}',
    ":1:1: response and error exclude each other",
  ],
  [
    '{"event": 1, "expect": {"responseMatches": "x", "errorMatches": "y"}}',
    ":1:1: responseMatches and errorMatches exclude each other",
  ],
  [
    '{"event": 1, "expect": {"error": "Oops"}}',
    ':1:34: error must be an object, as in {"errorType": "NotFound"}; {} matches any error',
  ],
  ['{"event": 1, "expect": {"responseBase64": "?"}}', ":1:43: responseBase64 must be base64"],
  [
    '{"event": 1, "expect": {"logContains": 1}}',
    ":1:40: logContains must be a string or a list of strings",
  ],
  [
    '{"event": 1, "expect": {"responseMatches": "("}}',
    ":1:44: responseMatches: Invalid regular expression: missing )",
  ],
])("%j is refused with its place and the fix", (text, complaint) => {
  expect(parse(text)).toEqual({ kind: "invalid", complaints: [`tests/t.json${complaint}`] });
});

test("what an editor of Windows saves as Unicode is refused", () => {
  const utf16 = Buffer.from('\ufeff{"event": {}}', "utf16le");
  expect(parse(utf16)).toEqual({
    kind: "invalid",
    complaints: ["tests/t.json: not UTF-8: save the file in that encoding"],
  });
});

test("every wrong test of a list is told", () => {
  const result = parse('[{"event": 1, "nme": ""},\n{"event": 1},\n{"evnt": 1}]');
  expect(
    result.kind === "invalid" ? result.complaints.map((each) => each.split("\n")[0]) : [],
  ).toEqual(['tests/t.json:1:15: unknown member "nme"', 'tests/t.json:3:2: unknown member "evnt"']);
});

test("a file that is JSON, but nested without end, is refused with the way out", () => {
  const text = `{"event": ${"[".repeat(50_000)}${"]".repeat(50_000)}}`;
  expect(parseTestFile(Buffer.from(text), "tests/t.json")).toEqual({
    kind: "invalid",
    complaints: [
      "tests/t.json: lists and objects in it are nested too deeply for a test\n" +
        "    put the event into a file of its own, in the folder events",
    ],
  });
});
