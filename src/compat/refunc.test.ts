/** The rules of refunc's runner; layer/PRIOR-SYSTEMS.md lists them. */

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { CURL_LOOP, functionFolder, SCRIPTED, tool } from "../testing/running-tool.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const REFUNC = ["run", "--compat", "refunc"];

async function refunc(
  events: string,
  environment: Readonly<Record<string, string>> = {},
  ...options: readonly string[]
) {
  const result = await tool([...REFUNC, ...options, ...SCRIPTED], { input: events, environment });
  const lines = result.out.split("\n").slice(0, -1);
  return { ...result, lines: lines.map((line) => JSON.parse(line)) };
}

const variables = async (environment: Record<string, string>, ...options: readonly string[]) =>
  (await refunc('{"do":"environment"}\n', environment, ...options)).lines[0].payload as Record<
    string,
    string
  >;

test("nothing to run, or nothing of that name, is an error and no event is read", async () => {
  const empty = functionFolder({ "function.sh": "" });
  const missing = await tool([...REFUNC, empty, "--bootstrap", "/no/such/bootstrap"], {
    input: "{}\n",
  });
  expect(missing.status).toBe(4);
  expect(JSON.parse(missing.out).error.errorType).toBe("Runtime.InvalidEntrypoint");
  const unknown = await tool([...REFUNC, "--", "no-such-command"], { input: "{}\n" });
  expect(unknown).toMatchObject({
    status: 2,
    errors: "error: command not found: no-such-command\n",
  });
  const misplaced = await tool([...REFUNC, SCRIPTED[1] ?? ""], { input: "{}\n" });
  expect(misplaced).toMatchObject({
    status: 2,
    errors:
      `error: not a folder: ${SCRIPTED[1]}\n` +
      `  put the bootstrap command after --: -- ${SCRIPTED[1]}\n`,
  });
});

test("the variables of refunc's runner, where the caller has none", async () => {
  const seen = await variables({});
  expect(seen).toMatchObject({
    AWS_REGION: "us-east-1",
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "AKIAIOSFODNN7EXAMPLE",
    AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    AWS_SESSION_TOKEN: "vSWpwYklseDFNREF6WlNKZExDSnpkV0p6",
    AWS_LAMBDA_FUNCTION_NAME: "refunc",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/refunc",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1536",
    AWS_LAMBDA_FUNCTION_TIMEOUT: "30",
  });
  expect(seen["AWS_LAMBDA_LOG_STREAM_NAME"]).toMatch(
    /^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/,
  );
  expect(Number(seen["AWS_ACCOUNT_ID"])).toBeWithin(0, 2 ** 31);
});

test("REFUNC_* stand in for credentials that the caller does not have", async () => {
  const ours = {
    REFUNC_ACCESS_KEY: "key",
    REFUNC_SECRET_KEY: "secret",
    REFUNC_TOKEN: "token",
    AWS_LAMBDA_FUNCTION_NAME: "named",
    AWS_LAMBDA_FUNCTION_HANDLER: "lambda_function.lambda_handler",
    _HANDLER: "not.this",
  };
  expect(await variables(ours)).toMatchObject({
    AWS_ACCESS_KEY_ID: "key",
    AWS_SECRET_ACCESS_KEY: "secret",
    AWS_SESSION_TOKEN: "token",
    AWS_LAMBDA_FUNCTION_NAME: "named",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/named",
    _HANDLER: "lambda_function.lambda_handler",
  });
  const callers = { AWS_ACCESS_KEY_ID: "mine", AWS_SECRET_ACCESS_KEY: "own" };
  const { REFUNC_TOKEN: _token, ...withoutToken } = ours;
  const seen = await variables({ ...withoutToken, ...callers });
  expect(seen).toMatchObject(callers);
  // A made-up token would spoil a key that works.
  expect(seen["AWS_SESSION_TOKEN"]).toBeUndefined();
  expect(await variables(ours, "--env", "AWS_SESSION_TOKEN=given")).toMatchObject({
    AWS_SESSION_TOKEN: "given",
  });
});

test("the headers of /next, ids and namespace included", async () => {
  const { lines } = await refunc('{"do":"headers"}\n', { REFUNC_NAMESPACE: "team" });
  const headers = lines[0].payload;
  expect(headers).toMatchObject({
    "content-type": "application/json",
    "lambda-runtime-aws-request-id": "c8de3025f5e7710245d7f2d48ef7a3d1",
    "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:team:function:refunc",
  });
  const left = Number(headers["lambda-runtime-deadline-ms"]) - Date.now();
  expect(left).toBeWithin(5_000, 30_001);
  const other = await refunc('{"do":"headers"}\n');
  expect(other.lines[0].payload["lambda-runtime-invoked-function-arn"]).toBe(
    "arn:aws:lambda:us-east-1:refunc:function:refunc",
  );
});

test.each([
  ["{}", "99914b932bd37a50b983c5e7c90ae93b"],
  ['{"error": "Got error"}', "6c73b21e81614a39b09c72bfb39dca0e"],
  ['{"name":"Arvin"}', "4b2c4b79a5921414535765721e758b49"],
])("the request id of %s is %s", async (line, id) => {
  const folder = functionFolder({ "function.sh": "handler() { printf '%s' \"$request_id\"; }\n" });
  const { out } = await tool([...REFUNC, folder, ...CURL_LOOP], { input: `${line}\n` });
  expect(JSON.parse(out).payload).toBe(id);
});

test("an error of the expected form is accepted, and the header names its type", async () => {
  const error = { errorMessage: "Got error", errorType: "ValueError", stackTrace: ["line 1"] };
  const event = { do: "told-error", text: JSON.stringify(error) };
  // What it is told reaches the log while it works on the second event.
  const plain = await refunc(`${JSON.stringify(event)}\n{"id":2}\n`);
  expect(plain.out).toStartWith(
    '{"error":{"errorMessage":"Got error","errorType":"ValueError","stackTrace":["line 1"],"fatal":false},"ContentType":"application/json"}\n',
  );
  expect(plain.errors).toContain('told: 202 {"status":"OK"}\n');
  const headers = { "Lambda-Runtime-Function-Error-Type": "Unhandled" };
  const named = await refunc(`${JSON.stringify({ ...event, headers })}\n`);
  expect(named.lines[0].error.errorType).toBe("Unhandled");
});

test.each([
  ["no JSON at all", "SyntaxError", /^JSON Parse error: .*: no JSON at all$/],
  ["", "SyntaxError", /^JSON Parse error: Unexpected EOF: $/],
  ['["list"]', "UnmarshalTypeError", /^the error is not a JSON object: \["list"\]$/],
  ['{"errorMessage":5}', "UnmarshalTypeError", /^errorMessage is not a string: /],
  ['{"errorType":{}}', "UnmarshalTypeError", /^errorType is not a string: /],
  ['{"stackTrace":"x"}', "UnmarshalTypeError", /^stackTrace is not an array: /],
])("the error %j gets status 299, and is told as %s", async (text, type, message) => {
  const { lines, errors, status } = await refunc(
    `${JSON.stringify({ do: "told-error", text })}\n{"id":2}\n`,
  );
  expect(errors).toContain('told: 299 {"status":"InvalidErrorShape"}\n');
  expect(lines[0].error).toEqual({
    errorMessage: expect.stringMatching(message),
    errorType: type,
    fatal: false,
  });
  expect(lines[1].payload.id).toBe(2);
  expect(status).toBe(1);
});

test("without the envelope an error of any form is accepted as on Lambda", async () => {
  // What it is told reaches the log while it works on the second event.
  const input = '{"do":"told-error","text":"no JSON"}\n{"id":2}\n';
  const { out, errors } = await tool(["run", ...SCRIPTED], { input });
  expect(out).toStartWith("no JSON\n");
  expect(errors).toContain('told: 202 {"status":"OK"}\n');
});

test("an init error is the outcome of the event, and fatal", async () => {
  const { lines, status } = await refunc("{}\n", { _HANDLER: "init-error" });
  expect(lines).toEqual([
    {
      error: {
        errorMessage: "no such thing",
        errorType: "Runtime.NoSuchHandler",
        fatal: true,
      },
      ContentType: "application/json",
    },
  ]);
  expect(status).toBe(4);
});

test("lines in, lines out: empty, invalid, spaced, and with characters of HTML", async () => {
  const body = '{ "a": [1.0, "<>&\u2028"] }';
  const event = JSON.stringify({ do: "body", text: body });
  const { out, errors, status } = await refunc(`\nnope\n${event}\n{"do":"empty"}\n`);
  expect(out.split("\n")).toEqual([
    '{"payload":{"id":null,"echo":{}},"ContentType":"application/json"}',
    '{"payload":{"a":[1.0,"<>&\u2028"]},"ContentType":"application/json"}',
    '{"ContentType":"application/json"}',
    "",
  ]);
  expect(errors).toStartWith("error: line 2: invalid JSON: ");
  expect(status).toBe(0);
});

test("ContentType is what the bootstrap said, as curl says it", async () => {
  const folder = functionFolder({ "function.sh": "handler() { printf '{\"ok\": 1}'; }\n" });
  const { out } = await tool([...REFUNC, folder, ...CURL_LOOP], { input: "{}\n" });
  expect(out).toBe('{"payload":{"ok":1},"ContentType":"application/x-www-form-urlencoded"}\n');
});

test("-f: name, namespace, variables, time and credentials of a definition", async () => {
  const file = join(temporaryFolder("refunc"), "function.json");
  const definition = {
    metadata: { name: "defined", namespace: "team", labels: {} },
    spec: {
      body: "",
      runtime: {
        name: "python",
        timeout: 7,
        envs: { _HANDLER: "module.main", PLAIN: "a$b", HOME_OF: "$OURS/${OURS}", NONE: "$ABSENT" },
        credentials: { accessKey: "ak", secretKey: "sk", token: "tk" },
        permissions: {},
      },
    },
  };
  writeFileSync(file, JSON.stringify(definition));
  const seen = await variables({ OURS: "x", REFUNC_ACCESS_KEY: "unused" }, "-f", file);
  expect(seen).toMatchObject({
    _HANDLER: "module.main",
    PLAIN: "a$b",
    HOME_OF: "x/x",
    AWS_LAMBDA_FUNCTION_NAME: "defined",
    AWS_LAMBDA_FUNCTION_TIMEOUT: "7",
    AWS_ACCESS_KEY_ID: "ak",
    AWS_SECRET_ACCESS_KEY: "sk",
    AWS_SESSION_TOKEN: "tk",
  });
  expect(seen["NONE"]).toBeUndefined();
  const { lines } = await refunc('{"do":"headers"}\n', {}, "--function", file);
  expect(lines[0].payload["lambda-runtime-invoked-function-arn"]).toBe(
    "arn:aws:lambda:us-east-1:team:function:defined",
  );
  for (const [text, complaint] of [
    [
      '{"metadata":\n  {"name":5}}',
      ":2:11: metadata.name: Invalid input: expected string, received number",
    ],
    ["\n[]", ":2:1: Invalid input: expected object, received array"],
    [
      '{\n  "spec": {},\n}',
      ':3:1: not JSON: expected the name of a member in double quotes, got "}"',
    ],
    ["", ":1:1: not JSON: expected a value, got the end"],
  ]) {
    writeFileSync(file, text ?? "");
    const wrong = await tool([...REFUNC, "-f", file, ...SCRIPTED]);
    expect([wrong.status, wrong.errors]).toEqual([2, `error: --function ${file}${complaint}\n`]);
  }
  writeFileSync(file, '\ufeff{"metadata":{"name":"marked"}}');
  expect((await tool([...REFUNC, "-f", file, ...SCRIPTED], { input: "{}" })).status).toBe(0);
  const absent = await tool([...REFUNC, "-f", `${file}.no`, ...SCRIPTED]);
  expect(absent.errors).toContain("no such file or folder");
});

test.each([
  ['{"errorMessage":"late","errorType":"Late"}', { errorMessage: "late", errorType: "Late" }],
  ["{}", { errorMessage: "" }],
  ["no JSON", { errorMessage: "no JSON" }],
  ["null", { errorMessage: "null" }],
  ['["a"]', { errorMessage: '["a"]' }],
  ['"text"', { errorMessage: '"text"' }],
])("an error at the end of a stream (%s) is a line as any other", async (error, told) => {
  const { lines, status } = await refunc(`${JSON.stringify({ do: "stream-error", error })}\n`);
  expect(lines).toEqual([{ error: { ...told, fatal: false }, ContentType: "application/json" }]);
  expect(status).toBe(1);
});

test.each(["SIGINT", "SIGTERM"] as const)("%s ends the bootstrap with us", async (signal) => {
  const entry = join(import.meta.dir, "..", "lambda-shell.ts");
  const child = Bun.spawn([process.execPath, entry, ...REFUNC, ...SCRIPTED], {
    stdin: new Blob(['{"do":"pid"}\n{"do":"hang"}\n']),
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env["PATH"] ?? "" },
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const pid: number = JSON.parse(Buffer.from(value ?? []).toString()).payload;
  child.kill(signal);
  expect(await child.exited).toBe(signal === "SIGINT" ? 130 : 143);
  expect(await new Response(child.stderr).text()).toBe("");
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});
