/** Responses that are written while their callers read: the invocation goes on until the last byte. */

import { expect, test } from "bun:test";

import { Probe, read } from "../testing/host/probe.ts";
import { serveFunction } from "../testing/host/running-host.ts";
import { plainAdapter } from "./front/adapter.ts";

/** Writes its first line, and no other in time. */
const STUCK = { do: "stream", lines: 2, ms: 600_000 };

const timeoutBody = (requestId: string) =>
  `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ${requestId} Error: Task timed out after 1.00 seconds"}`;

test("a stream past its deadline fails as time-out, and the next event succeeds", async () => {
  await using probe = new Probe({ timeoutMs: 1_000 });
  const outcome = await probe.run(STUCK, { requestId: "R" });
  expect(await read(outcome)).toBe(`line 1\n[Sandbox.Timedout] [timeout] ${timeoutBody("R")}`);
  expect(probe.outcomes.map(([status]) => status)).toEqual(["timeout"]);
  expect(probe.outcomes[0]?.[1].maxMemoryUsedMb).toBeGreaterThan(0);
  expect(await read(await probe.run({ id: 1 }))).toContain('"id":1');
});

test("a stream is reported at its end: its time, its log, how it ended", async () => {
  await using probe = new Probe();
  const event = { do: "stream", lines: 2, ms: 100, text: "told at the end" };
  const outcome = await probe.run(event, { logTail: true });
  expect(probe.outcomes).toEqual([]);
  expect(await read(outcome)).toBe("line 1\nline 2\n");
  await read(await probe.run({ do: "stream-error" }));
  while (probe.outcomes.length < 2) await Bun.sleep(1);
  const [[status, report] = [], [failed] = []] = probe.outcomes;
  expect([status, failed]).toEqual(["success", "reported"]);
  expect(report?.durationMs).toBeGreaterThan(150);
  expect(Buffer.from(report?.log ?? []).toString()).toBe("told at the end\n");
});

test("drain() waits for the last byte of a stream", async () => {
  await using probe = new Probe();
  const outcome = await probe.run({ do: "stream", lines: 3, ms: 100 });
  await probe.pool.drain(30_000);
  await probe.pool.stop();
  expect(await read(outcome)).toBe("line 1\nline 2\nline 3\n");
});

const INVOKE = "/2015-03-31/functions/probe/invocations";
const INVOKE_STREAM = "/2021-11-15/functions/probe/response-streaming-invocations";

test("Invoke of a stream with a prelude that fails responds with its error as JSON", async () => {
  await using served = await serveFunction({ settings: { timeoutMs: 1_000 } });
  const body = JSON.stringify({ ...STUCK, prelude: true });
  const response = await fetch(served.url + INVOKE, { method: "POST", body });
  const { headers } = response;
  expect(headers.get("content-type")).toBe("application/json");
  expect(headers.get("x-amz-function-error")).toBe("Unhandled");
  expect(await response.text()).toBe(timeoutBody(headers.get("x-amzn-requestid") ?? ""));
});

test("a stream that failed is counted as a failure, once it has ended", async () => {
  await using served = await serveFunction({ adapter: plainAdapter() });
  const body = '{"do":"stream-error"}';
  const stream = await fetch(served.url + INVOKE_STREAM, { method: "POST", body });
  expect(await stream.text()).toContain("Runtime.StreamError");
  const plain = await fetch(served.url, { method: "POST", body });
  expect(plain.text()).rejects.toThrow();
  const metrics = async () => (await fetch(`${served.url}/_lambda-shell/metrics`)).text();
  while (!/_error_count\{.*\} 2\n/.test(await metrics())) await Bun.sleep(5);
  expect(await metrics()).not.toMatch(/_success_count\{/);
});
