/** `serve` in the place of AWS's emulator. */

import { expect, test } from "bun:test";

import { SCRIPTED, startTool } from "../testing/running-tool.ts";
import { rie, sniffedType } from "./rie.ts";

const SERVE = ["serve", "--port", "0", "--metrics-port", "0", "--workers", "1"];

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body, headers });

test("--compat rie responds as AWS's emulator does", async () => {
  const environment = { AWS_LAMBDA_FUNCTION_TIMEOUT: "1" };
  const args = [...SERVE, "--compat", "rie", ...SCRIPTED];
  await using served = await startTool(args, { environment });
  const call = (body: string, headers = {}) =>
    post(`${served.url}/2015-03-31/functions/function/invocations`, body, headers);
  const text = await call('{"do":"body","text":"ok"}');
  expect([text.status, text.headers.get("content-type"), await text.text()]).toEqual([
    200,
    "text/plain; charset=utf-8",
    "ok",
  ]);
  const failed = await call('{"do":"error"}');
  expect([failed.status, failed.headers.get("x-amz-function-error")]).toEqual([200, null]);
  const crashed = await call('{"do":"exit","status":42}');
  expect(crashed.status).toBe(502);
  expect(await crashed.text()).toContain("Runtime exited with error: exit status 42");
  const headers = await (await call('{"do":"headers"}')).json();
  expect(headers).toMatchObject({
    "lambda-runtime-invoked-function-arn":
      "arn:aws:lambda:us-east-1:012345678912:function:test_function",
  });
  // Any bytes are an event.
  for (const bytes of ["not JSON", "{", "caf\u00e9"]) {
    const echoed = await call(bytes);
    expect([echoed.status, await echoed.json()]).toEqual([
      200,
      { id: null, echo: { text: bytes } },
    ]);
  }
  for (const action of ['"size"', '"stream","lines":1']) {
    const large = await call(`{"do":${action},"size":6291600}`);
    expect(await large.text()).toMatch(
      /^\{"errorMessage":"Response payload size \(629160[01] bytes\) exceeded maximum allowed payload size \(6291556 bytes\)\.","errorType":"Function.ResponseSizeTooLarge"\}$/,
    );
  }
  const late = await call('{"do":"hang"}');
  expect([late.status, await late.text()]).toEqual([200, "Task timed out after 1.00 seconds"]);
  expect((await call("{}", { "x-amz-client-context": "%%%" })).status).toBe(500);
});

test.each(["3", "10", "300"])(
  "--compat rie has a deadline of AWS_LAMBDA_FUNCTION_TIMEOUT=%s, and the variables as they are",
  async (timeout) => {
    const environment = { AWS_LAMBDA_FUNCTION_TIMEOUT: timeout, MyEnv: "4=4", EMPTY: "" };
    const args = [...SERVE, "--compat", "rie", ...SCRIPTED];
    await using served = await startTool(args, { environment });
    const url = `${served.url}/2015-03-31/functions/function/invocations`;
    const context = { custom: { foo: "bar" } };
    const startedAtMs = Date.now();
    const headers = (await (
      await post(url, '{"do":"headers"}', {
        "X-Amz-Client-Context": Buffer.from(JSON.stringify(context)).toString("base64"),
        "X-Amzn-Trace-Id": "Root=1-5f-a;Sampled=1",
        "X-Amz-Tenant-Id": "blue",
      })
    ).json()) as Record<string, string>;
    expect(headers).toMatchObject({
      "lambda-runtime-client-context": JSON.stringify(context),
      "lambda-runtime-trace-id": "Root=1-5f-a;Sampled=1",
      "lambda-runtime-aws-tenant-id": "blue",
    });
    const leftMs = Number(headers["lambda-runtime-deadline-ms"]) - startedAtMs;
    // The response itself may be late on a busy machine, the deadline only by that.
    expect(leftMs).toBeGreaterThanOrEqual(Number(timeout) * 1000);
    expect(leftMs).toBeLessThan(Number(timeout) * 1000 + (Date.now() - startedAtMs) + 1);
    const variables = await (await post(url, '{"do":"environment"}')).json();
    expect(variables).toMatchObject({
      MyEnv: "4=4",
      EMPTY: "",
      AWS_LAMBDA_FUNCTION_NAME: "test_function",
    });
    const large = `"${"x".repeat(5_900_000)}"`;
    expect((await (await post(url, large)).text()).length).toBeGreaterThan(5_900_000);
  },
);

test.each<[string, string | undefined]>([
  ["", undefined],
  ['{"a":1}', "text/plain; charset=utf-8"],
  ["caf\u00e9", "text/plain; charset=utf-8"],
  ["  <!DOCTYPE html>", "text/html; charset=utf-8"],
  ["<html>", "text/html; charset=utf-8"],
  ["<htmlx>", "text/plain; charset=utf-8"],
  ['<?xml version="1.0"?>', "text/xml; charset=utf-8"],
  ["%PDF-1.7", "application/pdf"],
  ["a\u0000b", "application/octet-stream"],
  ["\u001b[1mbold", "text/plain; charset=utf-8"],
])("the type of %j is found as Go finds it: %s", (text, type) => {
  expect(sniffedType(Buffer.from(text))).toBe(type);
});

test.each([{}, { AWS_LAMBDA_FUNCTION_TIMEOUT: "", AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "" }])(
  "without variables, or with empty ones (%j), there are 300 seconds and 3008 MB",
  (variables) => {
    expect(rie.serve.defaults(variables)).toMatchObject({
      name: "test_function",
      timeout: "300",
      memory: "3008",
    });
  },
);
