import { expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { EVENT_BYTES_MAX } from "../runtime-api/contract.ts";
import {
  CURL_LOOP,
  functionFolder,
  outputOf,
  SCRIPTED,
  tool,
  toolCommand,
} from "../testing/running-tool.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const run = (input: string | Uint8Array, ...options: readonly string[]) =>
  tool(["run", ...options, ...SCRIPTED], { input });

test("one event, one line", async () => {
  expect(await run("{}\n")).toEqual({ status: 0, out: '{"id":null,"echo":{}}\n', errors: "" });
});

test("two events, two lines in order, also from two environments", async () => {
  const events = '{"id":1,"do":"slow-echo","ms":150}\n{"id":2}\n';
  for (const options of [[], ["--workers", "2"]]) {
    const { out, status } = await run(events, ...options);
    expect(out.split("\n").map((line) => (line === "" ? 0 : JSON.parse(line).id))).toEqual([
      1, 2, 0,
    ]);
    expect(status).toBe(0);
  }
});

test("--unordered prints responses as they come", async () => {
  const events = '{"id":1,"do":"slow-echo","ms":600}\n{"id":2}\n';
  const { out } = await run(events, "--workers", "2", "--unordered");
  expect(
    out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).id),
  ).toEqual([2, 1]);
});

test("a program without a path is the one that a shell would run", async () => {
  const [, loop = ""] = CURL_LOOP;
  const folders = [temporaryFolder("programs"), temporaryFolder("programs")];
  for (const [at, mode] of [0o644, 0o755].entries()) {
    copyFileSync(loop, join(folders[at] ?? "", "my-runtime"));
    chmodSync(join(folders[at] ?? "", "my-runtime"), mode);
  }
  const folder = functionFolder({ "function.sh": "handler() { echo 1; }\n" });
  const environment = { PATH: `${folders.join(":")}:${process.env["PATH"]}` };
  const ran = await tool(["run", folder, "--", "my-runtime"], { environment, input: "{}" });
  expect(ran).toMatchObject({ status: 0, out: "1\n" });
  const missing = await tool(["run", folder, "--", "no-such-runtime"], { environment });
  expect(missing).toMatchObject({
    status: 2,
    errors: "error: command not found: no-such-runtime\n",
  });
});

test("an empty line is the event {}", async () => {
  expect((await run("\n")).out).toBe('{"id":null,"echo":{}}\n');
});

test("a line that is not JSON is an error, the others are run", async () => {
  const { status, out, errors } = await run("nope\n{}\n");
  expect(status).toBe(1);
  expect(out).toBe('{"id":null,"echo":{}}\n');
  expect(errors).toBe('error: line 1: invalid JSON: offset 0: unexpected "nope"\n');
  expect((await run("nope\n{}\n", "--skip-invalid")).status).toBe(0);
});

test.each([
  ["with type and message", '{"errorType":"Asked","errorMessage":"to fail"}'],
  ["that is no JSON", "no JSON"],
  ["without a body", undefined],
])(
  "an error %s is told after all that its event has logged, and quotes it",
  async (_what, text) => {
    const event = JSON.stringify({ do: "told-error", text });
    const { errors } = await run(`${event}\n${event}\n`);
    const told = errors.split("\n").filter((line) => /^error: | {4}told: |^told: /.test(line));
    const once = ["told: 202", "error: ", "    told: 202"];
    expect(told.map((line) => /^(error: |(?: {4})?told: 202)/.exec(line)?.[0])).toEqual([
      ...once,
      ...once,
    ]);
  },
);

test.each([
  ["an empty pipe", ': | "$@"'],
  ["an empty file", ': > empty; "$@" < empty'],
  ["/dev/null", '"$@" < /dev/null'],
  ["/dev/null, open for writing too", '"$@" <> /dev/null'],
])("%s on standard input is one event, unless that is not wanted", async (_what, script) => {
  const inShell = async (...options: readonly string[]) =>
    outputOf(
      Bun.spawn(["sh", "-c", script, "sh", ...toolCommand(["run", ...options, ...SCRIPTED])], {
        cwd: temporaryFolder("input"),
        env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      }),
    );
  expect(await inShell()).toEqual({ status: 0, out: '{"id":null,"echo":{}}\n', errors: "" });
  expect(await inShell("--no-default-event")).toEqual({ status: 0, out: "", errors: "" });
});

test.each([
  ["nothing", "\u0004", []],
  ["an event", '{"id":1}\n\u0004', ['{"id":1,"echo":{"id":1}}']],
  ["two events", '1\n{"id":2}\n\u0004', ['{"id":null,"echo":1}', '{"id":2,"echo":{"id":2}}']],
])(
  "a terminal on which %s is typed has as many events, and is said to be read",
  async (_, typed, responses) => {
    const driver = join(import.meta.dir, "..", "testing", "at-terminal.py");
    const child = Bun.spawn(["python3", driver, typed, ...toolCommand(["run", ...SCRIPTED])], {
      env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const { status, out, errors } = await outputOf(child);
    expect([status, errors]).toEqual([0, "reading events from the terminal, Ctrl-D to end\n"]);
    // The terminal shows what is typed too.
    expect(out.split("\r\n").filter((line) => line.includes("echo"))).toEqual([...responses]);
  },
);

test("a line without end is not kept beyond the size of an event", async () => {
  const child = Bun.spawn([...toolCommand(["run", ...SCRIPTED])], {
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const piece = new Uint8Array(1024 * 1024).fill(0x20);
  for (let at = 0; at < 512; at += 1) {
    child.stdin.write(piece);
    await child.stdin.flush();
  }
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  child.stdin.end();
  expect(await child.exited).toBe(1);
  expect(await new Response(child.stderr).text()).toContain("event of 536870912 bytes exceeds");
  expect(Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1])).toBeLessThan(350_000);
});

test("what is not JSON is printed as it is, in the envelope as a string", async () => {
  const event = '{"do":"body","text":"hello"}\n';
  expect(await run(event)).toMatchObject({ status: 0, out: "hello\n" });
  expect((await run(event, "--envelope", "refunc")).out).toBe(
    '{"payload":"hello","ContentType":"application/json"}\n',
  );
});

test("a function error ends in status 1, a crash in 4, a time-out in 3; all lines are run", async () => {
  const failed = await run('{"do":"error"}\n{"id":2}\n');
  expect(failed.status).toBe(1);
  expect(failed.out).toBe(
    '{"errorType":"Asked","errorMessage":"to fail"}\n{"id":2,"echo":{"id":2}}\n',
  );
  expect(failed.errors).toMatch(/^error: Asked after \d+ ms: to fail\n$/);
  const crashed = await run('{"do":"exit","status":3}\n{"id":2}\n');
  expect(crashed.status).toBe(4);
  expect(crashed.errors).toMatch(/^error: Runtime\.ExitError after \d+ ms: exit status 3\n$/);
  const late = await run('{"do":"hang"}\n{"id":2}\n', "--timeout", "300ms");
  expect(late.status).toBe(3);
  expect(late.errors).toStartWith("error: function timed out after 0.30 s (Sandbox.Timedout)\n");
  expect(late.out.trimEnd().split("\n").length).toBe(2);
  expect((await run('{"do":"error"}\n', "--no-fail")).status).toBe(0);
});

test("a time-out names what our own runtime's handler was running, and nothing of the runtime", async () => {
  const folder = functionFolder({ "function.sh": "handler() { sleep 30; }" });
  const late = await tool(["run", folder, "--timeout", "1"], { input: "{}" });
  const running = late.errors.split("\n").filter((line) => line.includes("still running"));
  expect(running).toEqual([
    expect.stringMatching(
      /^ {2}still running when killed: sleep 30 \(pid \d+\), child of handler$/,
    ),
  ]);
});

test("an event of 6 MiB and a byte is an error, one of 6 MiB is run", async () => {
  const event = (bytes: number) => `"${"x".repeat(bytes - 2)}"\n`;
  const large = await run(event(EVENT_BYTES_MAX + 1));
  expect(large).toMatchObject({ status: 1, out: "" });
  expect(large.errors).toBe(
    "error: line 1: event of 6291457 bytes exceeds the maximum of 6291456 bytes\n",
  );
  expect(await run(event(EVENT_BYTES_MAX))).toMatchObject({ status: 0 });
});

test("documents over several lines are found, and responses with line feeds made one line", async () => {
  const pretty = '{\n  "id": 1\n}\n[2]\n';
  expect((await run(pretty)).out.trimEnd().split("\n").length).toBe(2);
  const { out } = await run('{"do":"body","text":"{\\n \\"a b\\": [1.0,\\n2]}"}\n');
  expect(out).toBe('{"a b":[1.0,2]}\n');
  expect(
    (await run('{"id":1}\0{"id":2}\0', "--framing", "nul")).out.trimEnd().split("\n").length,
  ).toBe(2);
});

test("the envelope and the ids of refunc's runner", async () => {
  const options = ["--envelope", "refunc"];
  const { out, status } = await run('{}\n{"do":"error"}\n{"do":"empty"}\n', ...options);
  expect(out.split("\n")).toEqual([
    '{"payload":{"id":null,"echo":{}},"ContentType":"application/json"}',
    '{"error":{"errorMessage":"to fail","errorType":"Function.Asked","fatal":false},"ContentType":"application/json"}',
    '{"ContentType":"application/json"}',
    "",
  ]);
  expect(status).toBe(1);
  const headers = await run('{"do": "headers"}\n', ...options);
  const id = JSON.parse(headers.out).payload["lambda-runtime-aws-request-id"];
  expect(id).toBe(new Bun.CryptoHasher("md5").update('{"do": "headers"}').digest("hex"));
});

test("the function's own output stays off standard output", async () => {
  const { out, errors } = await run('{"do":"log","text":"noise"}\n');
  expect(out).toBe('{"id":null,"echo":{"do":"log","text":"noise"}}\n');
  expect(errors).toBe("noise\n");
});

test("variables come from --env, --env-file and lambda-shell.toml, and none from us", async () => {
  const folder = functionFolder({
    "function.sh": "",
    ".env": "FROM_FILE='two words'\n",
    "lambda-shell.toml": '[function.probe]\ntimeout = 7\nenv = { FROM_TOML = "yes" }\n',
  });
  const { out } = await tool(
    [
      "run",
      folder,
      "--env",
      "GIVEN=1=2",
      "--env",
      "COPIED",
      "--env-file",
      `${folder}/.env`,
      ...SCRIPTED,
    ],
    { input: '{"do":"environment"}', environment: { COPIED: "ours", OTHER: "hidden" } },
  );
  const seen = JSON.parse(out);
  expect(seen).toMatchObject({
    GIVEN: "1=2",
    COPIED: "ours",
    FROM_FILE: "two words",
    FROM_TOML: "yes",
  });
  expect(seen.OTHER).toBeUndefined();
});

test("a bootstrap that never starts is an error for each event, not a hang", async () => {
  const { status, out } = await tool(["run", "--", "/bin/false"], { input: "{}\n{}\n" });
  expect(status).toBe(4);
  expect(
    out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).errorType),
  ).toEqual(["Runtime.ExitError", "Runtime.ExitError"]);
});

test("when nobody reads any more, everything ends, without a word", async () => {
  const entry = join(import.meta.dir, "..", "lambda-shell.ts");
  const child = Bun.spawn([process.execPath, entry, "run", ...SCRIPTED], {
    stdin: new Blob(['{"do":"pid"}\n', '{"id":1}\n'.repeat(500)]),
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env["PATH"] ?? "" },
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const pid = Number.parseInt(Buffer.from(value ?? []).toString(), 10);
  await reader.cancel();
  expect(await child.exited).toBe(141);
  expect(await new Response(child.stderr).text()).toBe("");
  while (existsSync(`/proc/${pid}/cmdline`)) await Bun.sleep(5);
});

test.each([
  [`echo "greeting"; printf '{"a":%s}' "$1"`, '"greeting"'],
  ["echo one; echo two; echo '[1]'", '"one" and 1 more line'],
  [`echo 'a "quoted" line'; printf '{\\n"a": 1\\n}\\n'`, '"a \\"quoted\\" line"'],
])(
  "run and invoke warn of lines that stand before the JSON of a response: %s",
  async (script, shown) => {
    const folder = functionFolder({ "function.sh": `handler() { ${script}; }\n` });
    const warning = `warning: handler wrote to stdout before its JSON payload (${shown})\n`;
    const ran = await tool(["run", folder, ...CURL_LOOP], { input: "1" });
    expect(ran.status).toBe(0);
    expect(ran.errors).toContain(warning);
    const once = ["invoke", "--dir", folder, "--bootstrap", CURL_LOOP[1] ?? "", "-d", "1"];
    expect((await tool(once)).errors).toContain(warning);
  },
);

test.each([
  ["without a function", "x".repeat(5000)],
  ["of a function", `function.${"x".repeat(5000)}`],
])(
  "a handler's name that is too long for a file, %s, is refused with the runtime's words",
  async (_, name) => {
    const folder = functionFolder({ "function.sh": "handler() { :; }\n" });
    const { status, errors } = await tool(["run", `--handler=${name}`, folder], { input: "{}" });
    expect(status).toBe(4);
    expect(errors).toMatch(/^error: Runtime\.(MalformedHandlerName|HandlerNotFound): /m);
    expect(errors).not.toContain("ENAMETOOLONG");
    expect(errors).not.toContain("Bun v");
  },
);

test("SIGTERM ends a command that waits for a pipe with the event", async () => {
  const folder = functionFolder({ "function.sh": "handler() { :; }\n" });
  const pipe = join(folder, "pipe");
  Bun.spawnSync(["mkfifo", pipe]);
  for (const words of [
    ["run", folder, "--event-file", pipe],
    ["invoke", "--dir", folder, "-f", pipe],
  ]) {
    const child = Bun.spawn([...toolCommand(words)], { stdin: "ignore", stderr: "ignore" });
    await Bun.sleep(1_000);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
  }
});
