import { expect, test } from "bun:test";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import {
  CURL_LOOP,
  functionFolder,
  outputOf,
  startTool,
  tool,
  toolCommand,
} from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

const FOLDER = functionFolder({
  "function.sh": `handler() { case $1 in *fail*) return 3 ;; *) printf '%s' "$1" ;; esac; }\n`,
});
const ONCE = ["--bootstrap", CURL_LOOP[1] ?? "", "--dir", FOLDER];

const once = (...args: readonly string[]) => tool(["invoke", ...args, ...ONCE]);

test("a function of another name is not run", async () => {
  expect(await once("prob")).toEqual({
    status: 2,
    out: "",
    errors:
      'error: function "prob" not found (404)\n  available: probe       did you mean "probe"?\n',
  });
  expect(await once("probe")).toMatchObject({ status: 0, out: "{}" });
  expect(await once("a b")).toMatchObject({ status: 2, out: "" });
  expect((await once("function.handler")).errors).toEndWith(
    "\n  to run a handler of that name: --handler function.handler\n",
  );
  expect((await once("")).errors).toBe("error: the function's name is empty\n");
});

test("a folder in the place of the name is pointed to --dir", async () => {
  const cwd = join(
    functionFolder({ "function.sh": "handler() { printf ok; }\n" }, "greeter"),
    "..",
  );
  // With an option that starts the function no server is looked for: another one may be on the usual port.
  const named = await tool(["invoke", "greeter", "--timeout", "3"], { cwd });
  expect(named.status).toBe(2);
  expect(named.errors).toEndWith("\n  to run the folder greeter: --dir greeter\n");
  expect(await tool(["invoke", "--dir", "greeter"], { cwd })).toMatchObject({
    status: 0,
    out: "ok",
  });
});

test("what a server refuses is refused", async () => {
  const context = JSON.stringify({ custom: "x".repeat(4000) });
  const { status, out, errors } = await once("--client-context", context);
  expect([status, out]).toEqual([2, ""]);
  expect(errors).toBe(
    'error: 400: {"Type":"User","message":"Client context must be at most 3583 bytes"}\n',
  );
});

test("nothing on standard input is the event {}", async () => {
  expect(await once("-d", "-")).toMatchObject({ status: 0, out: "{}" });
});

test("a file on standard input that no option takes is mentioned", async () => {
  const command = toolCommand(["invoke", ...ONCE]);
  const event = join(temporaryFolder("event"), "event.json");
  const hint = "hint: the event is {}: -d - takes it from standard input\n";
  for (const [text, words] of [
    ['{"id":1}', hint],
    ["", ""],
  ] as const) {
    writeFileSync(event, text);
    const child = Bun.spawn(["sh", "-c", '"$@" <"$0"', event, ...command], {
      env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { status, errors } = await outputOf(child);
    expect([status, errors.includes("hint: the event"), errors.startsWith(words)]).toEqual([
      0,
      words !== "",
      true,
    ]);
  }
});

test("-o headers prints those that a server has", async () => {
  const { out } = await once("-o", "headers", "-d", "[1]");
  expect(out).toMatch(
    /^content-type: .*\nx-amzn-requestid: .*\nx-amz-executed-version: \$LATEST\nx-amz-log-result: .*\n\n\[1\]$/,
  );
});

test.each([
  [
    '{"id":12345678901234567890,"n":[1.0,1e400,-0,0.10]}',
    '{\n  "id": 12345678901234567890,\n  "n": [\n    1.0,\n    1e400,\n    -0,\n    0.10\n  ]\n}\n',
  ],
  ["12345678901234567890", "12345678901234567890\n"],
  ['{"__proto__":1,"a":"\\u0000"}', '{\n  "__proto__": 1,\n  "a": "\\u0000"\n}\n'],
  ["no JSON", "no JSON\n"],
])("-o json prints %s with every digit", async (event, shown) => {
  const file = join(functionFolder({ event }), "event");
  const folder = functionFolder({ "function.sh": `handler() { cat '${file}'; }\n` });
  const started = ["--bootstrap", CURL_LOOP[1] ?? "", "--dir", folder];
  expect((await tool(["invoke", "-o", "json", ...started])).out).toBe(shown);
  await using server = await startTool([
    "serve",
    folder,
    "--port",
    "0",
    "--metrics-port",
    "0",
    ...CURL_LOOP,
  ]);
  expect((await tool(["invoke", "-o", "json", "--url", server.url])).out).toBe(shown);
});

test("--event prints no response, but what went wrong", async () => {
  const accepted = "202 · ran in the foreground (no server for --event)\n";
  expect(await once("--event")).toEqual({ status: 0, out: "", errors: accepted });
  const failed = await once("--event", "-d", '"fail"');
  expect([failed.status, failed.out]).toEqual([0, ""]);
  expect(failed.errors).toStartWith(`${accepted}error: `);
});

test("--repeat repeats it in one environment", async () => {
  const { status, out, errors } = await once("--repeat", "5");
  expect([status, out]).toEqual([0, ""]);
  expect(errors).toMatch(/^5 ok · 0 failed · .* · 1 cold starts · \d+ req\/s\n$/);
  const failed = await once("--repeat", "2", "-d", '"fail"');
  expect(failed.status).toBe(1);
  expect(failed.errors).toStartWith("0 ok · 2 failed · ");
  const uncounted = await once("--repeat", "2", "-d", '"fail"', "--no-fail");
  expect(uncounted.status).toBe(0);
  expect(uncounted.errors).toStartWith("0 ok · 2 failed · ");
});

test.each([
  [["--repeat", "2", "--tail"], "--repeat and --tail exclude each other"],
  [["--repeat", "2", "-o", "json"], "--repeat and --output exclude each other"],
  [["--parallel", "2"], "--parallel needs --repeat N"],
  [["--workers", "2"], "--workers needs --repeat N"],
  [["--queue", "1"], "--queue needs --repeat N"],
  [["--parallel", "3", "--repeat", "2"], "--parallel 3: --repeat sends only 2 events"],
  [["--profile", "--event"], "--profile and --event exclude each other"],
  [["--remote", "--parallel", "2"], "--parallel needs --repeat N"],
])("options without effect are refused: %j", async (options, message) => {
  const refused = { status: 2, out: "", errors: `error: ${message}\n` };
  expect(await once(...options)).toEqual(refused);
  expect(await tool(["invoke", "--url", "http://127.0.0.1:1", ...options])).toMatchObject({
    status: 2,
    out: "",
  });
});

test.each([["SIGINT", 130] as const, ["SIGTERM", 143] as const])(
  "%s ends it without a response",
  async (signal, status) => {
    const folder = functionFolder({ "function.sh": "" });
    const started = join(folder, "started");
    await Bun.write(join(folder, "function.sh"), `handler() { : > ${started}; sleep 60; }\n`);
    const options = ["--timeout", "60", "--bootstrap", CURL_LOOP[1] ?? "", "--dir", folder];
    const child = Bun.spawn([...toolCommand(["invoke", ...options])], {
      env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    while (!existsSync(started)) await Bun.sleep(5);
    child.kill(signal);
    expect(await outputOf(child)).toEqual({ status, out: "", errors: "" });
  },
);

test.each([["SIGINT", 130] as const, ["SIGTERM", 143] as const, ["SIGHUP", 129] as const])(
  "%s ends a call of AWS, and leaves nothing of its event behind",
  async (signal, status) => {
    const [programs, temporary] = [temporaryFolder("aws"), temporaryFolder("event")];
    writeFileSync(join(programs, "aws"), "#!/bin/sh\nexec sleep 60\n", { mode: 0o755 });
    const child = Bun.spawn([...toolCommand(["invoke", "probe", "--remote", "-d", "{}"])], {
      env: { PATH: `${programs}:${process.env["PATH"]}`, TMPDIR: temporary },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const events = () => [...new Bun.Glob("*/event").scanSync(temporary)];
    while (events().length === 0) await Bun.sleep(5);
    await Bun.sleep(100);
    child.kill(signal);
    expect(await outputOf(child)).toEqual({ status, out: "", errors: "" });
    expect(readdirSync(temporary)).toEqual([]);
  },
);

test("options that start a function are refused where a server has started it", async () => {
  await using server = await startTool(["dev", FOLDER, "--port", "0", ...CURL_LOOP]);
  const options = [
    ["--env", "A=B"],
    ["--timeout", "1"],
    ["--memory", "999"],
    ["--dir", FOLDER],
    ["--inherit-env"],
  ];
  for (const option of options) {
    const refused = await tool(["invoke", "--url", server.url, "-d", "{}", ...option]);
    expect(refused).toMatchObject({ status: 2, out: "" });
    expect(refused.errors).toStartWith(
      `error: ${option[0]}: the server at ${server.url} has started the function with settings of its own\n`,
    );
  }
  const environment = { AWS_ENDPOINT_URL_LAMBDA: server.url };
  const several = ["invoke", "-d", "{}", "--env", "A=B", "--timeout", "1"];
  const refused = (await tool(several, { environment })).errors;
  expect(refused).toStartWith("error: --timeout, --env: ");
  expect(refused).toEndWith(" without AWS_ENDPOINT_URL_LAMBDA the function is started here\n");
  expect(server.errors()).not.toContain("START");
  const taken = await tool(["invoke", "--url", server.url, "-d", "{}", "--qualifier", "live"]);
  expect(taken.status).toBe(0);
});

test("without an option and a server on the usual port the function is run here", async () => {
  const isTaken = await fetch("http://127.0.0.1:9000").then(
    () => true,
    ({ code }) => code !== "ConnectionRefused",
  );
  // Somebody works with this computer.
  if (isTaken) return;
  const cwd = functionFolder({ "function.sh": "handler() { printf here; }\n" });
  expect(await tool(["invoke", "-d", "{}"], { cwd })).toMatchObject({ status: 0, out: "here" });
});

test("invoke --remote refuses options that start a function here", async () => {
  for (const option of [
    ["--env", "A=B"],
    ["--timeout", "1"],
    ["--dir", "."],
  ]) {
    const refused = await tool(["invoke", "probe", "--remote", "-d", "{}", ...option]);
    expect(refused.errors).toStartWith(`error: --remote and ${option[0]} exclude each other\n`);
  }
});
