/**
 * AWS's own callers, unmodified, against this host: the aws command, boto3, the SDK for JavaScript.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import {
  GetFunctionCommand,
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  LambdaClient,
  ListFunctionsCommand,
  ResourceNotFoundException,
  TooManyRequestsException,
} from "@aws-sdk/client-lambda";

import { serveFunction } from "../../testing/host/running-host.ts";
import { functionFolder, outputOf, startTool, tool } from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";
import { AWS_CLI, PYTHON } from "./programs.ts";

const BOTO3_CALLER = join(import.meta.dir, "boto3-caller.py");

function sdk(endpoint: string): LambdaClient {
  const credentials = { accessKeyId: "x", secretAccessKey: "x" };
  return new LambdaClient({ endpoint, region: "us-east-1", credentials, maxAttempts: 1 });
}

async function shell(script: string, endpoint: string, cwd: string, version: "v1" | "v2" = "v2") {
  const { command, environment } = AWS_CLI[version];
  const child = Bun.spawn(["bash", "-euc", `aws() { ${command} "$@"; }\n${script}`], {
    cwd,
    env: { ...environment, AWS_ENDPOINT_URL_LAMBDA: endpoint },
    stdout: "pipe",
    stderr: "pipe",
  });
  return outputOf(child);
}

const SCRIPT_FOR_AWS = `
  aws --version >&2
  FUNCTION_NAME=$(aws lambda list-functions | jq -r '.Functions[0].FunctionName')
  aws lambda invoke --function-name $FUNCTION_NAME response.json
`;

test.each(["v1", "v2"] as const)(
  "aws %s: a script that was written for AWS runs as it is in a folder that `dev` serves",
  async (version) => {
    const folder = functionFolder({ "function.sh": 'handler() { printf \'{"got":%s}\' "$1"; }\n' });
    await using dev = await startTool(["dev", "--port", "0"], { cwd: folder });
    const { status, out, errors } = await shell(SCRIPT_FOR_AWS, dev.url, folder, version);
    expect(errors).toStartWith(`aws-cli/${version.slice(1)}.`);
    expect({ status, errors: errors.replace(/^aws-cli.*\n/, "") }).toEqual({
      status: 0,
      errors: "",
    });
    expect(JSON.parse(out)).toEqual({ StatusCode: 200, ExecutedVersion: "$LATEST" });
    expect(readFileSync(join(folder, "response.json"), "utf8")).toBe('{"got":{}}');
  },
);

test("invoke --remote: event, error, log, qualifier and a name that is not there", async () => {
  await using served = await serveFunction();
  const { environment } = AWS_CLI.v1;
  const remote = (...options: readonly string[]) =>
    tool(["invoke", "--remote", ...options], {
      environment: {
        ...environment,
        PATH: `${dirname(AWS_CLI.v1.command)}:${environment.PATH}`,
        AWS_ENDPOINT_URL_LAMBDA: served.url,
      },
    });
  const ok = await remote("probe", "-d", '{"id":"é"}');
  expect([ok.status, ok.out]).toEqual([0, '{"id":"é","echo":{"id":"é"}}']);
  expect(ok.errors).toMatch(/^200 · [\d.]+ ms( · init \d+ ms)? · \d+ MB\n$/);
  const told = await remote("probe", "-d", '{"do":"log","text":"told"}', "--tail");
  expect(told.errors).toStartWith("told\n");
  expect(await remote("probe", "-d", '{"do":"error"}')).toMatchObject({ status: 1 });
  expect(await remote("probe", "--event")).toEqual({
    status: 0,
    out: "",
    errors: "202 · accepted, the function runs in the background\n",
  });
  const context = await remote("probe:live", "--client-context", '{"a":1}', "-o", "headers");
  expect(context.out).toContain("x-amz-executed-version: ");
  const unknown = await remote("helo");
  expect([unknown.status, unknown.out]).toEqual([2, ""]);
  expect(unknown.errors).toStartWith("error: An error occurred (ResourceNotFoundException)");
  const nowhere = await tool(["invoke", "probe", "--remote"], {
    environment: {
      ...environment,
      PATH: `${dirname(AWS_CLI.v1.command)}:${environment.PATH}`,
      AWS_ENDPOINT_URL_LAMBDA: "http://127.0.0.1:1",
    },
  });
  expect(nowhere.status).toBe(5);
  expect(nowhere.errors).toBe(
    'error: Could not connect to the endpoint URL: "http://127.0.0.1:1/2015-03-31/functions/probe/invocations"\n',
  );
});

test("aws v2: payload, log tail, function error, unknown function", async () => {
  await using served = await serveFunction();
  const folder = temporaryFolder("compat");
  const invoke = "aws lambda invoke --function-name probe --log-type Tail out.json --payload";
  const logged = await shell(
    `${invoke} '{"do":"log","text":"hello log"}' --cli-binary-format raw-in-base64-out`,
    served.url,
    folder,
  );
  const { LogResult, StatusCode } = JSON.parse(logged.out);
  expect(StatusCode).toBe(200);
  expect(Buffer.from(LogResult, "base64").toString()).toMatch(
    /^START RequestId: (\S+) Version: \$LATEST\nhello log\nEND RequestId: \1\nREPORT RequestId: \1\tDuration: /,
  );
  const base64 = Buffer.from('{"do":"error"}').toString("base64");
  const failed = await shell(`${invoke} ${base64}`, served.url, folder);
  expect(JSON.parse(failed.out)).toMatchObject({ StatusCode: 200, FunctionError: "Unhandled" });
  const unknown = await shell("aws lambda get-function --function-name nobody", served.url, folder);
  expect(unknown.errors).toContain("(ResourceNotFoundException)");
  expect(unknown.errors).toContain(
    "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody",
  );
});

test("boto3: invoke, list, errors, response stream", async () => {
  await using served = await serveFunction();
  const child = Bun.spawn([PYTHON, BOTO3_CALLER, served.url], { stdout: "pipe", stderr: "pipe" });
  const { out, errors } = await outputOf(child);
  expect(errors).toBe("");
  const seen = JSON.parse(out);
  expect(seen).toEqual({
    names: ["probe"],
    invoked: { status: 200, error: null, payload: { id: 1, echo: { id: 1 } } },
    failed: { status: 200, error: "Unhandled", type: "Asked" },
    asynchronous: 202,
    dryRun: 204,
    unknown: "ResourceNotFoundException",
    invalid: "InvalidRequestContentException",
    stream: ["line 1\n", "line 2\n", "line 3\n"],
    streamEnd: null,
    streamError: "Runtime.StreamError",
    streamSpread: true,
  });
});

test("SDK for JavaScript: invoke, list, describe, classes of errors", async () => {
  await using served = await serveFunction();
  const client = sdk(served.url);
  const { Functions } = await client.send(new ListFunctionsCommand({}));
  expect(Functions?.map(({ FunctionName }) => FunctionName)).toEqual(["probe"]);
  const arn = Functions?.[0]?.FunctionArn ?? "";
  const invoked = await client.send(
    new InvokeCommand({ FunctionName: arn, Payload: '{"id":5}', LogType: "Tail" }),
  );
  expect(invoked.Payload?.transformToString()).toBe('{"id":5,"echo":{"id":5}}');
  expect(invoked.ExecutedVersion).toBe("$LATEST");
  const described = await client.send(new GetFunctionCommand({ FunctionName: "probe" }));
  expect(described.Configuration?.State).toBe("Active");
  const unknown = client.send(new InvokeCommand({ FunctionName: "nobody" }));
  expect(unknown).rejects.toBeInstanceOf(ResourceNotFoundException);
});

test("SDK for JavaScript: a full queue is its TooManyRequestsException", async () => {
  await using served = await serveFunction({ settings: { queueMax: 1 } });
  const client = sdk(served.url);
  const send = (event: unknown) =>
    client.send(new InvokeCommand({ FunctionName: "probe", Payload: JSON.stringify(event) }));
  await send({});
  const slow = { do: "slow-echo", ms: 300 };
  const all = await Promise.allSettled([send(slow), send(slow), send(slow), send(slow)]);
  const refused = all.filter((each) => each.status === "rejected");
  expect(refused.length).toBeGreaterThanOrEqual(1);
  for (const each of refused) expect(each.reason).toBeInstanceOf(TooManyRequestsException);
});

test("SDK for JavaScript: a stream arrives line by line, an error in it at its end", async () => {
  await using served = await serveFunction();
  const client = sdk(served.url);
  const stream = async (event: unknown) => {
    const { EventStream } = await client.send(
      new InvokeWithResponseStreamCommand({
        FunctionName: "probe",
        Payload: JSON.stringify(event),
      }),
    );
    const chunks: string[] = [];
    let error: string | undefined;
    for await (const { PayloadChunk, InvokeComplete } of EventStream ?? []) {
      if (PayloadChunk?.Payload) chunks.push(new TextDecoder().decode(PayloadChunk.Payload));
      error = InvokeComplete?.ErrorCode ?? error;
    }
    return { chunks, error };
  };
  const whole = await stream({ do: "stream", lines: 3, ms: 60 });
  expect(whole).toEqual({ chunks: ["line 1\n", "line 2\n", "line 3\n"], error: undefined });
  const broken = await stream({ do: "stream-error" });
  expect(broken.chunks.join("")).toBe("one\ntwo\n");
  expect(broken.error).toBe("Runtime.StreamError");
});
