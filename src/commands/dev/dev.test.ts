import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import {
  CURL_LOOP,
  functionFolder,
  SCRIPTED,
  startTool,
  tool,
} from "../../testing/running-tool.ts";

const DEV = ["dev", "--port", "0"];
const hello = (word: string) => `handler() { printf '{"message":"${word}"}'; }\n`;
const INVOKE = "/2015-03-31/functions/probe/invocations";

const invoke = async (url: string) =>
  (await fetch(url + INVOKE, { method: "POST", body: "{}" })).text();

test("dev serves, says where, and reloads what has changed", async () => {
  const folder = functionFolder({ "function.sh": hello("one") });
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  const { url } = dev;
  expect(dev.errors()).toContain(`  Function URL   ${url}/\n  Invoke API     ${url}${INVOKE}\n`);
  expect(dev.errors()).toContain(`  AWS CLI        export AWS_ENDPOINT_URL_LAMBDA=${url}\n`);
  expect(dev.errors()).toMatch(/watching 1 file · 1 worker ready in \d+ ms/);
  expect(await invoke(url)).toBe('{"message":"one"}');
  // It ends when the runtime asks for the next one, which is after the response.
  await dev.logged(" MB\n");
  expect(dev.errors()).toMatch(
    /START [0-9a-f]{4}… worker 1 cold\nEND {3}[0-9a-f]{4}… [\d.]+ ms {2}\d+\/128 MB\n/,
  );
  writeFileSync(join(folder, "function.sh"), hello("two"));
  await dev.logged("~ function.sh changed · worker 1 restarted (");
  expect(await invoke(url)).toBe('{"message":"two"}');
  writeFileSync(join(folder, "function.sh"), "handler() {\n");
  await dev.logged(
    "~ function.sh changed · syntax error, still running the previous version\n  function.sh: ",
  );
  expect(await invoke(url)).toBe('{"message":"two"}');
  expect(await dev.stop("SIGINT")).toBe(0);
});

test.each([
  [["--format", "rest"], "REST API       URL/"],
  [["--format", "http-api-v2"], "HTTP API       URL/"],
  [["--format", "cloudevents"], "CloudEvents    URL/"],
  [["--route", "GET /x=probe"], "HTTP API       URL/lambda-url/probe/"],
  [[], "Function URL   URL/"],
])("with %j dev calls its address what it is", async (options, line) => {
  const template = `Resources:
  Probe:
    Type: AWS::Serverless::Function
    Properties: { FunctionName: probe, Runtime: provided.al2, Handler: function.handler }
`;
  const folder = functionFolder({ "function.sh": hello("one"), "template.yaml": template });
  const from = ["--template", join(folder, "template.yaml")];
  await using dev = await startTool([...DEV, folder, ...from, ...options, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  expect(dev.errors()).toContain(`\n  ${line.replace("URL/", `${dev.url}/`)}\n`);
  expect(dev.errors()).toContain("probe  (function.handler, provided.al2, 128 MB, 3 s)\n");
});

test("an event that runs during a reload ends with the version that it began with", async () => {
  const slow = (word: string) => `handler() { sleep 0.6; printf '${word}'; }\n`;
  const folder = functionFolder({ "function.sh": slow("old") });
  await using dev = await startTool([...DEV, folder, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  const running = invoke(dev.url);
  await dev.logged("START ");
  writeFileSync(join(folder, "function.sh"), slow("new"));
  expect(await running).toBe("old");
  await dev.logged("restarted (");
  expect(await invoke(dev.url)).toBe("new");
});

test("dev starts workers while events would wait, and reloads all of them", async () => {
  const slow = (word: string) => `handler() { sleep 0.3; echo told >&2; printf '${word}'; }\n`;
  const folder = functionFolder({ "function.sh": slow("old") });
  await using dev = await startTool([...DEV, folder, "--workers", "1:3", ...CURL_LOOP]);
  await dev.logged("1 worker ready");
  await dev.logged("Ctrl-C to stop");
  const responses = await Promise.all(Array.from({ length: 6 }, () => invoke(dev.url)));
  expect(responses).toEqual(Array.from({ length: 6 }, () => "old"));
  expect(dev.errors()).toMatch(/START [0-9a-f]{4}… worker 3 cold\n/);
  expect(dev.errors()).toContain("\n  3 | told\n");
  expect(dev.errors()).not.toContain("worker 4");
  writeFileSync(join(folder, "function.sh"), slow("new"));
  await dev.logged("~ function.sh changed · 3 workers restarted (");
  expect(await invoke(dev.url)).toBe("new");
});

test("dev serves several functions, each under its name", async () => {
  const folders = ["hello", "resize"].map((name) =>
    functionFolder({ "function.sh": hello(name) }, name),
  );
  await using dev = await startTool([...DEV, ...folders, ...CURL_LOOP]);
  await dev.logged("Ctrl-C to stop");
  for (const name of ["hello", "resize"]) {
    const { out, status } = await tool(["invoke", name, "--url", dev.url]);
    expect([status, out]).toEqual([0, `{"message":"${name}"}`]);
  }
  expect(await (await fetch(`${dev.url}/lambda-url/resize/`)).text()).toBe('{"message":"resize"}');
  for (const path of ["/lambda-url/helo", "/lambda-url/helo/x?y=1"]) {
    const response = await fetch(dev.url + path);
    expect([response.status, await response.text()]).toEqual([
      404,
      'function "helo" not found\n  available: hello, resize\n',
    ]);
  }
  const unknown = await tool(["invoke", "helo", "--url", dev.url]);
  expect(unknown).toMatchObject({
    status: 2,
    errors:
      'error: function "helo" not found (404)\n  available: hello, resize       did you mean "hello"?\n',
  });
});

test("the Function URL says why a body is base64, and what REST needs", async () => {
  await using dev = await startTool([...DEV, functionFolder({ "function.sh": "" }), ...SCRIPTED]);
  await dev.logged("Ctrl-C to stop");
  const type = { "content-type": "application/x-www-form-urlencoded" };
  await fetch(dev.url, { method: "POST", body: '{"name":"Ada"}', headers: type });
  await dev.logged(
    "hint: body arrived base64-encoded because Content-Type is application/x-www-form-urlencoded, as on AWS.\n" +
      "      send -H 'content-type: application/json' or decode with: jq -r '.body|@base64d'\n",
  );
});

test("invoke: output, exit statuses, errors of a server", async () => {
  const folder = functionFolder({ "function.sh": "" });
  await using dev = await startTool([...DEV, folder, "--timeout", "1", ...SCRIPTED]);
  await dev.logged("Ctrl-C to stop");
  const send = (event: string, ...options: readonly string[]) =>
    tool(["invoke", "--url", dev.url, "-d", event, ...options]);
  const ok = await send('{"id":1}');
  expect([ok.status, ok.out]).toEqual([0, '{"id":1,"echo":{"id":1}}']);
  expect(ok.errors).toMatch(/^200 · [\d.]+ ms · init \d+ ms · \d+ MB\n$/);
  expect((await send('{"id":1}', "-o", "json")).out).toBe(
    '{\n  "id": 1,\n  "echo": {\n    "id": 1\n  }\n}\n',
  );
  expect((await send('{"do":"log","text":"told"}', "--tail")).errors).toStartWith("told\n");
  expect(await send('{"do":"error"}')).toMatchObject({ status: 1 });
  expect(await send('{"do":"error"}', "--no-fail")).toMatchObject({ status: 0 });
  const crashed = await send('{"do":"exit","status":127}');
  expect(crashed.status).toBe(4);
  expect(crashed.errors).toMatch(
    /^error: Runtime\.ExitError after \d+ ms: exit status 127\n {2}127 means a command was not found: .* PATH inside the function: \S+\n$/,
  );
  const late = await send('{"do":"hang"}');
  expect(late.status).toBe(3);
  expect(late.errors).toStartWith("error: function timed out after 1.00 s (Sandbox.Timedout)\n");
  expect(await send("{}", "--event")).toMatchObject({
    status: 0,
    errors: "202 · accepted, the function runs in the background\n",
  });
  expect((await send("{}", "--repeat", "20", "--parallel", "4")).errors).toMatch(
    /^20 ok · 0 failed · p50 [\d.]+ ms · p95 [\d.]+ ms · max [\d.]+ ms · \d+ cold starts · \d+ req\/s\n$/,
  );
  const warning = await send('{"do":"body","text":"greeting Ada\\n{\\"a\\":1}\\n"}');
  expect(warning.errors).toStartWith("warning: handler wrote to stdout before its JSON payload");
});

test("invoke without a server runs the function once", async () => {
  const folder = functionFolder({ "function.sh": hello("once") });
  const bootstrap = CURL_LOOP[1] ?? "";
  const nowhere = { AWS_ENDPOINT_URL_LAMBDA: "http://127.0.0.1:1" };
  const named = await tool(["invoke", "-d", "{}"], { cwd: folder, environment: nowhere });
  expect(named.status).toBe(5);
  expect(named.errors).toStartWith("error: no server at http://127.0.0.1:1: ");
  const once = await tool(["invoke", "--dir", folder, "--bootstrap", bootstrap]);
  expect([once.status, once.out]).toEqual([0, '{"message":"once"}']);
});

test("init, check and package make a zip that is the same twice", async () => {
  const parent = functionFolder({ "x/.keep": "" });
  const made = await tool(["init", "hello"], { cwd: parent });
  expect(made).toMatchObject({
    status: 0,
    errors:
      "created function.sh  event.json  tests/greets.json  template.yaml\nnext: cd hello && lambda-shell dev\n",
  });
  expect((await tool(["init", "hello"], { cwd: parent })).status).toBe(2);
  const cwd = join(parent, "hello");
  expect((await tool(["check"], { cwd })).status).toBe(0);
  const first = await tool(["package"], { cwd });
  expect([first.status, first.out]).toEqual([0, `${join(cwd, "hello.zip")}\n`]);
  expect(first.errors).toMatch(/^\d+ bytes, CodeSha256 [A-Za-z0-9+/]{43}=\n$/);
  const second = await tool(["package", "-o", "/dev/null"], {
    cwd,
    environment: { TZ: "Asia/Tokyo" },
  });
  expect(second.errors).toBe(`${first.errors}left out: hello.zip\n`);
  const listed = Bun.spawnSync([
    "python3",
    "-m",
    "zipfile",
    "-l",
    join(cwd, "hello.zip"),
  ]).stdout.toString();
  expect(listed).toMatch(/event\.json +1980-01-01.*\nfunction\.sh +1980-01-01.*\ntemplate\.yaml /);
  writeFileSync(join(cwd, "function.sh"), "handler() {\n");
  expect((await tool(["package", "-o", "broken.zip"], { cwd })).status).toBe(1);
  expect(existsSync(join(cwd, "broken.zip"))).toBe(false);
  const template = await Bun.file(join(cwd, "template.yaml")).text();
  expect(template).toContain('FunctionName: "hello"\n');
});

test("help reads on 80 columns, without a line or a command that is broken early", async () => {
  const pages = [
    ...["", "run", "serve", "invoke", "dev", "package", "check", "test", "init", "events"],
    "completion",
  ];
  for (const page of pages) {
    const { out, status } = await tool([...(page === "" ? [] : [page]), "--help"]);
    expect(status).toBe(0);
    expect(out).toStartWith(`Usage: lambda-shell ${page}`);
    const lines = out.split("\n");
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    const description = lines.slice(
      1,
      lines.findIndex((line) => /^(Arguments|Options):/.test(line)),
    );
    const broken = description.filter((line, at) => {
      const next = description[at + 1] ?? "";
      if (line === "" || next === "" || next.startsWith(" ")) return false;
      if (line.startsWith(" ")) return true;
      const [word = ""] = next.split(" ");
      return `${line} ${word}`.length <= 80 && !/[.:;]$/.test(line);
    });
    expect(broken).toEqual([]);
  }
});
