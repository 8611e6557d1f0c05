/**
 * Every message of the tool's specification, in full.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { checkFolder } from "../check/folder.ts";
import { malformedHint } from "../host/front/gateway/fault.ts";
import type { GatewayKind } from "../host/front/gateway/kinds.ts";
import { gatewayResult } from "../host/front/gateway/response.ts";
import { takenPort } from "../testing/ports.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { unknownFunction } from "./cli/suggest.ts";
import {
  failureSummary,
  outputWarning,
  serverErrorSummary,
  timeoutSummary,
} from "./function/error-summary.ts";
import { payloadComplaint } from "./invoke/event.ts";
import { portTaken } from "./serve/listen.ts";

/** A folder with files; `mode` of a file only where it matters. */
function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const directory = temporaryFolder("messages");
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(directory, name), content);
  return directory;
}

async function check(directory: string, handler = "function.handler"): Promise<readonly string[]> {
  const common = { architecture: "amd64", variables: {}, layers: [], refused: [] } as const;
  const findings = await checkFolder([{ directory, handler, ...common }]);
  return findings.map(({ level, message }) => `${level}: ${message}`);
}

const FUNCTION = "handler() { echo ok; }\n";

test("the handler is not among the functions of the file", async () => {
  const directory = folder({ "function.sh": "hello() { :; }\nmain() { :; }\n" });
  expect(await check(directory)).toEqual([
    `error: handler "handler" not found in function.sh
  functions defined: hello, main
  set --handler function.hello or rename the function`,
  ]);
});

test("bootstrap is not executable", async () => {
  const directory = folder({ "function.sh": FUNCTION, bootstrap: "#!/bin/sh\n" });
  chmodSync(join(directory, "bootstrap"), 0o644);
  expect(await check(directory)).toEqual([
    `error: bootstrap is not executable: ./bootstrap (mode 0644)
  on AWS this fails with: Runtime.ExitError … exit status 126
  fix: chmod +x bootstrap`,
  ]);
});

test("bootstrap is for another machine", async () => {
  const elf = new Uint8Array(64);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  elf[18] = 183;
  const directory = folder({ "function.sh": FUNCTION, bootstrap: elf });
  chmodSync(join(directory, "bootstrap"), 0o755);
  expect(await check(directory)).toEqual([
    `error: bootstrap is for arm64, the function for x86_64 (exec format error)
  fix: build it for x86_64, or set Architectures: [arm64]`,
  ]);
});

test("CRLF line ends", async () => {
  const directory = folder({ "function.sh": "handler() {\r\n  echo ok\r\n}\r\n" });
  expect(await check(directory)).toEqual([
    `error: function.sh has CRLF line ends (first in line 1)
  on AWS this fails with: Runtime.UserCodeSyntaxError
  fix: sed -i 's/\\r$//' function.sh`,
  ]);
});

test("a syntax error, in the shell's own words", async () => {
  const directory = folder({ "function.sh": "#!/bin/bash\nhandler() {\n" });
  const [message] = await check(directory);
  expect(message).toStartWith("error: syntax error in function.sh\n  ");
  expect(message).toContain("line 3: syntax error: unexpected end of file");
  expect(message).toEndWith("\n  on AWS this fails with: Runtime.UserCodeSyntaxError");
});

test("a folder where nothing is wrong has no findings", async () => {
  expect(await check(folder({ "function.sh": FUNCTION }))).toEqual([]);
});

test("the port is taken", async () => {
  expect(portTaken("127.0.0.1", 9000, { pid: 4711, command: "cargo-lambda" })).toBe(
    `port 9000 on 127.0.0.1 is in use by pid 4711 (cargo-lambda)
  use --port 9001, or --port 0 to pick a free one`,
  );
  await using taken = await takenPort();
  const { port } = taken;
  expect(portTaken("127.0.0.1", port)).toStartWith(
    `port ${port} on 127.0.0.1 is in use by pid ${process.pid} (`,
  );
});

test("the function is not known", () => {
  expect(unknownFunction("helo", ["hello", "resize"])).toBe(
    `function "helo" not found (404)
  available: hello, resize       did you mean "hello"?`,
  );
  expect(unknownFunction("other", ["hello"])).toBe(
    `function "other" not found (404)
  available: hello`,
  );
});

test("the runtime ended with a status that has a meaning", () => {
  const failure = {
    errorType: "Runtime.ExitError",
    message: "exit status 127",
    exitStatus: 127,
    durationMs: 12.1,
    log: "function.sh: line 3: jqq: command not found\n",
    path: "/opt/bin:/usr/local/bin:/usr/bin:/bin",
  };
  expect(failureSummary(failure)).toBe(
    `Runtime.ExitError after 12 ms: exit status 127
  last lines on stderr:
    function.sh: line 3: jqq: command not found
  127 means a command was not found: install it where the function runs, or add it as a layer (here: --layer DIR); PATH inside the function: /opt/bin:/usr/local/bin:/usr/bin:/bin`,
  );
});

test.each([
  ["exit status 126", 126, "chmod"],
  [
    "the handler exited with status 126 (a command was not executable): ./x: Permission",
    126,
    "chmod",
  ],
  [
    "the handler exited with status 126 (an argument, or the environment, was too long): x",
    126,
    "",
  ],
  ["the handler exited with status 126 (a folder is not a command): ./x (a command)", 126, ""],
  ["the handler exited with status 127 (a command was not found): x: not found", 127, "layer"],
  ["the handler exited with status 127: (a folder is not a command)", 127, "layer"],
  [
    "function.sh, while it was loaded, exited with status 127 (a command was not found): x",
    127,
    "layer",
  ],
  ["the handler exited with status 127 (the interpreter of a script was not found): x", 127, ""],
  ["the handler exited with status 1 (a command was not found): x", 1, ""],
])("the hint fits the cause: %s", (message, exitStatus, remedy) => {
  const of = { errorType: "Function.ExitError", durationMs: 1, log: "", path: "/bin" };
  const [, hint = ""] = failureSummary({ ...of, message, exitStatus }).split("\n");
  expect(/chmod|layer/.exec(hint)?.[0] ?? hint).toBe(remedy);
});

const HANDLER_FAILED = "the handler exited with status";

test.each([
  ["127 (a command was not found): f.sh: line 7: aws: command not found", "bin/aws: --layer DIR"],
  ["127 (a command was not found): f.sh: 7: jq: not found", "bin/jq: --layer DIR"],
  ["127 (a command was not found): f.sh[7]: jq: inaccessible or not found", "bin/jq: --layer DIR"],
  ['2: f.sh: line 3: return: {"a":1}: numeric argument required', "return takes a status"],
  ['2: f.sh: 3: return: Illegal number: {"a":1}', "return takes a status"],
  ["2: sh: exit: line 0: Illegal number: no x", "exit takes a status"],
  ["1: E: mksh: return: bad number: no: 1", "return takes a status"],
  ['2: jq: error: Could not open file {"a":1}: No such file or directory', '"$1" is the event'],
  ["1: cat: '[1]': No such file or directory", '"$1" is the event'],
  ['2: f.sh: 3: cannot open {"a":1}: No such file', '"$1" is the event'],
  ['1: W: f.sh: {"a":1}: open: No such file or directory', '"$1" is the event'],
])("what is often meant otherwise has a hint: %s", (words, hint) => {
  const message = `${HANDLER_FAILED} ${words}`;
  const exitStatus = Number.parseInt(words, 10);
  const of = { errorType: "Function.ExitError", durationMs: 1, log: "", path: "/bin" };
  expect(failureSummary({ ...of, message, exitStatus }).split("\n")[1]).toContain(hint);
});

test("a bootstrap that says it in its log alone has the hint, too", () => {
  const log = "bootstrap: line 3: jq: command not found\n";
  const of = { errorType: "Runtime.ExitError", durationMs: 1, log, path: "/bin" };
  expect(failureSummary({ ...of, message: "exit status 127", exitStatus: 127 })).toContain(
    "bin/jq",
  );
});

test.each([
  "1: cat: data.json: No such file or directory",
  "1: no such file: {x}",
  "1: return: 3",
  "127 (a command was not found): f.sh: line 7: myjq: command not found",
])("other words have none of these: %s", (words) => {
  const message = `${HANDLER_FAILED} ${words}`;
  const exitStatus = Number.parseInt(words, 10);
  const of = { errorType: "Function.ExitError", durationMs: 1, log: "", path: "/bin" };
  const summary = failureSummary({ ...of, message, exitStatus });
  expect(summary).not.toMatch(/takes a status|is the event|brings/);
});

test("the function timed out", () => {
  const running = ["sleep 30 (pid 5123), child of handler"];
  expect(timeoutSummary({ name: "hello", timeoutMs: 3_000 }, running)).toBe(
    `function timed out after 3.00 s (Sandbox.Timedout)
  still running when killed: sleep 30 (pid 5123), child of handler
  raise with --timeout 10 or lambda-shell.toml [function.hello] timeout = 10`,
  );
});

/** What is said of a result that a front end cannot use. */
function hintOf(kind: GatewayKind, text: string): string {
  const result = gatewayResult(kind, Buffer.from(text));
  if (result.kind === "response") throw new Error("it is not a fault");
  return malformedHint(kind, result.fault, Buffer.from(text));
}

test("the front end needs an envelope", () => {
  expect(hintOf("rest", "Hello Ada\n")).toBe(
    `response is not JSON and the front end is REST (payload 1.0); AWS responds with 502 here
  got: Hello Ada
  return {"statusCode":200,"body":"Hello Ada"} or use a Function URL`,
  );
  const long = "x".repeat(81);
  expect(hintOf("http-api-v1", `{"text":"${long}"}`)).toBe(
    `response has no statusCode and the front end is HTTP API (payload 1.0); AWS responds with 500 here
  got: {"text":"${"x".repeat(71)}…
  return {"statusCode":200,"body":"…"} or use a Function URL`,
  );
});

test.each([
  [
    "http-api-v2",
    '{"statusCode":200,"body":{"id":1.0}}',
    "has a body that is an object, not a string,",
    "return it as JSON text, with jq: .body |= tojson\n" + '  so: {"body":"{\\"id\\":1.0}"}',
  ],
  [
    "rest",
    '{"statusCode":200,"body":true}',
    "has a body that is a boolean, not a string,",
    'return it as JSON text, with jq: .body |= tojson\n  so: {"body":"true"}',
  ],
  [
    "function-url",
    '{"statusCode":200,"headers":["a"]}',
    "has headers that are a list, not an object,",
    'return {"headers":{"Content-Type":"text/html"}}',
  ],
  [
    "rest",
    '{"statusCode":200,"multiValueHeaders":{"a":"b"}}',
    "has multiValueHeaders that are not an object of lists",
    'return {"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]}}',
  ],
  [
    "function-url",
    '{"statusCode":101}',
    "has the statusCode 101",
    "return a whole number from 200 to 599",
  ],
  [
    "http-api-v2",
    '{"statusCode":103}',
    "has the statusCode 103",
    "return a whole number from 200 to 599",
  ],
  [
    "http-api-v2",
    '{"statusCode":"200"}',
    'has the statusCode "200"',
    "return a whole number from 200 to 599, not written as a string",
  ],
  [
    "rest",
    '{"StatusCode":200,"body":"x"}',
    'has "StatusCode", which a response does not have,',
    'write it "statusCode"',
  ],
  [
    "rest",
    '{"statusCode":200,"id":1}',
    'has "id", which a response does not have,',
    'leave it out; what the caller gets is text in "body"',
  ],
] as const)("%s cannot use %s", (kind, text, complaint, fix) => {
  const [first, got, ...rest] = hintOf(kind, text).split("\n");
  expect(first).toStartWith(`response ${complaint} and the front end is `);
  expect(got).toBe(`  got: ${text}`);
  expect(rest.join("\n")).toBe(`  ${fix}`);
});

test.each([
  ["Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: exit status 127", true],
  ["Function.ExitError", "handler exited with status 127 (a command was not found): x", true],
  ["Function.ExitError", "handler exited with status 1: deploy: status 127 of the job", false],
  [
    "Runtime.InitError",
    "/x/function.sh, while it was loaded, exited with status 127 (a command was not found): x",
    true,
  ],
  ["Runtime.InitError", "/x/function.sh cannot be used: status 127", false],
  ["Job.Failed", "the job ended with status 127", false],
  ["Error", "status 126", false],
])(
  "%s: %s: whether a command was not found is told by the platform's words",
  (type, message, isTold) => {
    const body = Buffer.from(JSON.stringify({ errorType: type, errorMessage: message }));
    const summary = serverErrorSummary(body, "", 1).message;
    expect(/means a command/.test(summary)).toBe(isTold);
  },
);

test.each(["a text", '"a text"', '["a", "list"]', "1", "null"])(
  "an error that is not an object (%s) is told as it is",
  (text) => {
    const { message } = serverErrorSummary(Buffer.from(text), "", undefined);
    expect(message).toBe(`Unhandled: ${text}`);
  },
);

test("a log line stands before the JSON of the response", () => {
  expect(outputWarning(Buffer.from('greeting Ada\n{"a":1}\n'))).toBe(
    `handler wrote to stdout before its JSON payload ("greeting Ada")
  stdout is the response; send logs to stderr: echo "greeting Ada" >&2`,
  );
  for (const [text, shown] of [
    ["one\ntwo\n[1]", '"one" and 1 more line'],
    ['\n\n{\n  "a": 1\n}\n', ""],
    [`${"step\n".repeat(19)}{"a":\n1}`, '"step" and 18 more lines'],
    [`${"step\n".repeat(20)}{"a":1}`, '"step" and 19 more lines'],
    [`${"step\n".repeat(21)}{"a":1}`, ""],
    ["{not\n[json\n{}", '"{not" and 1 more line'],
    ["one\n2", ""],
    ["one\n{", ""],
  ] as const) {
    const warning = outputWarning(Buffer.from(text));
    if (shown === "") expect(warning).toBeUndefined();
    else
      expect(warning).toStartWith(`handler wrote to stdout before its JSON payload (${shown})\n`);
  }
  expect(outputWarning(Buffer.from('{"a":1}\n'))).toBeUndefined();
  expect(outputWarning(Buffer.from("two\nlines\n"))).toBeUndefined();
});

test.each([
  ['{"name":1', 9, 'it ends before the closing "}"'],
  ['{"a":}', 5, 'expected a value, got "}"'],
  ["nope", 0, 'unexpected "nope"'],
  ["{'a':1}", 1, `unexpected "'a'"`],
  ['{"a":tru}', 5, 'unexpected "tru"'],
  ['{"a":1,}', 7, 'expected the name of a member in double quotes, got "}"'],
  ['{"a":01}', 6, 'a comma is missing before "1"'],
  ['{"a":"x}', 5, "a string without its closing quote"],
  ['{"a":"\\x"}', 5, 'a string with an invalid escape: a backslash is written "\\\\"'],
  ['{"a":"\\u12"}', 5, 'a string with an invalid escape: a backslash is written "\\\\"'],
  ['{"a":"b\tc"}', 5, 'a string with a control character: write "\\t"'],
  ['{"a":1} {}', 8, 'unexpected "{"'],
  ["/* */ 1", 0, "JSON has no comments"],
  ["", 0, "expected a value, got the end"],
  ["[1,2", 4, 'it ends before the closing "]"'],
  ['{"a" 1}', 5, 'a colon is missing before "1"'],
  ['{"a":1 "b":2}', 7, 'a comma is missing before "\\"b\\""'],
])("the payload %j is wrong at offset %i: %s", (text, offset, what) => {
  expect(payloadComplaint(Buffer.from(text), `-d ${text}`)).toBe(
    `payload is not valid JSON (offset ${offset}: ${what})
  -d ${text}
  ${" ".repeat(3 + offset)}^
hint: use -f event.json, -d @event.json or pipe with -d -`,
  );
});
