/**
 * AWS's own runtime clients, unmodified, on this host.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { InvokeWithResponseStreamCommand, LambdaClient } from "@aws-sdk/client-lambda";

import { ROOT, type RunningHost, serveFunction } from "../../testing/host/running-host.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";
import { CLIENT_PROGRAMS, type ClientProgram, RUST_EXTENSION, RUST_HTTP } from "./programs.ts";

function serveClient(program: ClientProgram, handler: string): Promise<RunningHost> {
  const { directory, command } = program;
  // Clients that take the handler as an argument take it last.
  const started = command.map((word) => (word === program.handler ? handler : word));
  return serveFunction({
    settings: { name: "client", directory, command: started, handler, initTimeoutMs: 20_000 },
  });
}

async function invoke(url: string, event: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}/2015-03-31/functions/client/invocations`, {
    method: "POST",
    body: JSON.stringify(event),
    headers,
  });
  const functionError = response.headers.get("x-amz-function-error");
  return {
    requestId: response.headers.get("x-amzn-requestid"),
    functionError,
    body: await response.text(),
  };
}

for (const program of CLIENT_PROGRAMS) {
  test(`${program.name}: responds with its context`, async () => {
    await using client = await serveClient(program, program.handler);
    const custom = { custom: { key: "a: b" } };
    const result = await invoke(
      client.url,
      { do: "echo", value: "ü\u2028" },
      { "x-amz-client-context": Buffer.from(JSON.stringify(custom)).toString("base64") },
    );
    expect(result.functionError).toBeNull();
    expect(JSON.parse(result.body)).toMatchObject({
      echo: { do: "echo", value: "ü\u2028" },
      requestId: result.requestId,
      arn: "arn:aws:lambda:us-east-1:123456789012:function:client",
      remaining: true,
    });
  });

  test(`${program.name}: reports an error and lives on`, async () => {
    await using client = await serveClient(program, program.handler);
    const failed = await invoke(client.url, { do: "error" });
    expect(failed.functionError).toBe("Unhandled");
    expect(failed.body).toContain("asked to fail");
    expect(failed.body).toContain(program.errorType);
    expect((await invoke(client.url, { do: "echo" })).functionError).toBeNull();
  });

  test(`${program.name}: a handler that dies is an error, and the next event succeeds`, async () => {
    await using client = await serveClient(program, program.handler);
    const failed = await invoke(client.url, { do: "panic" });
    expect(failed.functionError).toBe("Unhandled");
    expect(failed.body).toContain(program.panicType);
    expect((await invoke(client.url, { do: "echo" })).functionError).toBeNull();
  });

  test(`${program.name}: 5 MB there and back`, async () => {
    await using client = await serveClient(program, program.handler);
    const value = "x".repeat(5_000_000);
    const { body, functionError } = await invoke(client.url, { do: "echo", value });
    expect(functionError).toBeNull();
    expect(JSON.parse(body).echo.value).toBe(value);
  });

  const { streamHandler } = program;
  if (streamHandler === undefined) continue;
  test(`${program.name}: streams line by line`, async () => {
    await using client = await serveClient(program, streamHandler);
    const lambda = new LambdaClient({
      endpoint: client.url,
      region: "us-east-1",
      credentials: { accessKeyId: "x", secretAccessKey: "x" },
    });
    const event = { do: "stream", lines: 5, pauseMs: 60 };
    const { EventStream } = await lambda.send(
      new InvokeWithResponseStreamCommand({
        FunctionName: "client",
        Payload: JSON.stringify(event),
      }),
    );
    const arrivals: number[] = [];
    let text = "";
    for await (const message of EventStream ?? []) {
      if (message.PayloadChunk?.Payload === undefined) continue;
      arrivals.push(performance.now());
      text += new TextDecoder().decode(message.PayloadChunk.Payload);
    }
    expect(text).toEndWith("line 1\nline 2\nline 3\nline 4\nline 5\n");
    // The first line was here long before the last was written.
    expect((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(120);
  });
}

test.each(["function-url", "http-api-v2", "http-api-v1", "rest"] as const)(
  "lambda_http (Rust) is asked and responds by way of %s",
  async (gateway) => {
    await using client = await serveFunction({
      gateway,
      settings: { command: [RUST_HTTP], handler: "http" },
    });
    const asked = await fetch(`${client.url}/a/b%20c?q=x%26y`, {
      method: "PUT",
      body: "text \u00fc",
      headers: { "Content-Type": "text/plain", "X-Asked": "1" },
    });
    expect([asked.status, asked.headers.get("x-handled"), asked.headers.getSetCookie()]).toEqual([
      201,
      "yes",
      ["a=1"],
    ]);
    expect(await asked.json()).toMatchObject({
      method: "PUT",
      query: "x&y",
      header: "1",
      body: "text \u00fc",
    });
    expect((await fetch(client.url, { method: "DELETE" })).status).toBe(410);
    // TEST_NAMES makes images binary for the REST API, which others tell by the type alone.
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    const image = { "Content-Type": "image/png", Accept: "image/png" };
    const back = await fetch(`${client.url}/?q=bytes`, {
      method: "POST",
      body: bytes,
      headers: image,
    });
    expect(new Uint8Array(await back.arrayBuffer())).toEqual(bytes);
  },
);

test("lambda-extension (Rust), in a layer, is told of each event and of the end", async () => {
  const layer = temporaryFolder("layer");
  mkdirSync(join(layer, "extensions"));
  symlinkSync(RUST_EXTENSION, join(layer, "extensions", "watcher"));
  const client = await serveFunction({ settings: { name: "client", layers: [layer] } });
  const ids: (string | null)[] = [];
  for (const id of [1, 2]) ids.push((await invoke(client.url, { id })).requestId);
  await client[Symbol.asyncDispose]();
  expect([...(client.log().match(/^extension: .*$/gm) ?? [])]).toEqual([
    ...ids.map((id) => `extension: INVOKE ${id}`),
    "extension: SHUTDOWN spindown",
  ]);
});

test("the curl loop of AWS's tutorial responds in order", async () => {
  await using loop = await serveFunction({
    settings: {
      name: "client",
      directory: join(ROOT, "fixtures", "functions", "tutorial"),
      command: [join(ROOT, "fixtures", "bootstraps", "curl-loop", "bootstrap")],
    },
  });
  for (const value of [1, 2, 3]) {
    const { body } = await invoke(loop.url, { value });
    expect(body).toBe(`Echoing request: '{"value":${value}}'`);
  }
});
