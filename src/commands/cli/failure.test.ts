/**
 * What users do wrong and what systems refuse: one message, one status, no stack trace.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bootstrapExecutable } from "../../testing/bootstrap-process.ts";
import {
  CURL_LOOP,
  functionFolder,
  outputOf,
  SCRIPTED,
  tool,
  toolCommand,
} from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

const FOLDER = functionFolder({
  "function.sh": `handler() { printf '%s' "$1"; }\n`,
  "event.json": "{}",
  "events.jsonl": "{}",
  "my event.json": "{}",
  "my app": "",
  "a b/my app.sh": "",
  "greeter/function.sh": "",
});
const HELLO = join(import.meta.dir, "../../../fixtures/functions/hello");
const ONCE = ["invoke", "--bootstrap", CURL_LOOP[1] ?? "", "--dir", FOLDER];

const NO_FILE = "no such file or folder";
const IS_FOLDER = "it is a folder, not a file";

const noAddress = (given: string) =>
  `${given}: not an http(s) URL\n  write: --sink http://broker.example/events`;

test.each([
  [["run", "--env-file", "/tmp", ...SCRIPTED], `--env-file /tmp: ${IS_FOLDER}`],
  [["run", "--env-file", "nope", ...SCRIPTED], `--env-file nope: ${NO_FILE}`],
  [["run", "--event-file", "nope", ...SCRIPTED], `--event-file nope: ${NO_FILE}`],
  [["run", "--event-file", "/tmp", ...SCRIPTED], `--event-file /tmp: ${IS_FOLDER}`],
  [["run", "-f", "/tmp", "--compat", "refunc", ...SCRIPTED], `--function /tmp: ${IS_FOLDER}`],
  [["run", "function.sh"], "not a folder: function.sh\n  name its folder: ."],
  [
    ["invoke", "-d", "{}", "--dir", "a b/my app.sh"],
    "not a folder: a b/my app.sh\n  name its folder: 'a b' --handler 'my app.handler'\n" +
      "  put the bootstrap command after --: -- 'a b/my app.sh'",
  ],
  [["run", "my app"], "not a folder: my app\n  put the bootstrap command after --: -- 'my app'"],
  [
    ["run", "my event.json"],
    "not a folder: my event.json\n" +
      "  an event is read from standard input: lambda-shell run < 'my event.json'",
  ],
  [
    ["run", "event.json"],
    "not a folder: event.json\n  an event is read from standard input: lambda-shell run < event.json",
  ],
  [
    ["run", "events.jsonl"],
    "not a folder: events.jsonl\n  an event is read from standard input: lambda-shell run < events.jsonl",
  ],
  [
    ["run", ".", "my event.json"],
    "one folder at a time: . my event.json\n" +
      "  an event is read from standard input: lambda-shell run . < 'my event.json'",
  ],
  [
    ["serve", "a b", "event.json"],
    "one folder at a time: a b event.json\n" +
      "  an event is read from standard input: lambda-shell run 'a b' < event.json",
  ],
  [
    ["run", "a b", "my app"],
    "one folder at a time: a b my app\n  put the bootstrap command after --: -- CMD ARGS",
  ],
  ...["event.json", "my event.json"].map(
    (file) =>
      [
        ["run", ".", "-f", file],
        `--function ${file}: it is not refunc's definition of a function: neither metadata nor spec is in it\n` +
          `  an event from a file: --event-file ${file.includes(" ") ? `'${file}'` : file}`,
      ] as const,
  ),
  [["check", "nodir"], "no such folder: nodir"],
  [
    ["run", "--env", "A=1", "B=2"],
    "no such folder: B=2\n  each variable has an option of its own: --env 'B=2'",
  ],
  [
    ["run", "--env", "A=1", "NAME=Ada L"],
    "no such folder: NAME=Ada L\n  each variable has an option of its own: --env 'NAME=Ada L'",
  ],
  ...[
    ["check", "greter"],
    ["run", "greeterr"],
    ["test", "./Greeter/"],
    ["package", join("a b", "..", "greetr")],
    ["invoke", "-d", "{}", "--dir", "greeter1"],
  ].map((args): [string[], string] => [
    args,
    `no such folder: ${args.at(-1)}\n  did you mean greeter?`,
  ]),
  [["package", "gr"], "no such folder: gr"],
  ...[
    ["run", ""],
    ["serve", ""],
    ["dev", ""],
    ["check", ""],
    ["package", ""],
    ["test", ""],
    ["invoke", "-d", "{}", "--dir", ""],
  ].map((args): [string[], string] => [
    args,
    "the name of the folder is empty\n  the current one is .",
  ]),
  [["check", "function.sh"], "not a folder: function.sh\n  name its folder: ."],
  [["check", "event.json"], "not a folder: event.json"],
  [
    ["package", "a b/my app.sh"],
    "not a folder: a b/my app.sh\n  name its folder: 'a b' --handler 'my app.handler'",
  ],
  [["test", "function.sh"], "not a folder: function.sh\n  name its folder: ."],
  [["package", "-o", "/nope/x.zip"], `--output /nope/x.zip: ${NO_FILE}`],
  [["package", "-o", "/tmp"], `--output /tmp: ${IS_FOLDER}`],
  ...["newfolder/", "/tmp/"].flatMap((path) =>
    [["package"], ["test", HELLO, "--reporter", "tap"]].map(
      (command) =>
        [[...command, "-o", path], `--output ${path}: ${IS_FOLDER}\n  name a file in it`] as const,
    ),
  ),
  [["package", "-o", "/dev/full"], "--output /dev/full: no space left on device"],
  [["init", "/dev/null/x"], "failed to mkdir /dev/null/x: not a directory"],
  [
    ["invoke", "--url", "notaurl", "-d", "{}"],
    "--url notaurl: not an http(s) URL\n  write: --url http://127.0.0.1:9000",
  ],
  ...["127.0.0.1:8080", "localhost:9000/api", "my-host.example", "[::1]:80"].map(
    (host) =>
      [
        ["invoke", "--url", host, "-d", "{}"],
        `--url ${host}: not an http(s) URL\n  write: --url http://${host}`,
      ] as const,
  ),
  [["serve", "--sink", "broker:80/events", ...SCRIPTED], noAddress("--sink broker:80/events")],
  [["run", "--layer", "nolayer", ...SCRIPTED], "no such folder: --layer nolayer"],
  [["run", "--template", "/tmp", ...SCRIPTED], `--template /tmp: ${IS_FOLDER}`],
  [["serve", "--sink", "notaurl", ...SCRIPTED], noAddress("--sink notaurl")],
  [["serve", "--sink", "ftp://x", ...SCRIPTED], noAddress("--sink ftp://x")],
  [["init", ""], '"" is not a function name: 1 to 64 letters, digits, - and _'],
  [["invoke", "-d", "@/tmp"], `-d /tmp: ${IS_FOLDER}`],
])("%j is refused in one line", async (args, message) => {
  const result = await tool(args, { cwd: FOLDER });
  expect(result).toEqual({ status: 2, out: "", errors: `error: ${message}\n` });
});

const RUN_HELP = "  see: lambda-shell run --help\n";

test.each([
  [["run", "-d", "{}"], `error: unknown option '-d'\n  it is an option of: invoke\n${RUN_HELP}`],
  [["run", "--file", "x"], `  it is an option of: invoke\n${RUN_HELP}`],
  [["run", "--env"], `error: option '--env <NAME=VALUE>' argument missing\n${RUN_HELP}`],
  [
    ["invoke", "--event-file", "x"],
    "  it is an option of: run\n  see: lambda-shell invoke --help\n",
  ],
  [["test", "--port", "1"], "  it is an option of: serve, dev\n  see: lambda-shell test --help\n"],
  [["serve", "--debug"], "error: unknown option '--debug'\n  see: lambda-shell serve --help\n"],
  [["-x"], "error: unknown option '-x'\n  see: lambda-shell --help\n"],
  [["init", "my", "function"], "2: my, function.\n  see: lambda-shell init --help\n"],
  [["check", ".", "."], "2: ., ..\n  see: lambda-shell check --help\n"],
])("an argument or option that a command has not leads to the help: %j", async (args, end) => {
  const { status, out, errors } = await tool(args, { cwd: FOLDER });
  expect([status, out, errors.slice(-end.length)]).toEqual([2, "", end]);
});

const SECRETS = [
  ["http://ada:s3cret@127.0.0.1:1", 5],
  ["https://ada:s3:c@ret@127.0.0.1:1/api", 5],
  ["http://ada:s3cret@127.0.0.1:1/?x=1", 2],
  ["ftp://ada:s3cret@127.0.0.1", 2],
  ["ada:s3cret@127.0.0.1", 2],
  ["http://ada:s3cr/et@127.0.0.1", 2],
  ["http://ada:s3cret@127.0.0.1:99999", 2],
] as const;

test.each(SECRETS)("the password of %s is not shown", async (url, expected) => {
  const environment = { AWS_ENDPOINT_URL_LAMBDA: url };
  for (const result of [
    await tool(["invoke", "--url", url, "-d", "{}"]),
    await tool(["invoke", "-d", "{}"], { environment }),
    await tool(["invoke", "-d", "{}", "--repeat", "2"], { environment }),
    await tool(["invoke", "-d", "{}", "--timeout", "1"], { environment }),
  ]) {
    expect(result.errors).toContain("ada:***@127.0.0.1");
    expect([expected, 2]).toContain(result.status);
  }
});

test("an endpoint of the environment that is not an address is named", async () => {
  const environment = { AWS_ENDPOINT_URL_LAMBDA: "ftp://x" };
  const { status, errors } = await tool(["invoke"], { environment });
  expect([status, errors]).toEqual([
    2,
    "error: AWS_ENDPOINT_URL_LAMBDA ftp://x: not an http(s) URL\n" +
      "  write: AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:9000\n",
  ]);
});

test("a K_SINK that is not an address is named", async () => {
  const environment = { K_SINK: "broker" };
  const { status, errors } = await tool(["serve", ...SCRIPTED], { environment });
  expect(status).toBe(2);
  expect(errors).toContain("error: K_SINK broker: not an http(s) URL\n  write: K_SINK=http:");
});

test("--repeat to a named server that is not there ends in status 5", async () => {
  const result = await tool(["invoke", "--repeat", "3", "--url", "http://127.0.0.1:1"]);
  expect([result.status, result.out]).toEqual([5, ""]);
  expect(result.errors).toBe(
    "error: no server at http://127.0.0.1:1: connection refused\n" +
      "  start one: lambda-shell dev; or leave out --url, and the function is started for the event\n",
  );
});

/** Runs the tool in a shell that has made its standard input or output special. */
function inShell(
  script: string,
  args: readonly string[],
  { shell = "sh", cwd = temporaryFolder("shell") } = {},
) {
  return outputOf(
    Bun.spawn([shell, "-c", script, shell, ...toolCommand(args)], {
      cwd,
      env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    }),
  );
}

test.each([[["run", ...SCRIPTED]], [[...ONCE, "-d", "-"]]])(
  "%j with a folder as standard input is refused in one line",
  async (args) => {
    const result = await inShell('exec "$@" < /tmp', args);
    const errors = `error: standard input: ${IS_FOLDER}\n`;
    expect(result).toEqual({ status: 2, out: "", errors });
  },
);

const READERS = [
  [["run", ...SCRIPTED]],
  [["run", "--no-default-event", ...SCRIPTED]],
  [[...ONCE, "-d", "-"]],
  [[...ONCE, "-f", "-"]],
  [[...ONCE, "--http", "POST /", "-d", "@-"]],
];

const INPUT_FIX = "  give it an event: < event.json; or nothing: < /dev/null";

test.each(READERS)("%j with closed standard input is refused, with the fix", async (args) => {
  const result = await inShell('exec "$@" <&-', args);
  const errors = `error: standard input: it is closed\n${INPUT_FIX}\n`;
  expect(result).toEqual({ status: 2, out: "", errors });
});

test.each(READERS)("%j with standard input for writing alone is refused", async (args) => {
  const result = await inShell('exec "$@" 0> /dev/null', args);
  const errors = `error: standard input: it is not open for reading\n${INPUT_FIX}\n`;
  expect(result).toEqual({ status: 2, out: "", errors });
});

test.each([
  [["run", "--event-file", "event.json", ...SCRIPTED], '{"id":7,"echo":{"id":7}}\n'],
  [[...ONCE, "-f", "event.json"], '{"id":7}'],
  [[...ONCE, "-d", "[7]"], "[7]"],
])("%j needs no standard input", async (args, out) => {
  const script = `printf '{"id":7}' > event.json; exec "$@" <&-`;
  expect(await inShell(script, args)).toMatchObject({ status: 0, out });
});

const WRITERS = [
  [["events"]],
  [["events", "show", "s3-event"]],
  [["--help"]],
  [["run", ...SCRIPTED]],
  [[...ONCE, "-d", '"big"']],
];

test.each(WRITERS)("%j says so when standard output has no space", async (args) => {
  const { status, errors } = await inShell('exec "$@" > /dev/full', args);
  expect(status).toBe(2);
  expect(errors).toContain("error: failed to write standard output: no space left on device\n");
  expect(errors).not.toContain("    at ");
});

test.each(WRITERS)("%j says so when standard output is closed", async (args) => {
  const { status, errors } = await inShell('exec "$@" >&-', args);
  expect(status).toBe(2);
  expect(errors).toContain("error: failed to write standard output: it is closed\n");
});

test.each([["/dev/null"], ["|cat >/dev/null"], ["output"]])(
  "standard output to %s is not a closed one",
  async (place) => {
    const { status } = await inShell(`"$@" ${place.startsWith("|") ? place : `> ${place}`}`, [
      "events",
    ]);
    expect(status).toBe(0);
  },
);

test.each(WRITERS)("%j ends with 141 when nobody reads", async (args) => {
  // A pipe that had a reader for as long as it was opened.
  const script = 'mkfifo pipe; exec 4<>pipe 5>pipe 4>&-; exec "$@" >&5 5>&-';
  const { status, errors } = await inShell(script, args);
  expect(status).toBe(141);
  expect(errors).not.toContain("error");
});

test("what cannot be logged does not end what can still respond", async () => {
  const { status, out } = await inShell('exec "$@" 2> /dev/full', [...ONCE, "-d", "[1]"]);
  expect([status, out]).toEqual([0, "[1]"]);
});

/** Runs the tool where no file may have more than some KB, as on a disk that is nearly full. */
function withRoom(kilobytes: number, args: readonly string[], cwd: string) {
  const script = `trap '' XFSZ; ulimit -f ${kilobytes}; exec "$@"`;
  return inShell(script, args, { shell: "bash", cwd });
}

test("a zip that cannot be written whole is not there", async () => {
  const folder = functionFolder({ "function.sh": "handler() { :; }\n" });
  writeFileSync(join(folder, "data"), crypto.getRandomValues(new Uint8Array(5_000)));
  const result = await withRoom(1, ["package"], folder);
  expect(result).toMatchObject({ status: 2, out: "" });
  expect(result.errors).toStartWith(`error: --output ${folder}/probe.zip: `);
  expect(readdirSync(folder).sort()).toEqual(["data", "function.sh"]);
});

test("init that cannot write can be tried again", async () => {
  const folder = temporaryFolder("init");
  const result = await withRoom(0, ["init", "hello"], folder);
  expect(result).toMatchObject({ status: 2, out: "" });
  expect(result.errors).toStartWith("error: failed to write into hello: ");
  expect((await tool(["init", "hello"], { cwd: folder })).status).toBe(0);
});

test("test --update that cannot write leaves the tests that were there", async () => {
  const tests = '[{ "event": {}, "expect": { "responseText": "x" } }]\n';
  const folder = functionFolder({
    "function.sh": "handler() { printf '%03000d' 0; }\n",
    "tests/mine.json": tests,
    "events/new.json": "{}",
  });
  const update = ["test", "--update", "--bootstrap", bootstrapExecutable(), "."];
  for (const filter of ["mine", "new"]) {
    const result = await withRoom(1, [...update, "--filter", filter], folder);
    expect(result.status).toBe(2);
    expect(result.errors).toContain("error: failed to write a test of ");
    expect(readFileSync(join(folder, "tests", "mine.json"), "utf8")).toBe(tests);
    expect(existsSync(join(folder, "tests", "new.json"))).toBe(false);
  }
});
