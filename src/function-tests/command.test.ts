/** `lambda-shell test` as a process, with the compiled runtime. */

import { expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { bootstrapExecutable } from "../testing/bootstrap-process.ts";
import { stateOf } from "../testing/process-facts.ts";
import { functionFolder, tool, toolCommand } from "../testing/running-tool.ts";

/** Runs the tests of a folder; times are left out of the output. */
async function runTests(folder: string, ...options: readonly string[]) {
  // On a busy machine what takes milliseconds may take seconds.
  const times = ["--timeout", "60", "--init-timeout", "60"];
  const args = ["test", "--bootstrap", bootstrapExecutable(), ...times, ...options, "."];
  const { status, out, errors } = await tool(args, { cwd: folder });
  const timeless = out.replace(/ \([\d.]+ m?s\)$/gm, "").replace(/ after \d+ ms:/g, ":");
  return { status, errors, out: timeless };
}

const GREETER = `handler() {
  case $1 in
    *fail*) echo 'ValidationError: no name' >&2; return 1 ;;
    *exit*) exit 7 ;;
    *sleep*) sleep 30 ;;
    *text*) printf 'two\\nlines' ;;
    *bytes*) printf '\\377\\000' ;;
    *env*) printf '{"greeting":"%s"}' "\${GREETING-none}" ;;
    *log*) echo 'a log line' >&2; echo 1 ;;
    *) printf '%s' "$1" ;;
  esac
}
other() { echo '"other"'; }
`;

const JSON_FILE = (value: unknown) => JSON.stringify(value);

test("tests of every kind pass", async () => {
  const tests = [
    { event: { a: [1, 2] }, expect: { response: { a: [1, 2] } } },
    { event: { a: 1, b: 2 }, expect: { responseContains: { b: 2 } } },
    { event: "text", expect: { responseText: "two\nlines" } },
    { event: "bytes", expect: { responseBase64: "/wA=" } },
    { event: { n: 5 }, expect: { responseMatches: '^\\{"n":\\d\\}$' } },
    { event: "fail", expect: { error: { errorType: "ValidationError", errorMessage: "no name" } } },
    { event: "exit", expect: { errorMatches: "status 7" } },
    { event: "fail", expect: { error: {} } },
    { event: "log", expect: { response: 1, logContains: ["a log", "line"] } },
    { event: "env", env: { GREETING: "Ciao" }, expect: { response: { greeting: "Ciao" } } },
    { event: "env", expect: { response: { greeting: "none" } } },
    { event: 1, handler: "function.other", expect: { response: "other" } },
    { event: "sleep", timeout: "200ms", expect: { error: { errorType: "Sandbox.Timedout" } } },
    { event: { after: 1 }, expect: { response: { after: 1 } } },
    { eventFile: "../data.json", expect: { responseText: ' {"raw" : 1}\r\n' } },
    {
      example: "sqs-event",
      set: ["Records.0.messageId=hi"],
      expect: { responseContains: { Records: [{ messageId: "hi" }] } },
    },
  ];
  const folder = functionFolder(
    { "function.sh": GREETER, "tests/all.json": JSON_FILE(tests), "data.json": ' {"raw" : 1}\r\n' },
    "odd name",
  );
  const { status, out, errors } = await runTests(folder);
  expect(errors).toBe("");
  expect(out).not.toContain("FAIL");
  expect(out).toEndWith(`\n\n${tests.length} passed, 0 failed\n`);
  expect(status).toBe(0);
  const parallel = await runTests(folder, "--workers", "4");
  expect(parallel).toEqual({ status, out, errors });
});

test("each failure says what was expected and what came", async () => {
  const tests = [
    { event: { a: 1 }, expect: { response: { a: 2 } } },
    { event: "text", expect: { response: {} } },
    { event: "text", expect: { responseText: "two\nlimes" } },
    { event: "bytes", expect: { responseText: "x" } },
    { event: "fail", expect: { response: {} } },
    { event: "fail", expect: { error: { errorType: "Other" } } },
    { event: "log", expect: { error: {} } },
    { event: "log", expect: { response: 1, logContains: "absent" } },
    { event: {}, expect: { responseMatches: "x" } },
    { event: {} },
  ];
  const folder = functionFolder({ "function.sh": GREETER, "tests/t.json": JSON_FILE(tests) });
  const { status, out } = await runTests(folder);
  expect(status).toBe(1);
  expect(out).toBe(`FAIL  tests/t.json: test 1
      response.a: expected 2, got 1
FAIL  tests/t.json: test 2
      response is not JSON: "two\\nlines"
FAIL  tests/t.json: test 3
      response differs from line 2 on:
        - limes
        + lines
FAIL  tests/t.json: test 4
      response is not UTF-8: 2 bytes that are not UTF-8
FAIL  tests/t.json: test 5
      the function failed: ValidationError: no name
      log:
        ValidationError: no name
FAIL  tests/t.json: test 6
      error.errorType: expected "Other", got "ValidationError"
      log:
        ValidationError: no name
FAIL  tests/t.json: test 7
      expected an error, got the response 1
      log:
        a log line
FAIL  tests/t.json: test 8
      the log does not contain "absent"
      log:
        a log line
FAIL  tests/t.json: test 9
      response does not match /x/: {}
FAIL  tests/t.json: test 10
      nothing is expected yet; the response is {}
        if that is right, write it down with: lambda-shell test --update

0 passed, 10 failed
`);
});

test("--update writes what comes back, and the tests pass from then on", async () => {
  const folder = functionFolder({
    "function.sh": GREETER,
    "events/ada.json": '{ "name": "Ada" }\n',
    "events/bad.json": '"fail"',
    "events/named.json": "[1]",
    "tests/ada.json": '{"eventFile": "../events/named.json"}',
    "tests/part.json": JSON_FILE({ event: { a: 1, b: 2 }, expect: { responseContains: { a: 0 } } }),
    "tests/text.json": JSON_FILE({ event: "text" }),
    "tests/bytes.json": JSON_FILE({ event: "bytes" }),
    "tests/same.json": '{"event":  1,  "expect": {"response":  1}}',
  });
  const first = await runTests(folder);
  expect([first.status, first.out.split("\n").at(-2)]).toEqual([1, "1 passed, 6 failed"]);
  const update = await runTests(folder, "--update");
  expect(update.out).toContain(
    `wrote events/ada.json\n      into tests/ada-2.json: the response {"name":"Ada"}\n`.replace(
      '{"name":"Ada"}',
      '{ "name": "Ada" }',
    ),
  );
  expect([update.status, update.out.split("\n").at(-2)]).toEqual([
    0,
    "1 passed, 6 written, 0 failed",
  ]);
  const text = (name: string) => readFileSync(join(folder, "tests", name), "utf8");
  expect(text("ada-2.json")).toBe(
    '{\n  "eventFile": "../events/ada.json",\n  "expect": { "response": { "name": "Ada" } }\n}\n',
  );
  expect(text("ada.json")).toBe(
    '{"eventFile": "../events/named.json", "expect": { "response": [1] }}',
  );
  expect(JSON.parse(text("bad.json")).expect.error).toEqual({
    errorType: "ValidationError",
    errorMessage: "no name",
  });
  expect(JSON.parse(text("part.json")).expect).toEqual({ responseContains: { a: 1 } });
  expect(JSON.parse(text("text.json")).expect).toEqual({ responseText: "two\nlines" });
  expect(JSON.parse(text("bytes.json")).expect).toEqual({ responseBase64: "/wA=" });
  expect(text("same.json")).toBe('{"event":  1,  "expect": {"response":  1}}');
  const after = await runTests(folder);
  expect([after.status, after.out.split("\n").at(-2)]).toEqual([0, "7 passed, 0 failed"]);
});

test("--update shows what has changed, and JSON of several lines as one that can be read", async () => {
  const script = `handler() {
  case $1 in
    1) printf '%s' '{"statusCode":200,"body":"{\\"a\\":2,\\"b\\":[true]}"}' ;;
    2) printf 'one\\ntwo\\n' ;;
    3) printf '{\\n  "name": "a \\\\"b\\\\"",\\n  "list": [\\n    1.0\\n  ]\\n}\\n' ;;
  esac
}
`;
  const body = JSON.stringify({ a: 1, b: [true] });
  const tests = [
    { event: 1, expect: { response: { statusCode: 200, body } } },
    { event: 2, expect: { responseText: "one\ntoo\n" } },
    { event: 3 },
  ];
  const folder = functionFolder({ "function.sh": script, "tests/t.json": JSON_FILE(tests) });
  const { status, out } = await runTests(folder, "--update");
  expect([status, out]).toEqual([
    0,
    `wrote tests/t.json: test 1
      into tests/t.json:
        (response.body|fromjson).a: expected 1, got 2
wrote tests/t.json: test 2
      into tests/t.json:
        response differs from line 2 on:
          - too
          + two
wrote tests/t.json: test 3
      into tests/t.json: the response {"name":"a \\"b\\"","list":[1.0]}

0 passed, 3 written, 0 failed
`,
  ]);
  expect((await runTests(folder)).status).toBe(0);
});

test("--update does not take a function that cannot run for what is wanted", async () => {
  const folder = functionFolder({
    "function.sh": "handler() { sleep 9; }\n",
    "tests/a.json": '{"event": 1, "handler": "function.none"}',
    "tests/b.json": '{"event": 1, "timeout": "100ms"}',
  });
  const { status, out } = await runTests(folder, "--update");
  expect(status).toBe(1);
  expect(out).toContain("Runtime.HandlerNotFound");
  expect(out).toContain("Sandbox.Timedout");
  expect(readFileSync(join(folder, "tests/a.json"), "utf8")).not.toContain("expect");
});

test.each([
  ['{"event": 1, "expect": {"error": {"errorType": "A"}}}'],
  ['{"event": "fail", "expect": {"response": 1}}'],
])("--update does not turn %s around", async (text) => {
  const folder = functionFolder({ "function.sh": GREETER, "tests/a.json": text });
  const { status, out } = await runTests(folder, "--update");
  expect([status, out.split("\n").at(-2)]).toEqual([1, "0 passed, 1 failed"]);
  expect(out).toContain(
    "      --update does not change whether the function must fail: for that, change expect in the test\n",
  );
  expect(readFileSync(join(folder, "tests/a.json"), "utf8")).toBe(text);
});

test.each(["events/a.json", "tests/a.json"])(
  "an error that --update writes down for the first time is told as one: %s",
  async (file) => {
    const event = file === "events/a.json" ? '"fail"' : '{"event": "fail"}';
    const folder = functionFolder({ "function.sh": GREETER, [file]: event });
    const { status, out } = await runTests(folder, "--update");
    expect(status).toBe(0);
    expect(out).toContain("      into tests/a.json: the error {");
    expect(out).toContain(
      "}\n        it must fail so from now on; if it should not, mend it, remove the error from the test and update again\n",
    );
    // As it says.
    const path = join(folder, "tests/a.json");
    const { expect: _, ...test } = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify(test));
    writeFileSync(join(folder, "function.sh"), "handler() { echo 1; }\n");
    expect((await runTests(folder, "--update")).out).toContain("the response 1\n");
    expect((await runTests(folder)).status).toBe(0);
  },
);

test("what --update cannot change is left to people", async () => {
  const text = '{"event": 1, "expect": {"response": 2, "responseMatches": "x"}}';
  const folder = functionFolder({ "function.sh": GREETER, "tests/a.json": text });
  const { status, out } = await runTests(folder, "--update");
  expect([status, out.split("\n").slice(1, 4)]).toEqual([
    1,
    [
      "      into tests/a.json:",
      "        response: expected 2, got 1",
      "      response does not match /x/: 1",
    ],
  ]);
  expect(out).toContain("response does not match /x/: 1");
});

test.each([
  ["a text", ["--filter", "two"], ["b.json: two"]],
  ["a file", ["--filter", "tests/a"], ["a.json"]],
  ["a pattern", ["--filter", "/json$|tw./"], ["a.json", "b.json: two"]],
])("--filter takes %s", async (_name, options, ids) => {
  const folder = functionFolder({
    "function.sh": GREETER,
    "tests/a.json": '{"event": 1, "expect": {"response": 1}}',
    "tests/b.json":
      '[{"name": "one", "event": 1, "expect": {"response": 1}},' +
      '{"name": "two", "event": 1, "expect": {"response": 1}}]',
  });
  const { status, out } = await runTests(folder, ...options);
  expect(status).toBe(0);
  expect(out).toBe(
    `${ids.map((id) => `ok    tests/${id}\n`).join("")}\n${ids.length} passed, 0 failed\n`,
  );
});

test("several folders are one run, and a report may go to a file", async () => {
  const root = functionFolder({
    "one/function.sh": GREETER,
    "one/tests/a.json": '{"event": 1, "expect": {"response": 1}}',
    "two/function.sh": "handler() { echo 2; }\n",
    "two/tests/b.json": '{"event": 1, "expect": {"response": 1}}',
  });
  const args = ["test", "--bootstrap", bootstrapExecutable(), "--reporter", "tap"];
  const { status, out } = await tool([...args, "-o", "report.tap", "one", "two"], { cwd: root });
  expect(status).toBe(1);
  expect(out).toMatch(/^ok {4}one\/tests\/a\.json \([\d.]+ ms\)\nFAIL {2}two\/tests\/b\.json /);
  const points = readFileSync(join(root, "report.tap"), "utf8").match(
    /^(TAP|1\.\.|ok|not ok).*$/gm,
  );
  expect(points).toEqual([
    "TAP version 14",
    "1..2",
    "ok 1 - one/tests/a.json",
    "not ok 2 - two/tests/b.json",
  ]);
});

test.each<[string, Readonly<Record<string, string>>, readonly string[], string]>([
  [
    "no test at all",
    { "function.sh": GREETER },
    [],
    `no tests in .: looked for tests/*.json and events/*.json
  begin with an event, and have its response written down as what is expected:
  mkdir -p events
  echo '{"name":"Ada"}' > events/ada.json
  lambda-shell test --update`,
  ],
  [
    "malformed files, all of them",
    {
      "function.sh": GREETER,
      "tests/a.json": "{",
      "tests/b.json": '{"evnt": 1}',
      "tests/c.json": "",
    },
    [],
    `3 tests are malformed, and no test was run
  tests/a.json:1:2: not JSON: it ends before the closing "}"
  tests/b.json:1:2: unknown member "evnt"
    did you mean "event"?
    a file that is nothing but an event belongs in the folder events
  tests/c.json: the file is empty: write a test, as in {"event": {}}`,
  ],
  [
    "an event file that is missing",
    { "function.sh": GREETER, "tests/a.json": '{"eventFile": "no.json"}' },
    [],
    "a test is malformed, and no test was run\n  tests/a.json: eventFile DIR/tests/no.json: no such file or folder",
  ],
  [
    "events that Lambda would refuse",
    {
      "function.sh": GREETER,
      "tests/a.json": '{"eventFile": "../text"}',
      text: "hello",
      "events/b.json": "{'a': 1}",
      "events/c.json": "",
      "events/d.json": "\ufeff{}",
    },
    [],
    `3 tests are malformed, and no test was run
  tests/a.json: eventFile DIR/text: the event is not JSON: offset 0: unexpected "hello"
  events/b.json: the event is not JSON: offset 1: unexpected "'a'"
  events/c.json: the event is not JSON: offset 0: expected a value, got the end`,
  ],
  [
    "an example that there is not",
    { "function.sh": GREETER, "tests/a.json": '{"example": "sqs-evnt"}' },
    [],
    `a test is malformed, and no test was run
  tests/a.json: no example event "sqs-evnt"
    did you mean: sqs-event
    list them with: lambda-shell events`,
  ],
  [
    "a filter that leaves nothing",
    { "function.sh": GREETER, "tests/a.json": '{"event": 1}' },
    ["--filter", "zzz"],
    "--filter zzz: no test has it in its name\n    tests/a.json",
  ],
  [
    "a filter that is not a pattern",
    { "function.sh": GREETER, "tests/a.json": '{"event": 1}' },
    ["--filter", "/(/"],
    "--filter Invalid regular expression: missing )",
  ],
  [
    "a report that cannot be written",
    { "function.sh": GREETER, "tests/a.json": '{"event": 1}' },
    ["-o", "no/report.xml"],
    "--output no/report.xml: no such file or folder",
  ],
])("%s ends in status 2 and says what to do", async (_name, files, options, message) => {
  const folder = functionFolder(files);
  const { status, out, errors } = await runTests(folder, ...options);
  expect({ status, out, errors: errors.replaceAll(folder, "DIR") }).toEqual({
    status: 2,
    out: "",
    errors: `error: ${message}\n`,
  });
});

test("the commands that are recommended in a folder without tests make one that passes", async () => {
  const parent = functionFolder({
    "it's a folder/function.sh": "handler() { printf '%s' \"$1\"; }\n",
  });
  const { errors } = await tool(["test", "it's a folder"], { cwd: parent });
  const [, , ...commands] = errors.trimEnd().split("\n");
  expect(commands.length).toBe(3);
  for (const command of commands.slice(0, 2)) {
    const ran = Bun.spawnSync(["sh", "-c", command], { cwd: parent });
    expect([command, ran.stderr.toString(), ran.exitCode]).toEqual([command, "", 0]);
  }
  expect(commands[2]).toBe("  lambda-shell test --update 'it'\\''s a folder'");
  const updated = await tool(["test", "--update", "it's a folder"], { cwd: parent });
  expect(updated).toMatchObject({ status: 0, out: expect.stringContaining("1 written") });
});

test("a file where the folder of tests should be is told as such", async () => {
  const folder = functionFolder({ "function.sh": GREETER, tests: "" });
  const { status, errors } = await runTests(folder);
  expect([status, errors]).toEqual([2, "error: not a folder: tests\n"]);
});

test("a file instead of a folder is refused with the way to choose a test", async () => {
  const folder = functionFolder({ "tests/a.json": '{"event": 1}' });
  const { status, errors } = await tool(["test", "tests/a.json"], { cwd: folder });
  expect([status, errors]).toEqual([
    2,
    "error: not a folder: tests/a.json\n" +
      "  one test of a folder is chosen with --filter: lambda-shell test --filter a.json\n",
  ]);
});

test("an event that Lambda would not take is told as such", async () => {
  const folder = functionFolder({ "function.sh": GREETER });
  mkdirSync(join(folder, "events"));
  writeFileSync(join(folder, "events/huge.json"), `"${"x".repeat(6 * 1024 * 1024)}"`);
  writeFileSync(join(folder, "events/large.json"), `"${"x".repeat(1024 * 1024)}"`);
  const { status, out } = await runTests(folder, "--update");
  expect(status).toBe(1);
  expect(out).toStartWith(
    "FAIL  events/huge.json\n" +
      "      the event was not run: it has more than the 6291456 bytes that Lambda takes\n" +
      "wrote events/large.json\n",
  );
});

test("a file that cannot be written is named, and its test with it", async () => {
  const folder = functionFolder({ "function.sh": GREETER, "events/a.json": "1" });
  // Root may write anywhere but below what is not a folder.
  symlinkSync("/dev/null/x", join(folder, "tests"));
  const { status, errors } = await runTests(folder, "--update");
  expect(status).toBe(2);
  expect(errors).toMatch(/^error: failed to write a test of events\/a\.json: .+\n$/);
});

test("a runtime of one's own runs the tests, too", async () => {
  const folder = functionFolder({
    bootstrap: `#!/bin/bash
while :; do
  headers=$(mktemp)
  event=$(curl -sS -D "$headers" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next")
  id=$(sed -n 's/^lambda-runtime-aws-request-id: *\\([^\\r]*\\)\\r*$/\\1/Ip' "$headers" | tr -d '\\r')
  curl -sS -d "[$event]" "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response" > /dev/null
done
`,
    "tests/a.json": '{"event": 1, "expect": {"response": [1]}}',
  });
  chmodSync(join(folder, "bootstrap"), 0o755);
  const { status, out } = await tool(["test", folder]);
  expect(out).toContain("1 passed, 0 failed");
  expect(status).toBe(0);
});

test.each([
  ["SIGINT", []],
  ["SIGTERM", []],
  ["SIGINT", ["--coverage"]],
] as const)("%s ends a run with %j, and everything that it started", async (signal, options) => {
  const folder = functionFolder({
    "function.sh": 'handler() { echo $$ > "$STARTED"; sleep 61; }\n',
    "tests/a.json": '{"event": 1, "timeout": "1m", "expect": {"response": 1}}',
  });
  const started = join(folder, "started");
  const given = ["--bootstrap", bootstrapExecutable(), "--env", `STARTED=${started}`];
  const child = Bun.spawn([...toolCommand(["test", ...given, ...options, "."])], {
    cwd: folder,
    stdout: "pipe",
    stderr: "pipe",
  });
  while (!existsSync(started) || readFileSync(started, "utf8") === "") await Bun.sleep(5);
  child.kill(signal);
  expect(await child.exited).toBe(signal === "SIGINT" ? 130 : 143);
  const pid = Number(readFileSync(started, "utf8"));
  // Gone, or a zombie that init has not collected yet.
  expect(["", "Z", "X"]).toContain(stateOf(pid));
});

test("--output does not write over what is not a report", async () => {
  const script = "handler() { echo 1; }\n";
  const tests = '{"event": 1, "expect": {"response": 1}}';
  const folder = functionFolder({ "function.sh": script, "tests/a.json": tests, report: "" });
  for (const name of ["function.sh", "tests/a.json"]) {
    const { status, errors } = await runTests(folder, "--reporter", "junit", "--output", name);
    expect([status, errors]).toEqual([
      2,
      `error: --output ${name}: it is there and is not a report of tests; nothing was changed\n` +
        "  give another name, or remove it first\n",
    ]);
  }
  expect(readFileSync(join(folder, "function.sh"), "utf8")).toBe(script);
  expect(readFileSync(join(folder, "tests", "a.json"), "utf8")).toBe(tests);
  // Each form takes the place of each.
  for (const form of ["junit", "tap", "pretty", "junit"]) {
    const { status } = await runTests(folder, "--reporter", form, "--output", "report");
    expect([form, status]).toEqual([form, 0]);
  }
});

test.each(["tests", "events"])(
  "in place of the function's folder its folder %s is told",
  async (name) => {
    const folder = functionFolder({ "function.sh": GREETER, [`${name}/a.json`]: "{}" });
    const cwd = dirname(folder);
    const looked = (path: string) =>
      `error: no tests in ${path}: looked for tests/*.json and events/*.json\n` +
      "  name the function's folder: lambda-shell test ";
    const path = `probe/${name}`;
    expect((await tool(["test", path], { cwd })).errors).toBe(`${looked(path)}probe\n`);
    const inside = join(folder, name);
    expect((await tool(["test"], { cwd: inside })).errors).toBe(`${looked(".")}..\n`);
    expect((await tool(["test", `${path}/a.json`], { cwd })).errors).toBe(
      `error: not a folder: ${path}/a.json\n` +
        "  one test of a folder is chosen with --filter: lambda-shell test probe --filter a.json\n",
    );
  },
);
