/** `serve` in the place of AWS's emulator. */

import { expect, test } from "bun:test";

import { SCRIPTED, startTool } from "../testing/running-tool.ts";

const SERVE = ["serve", "--port", "0", "--metrics-port", "0", "--workers", "1"];

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body, headers });

test("--compat rie answers as AWS's emulator does", async () => {
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
