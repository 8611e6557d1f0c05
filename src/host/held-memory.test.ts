/** What waits for a function takes no more memory than it may: more is refused, and nothing is lost of it. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";

import { type RunningHost, serveFunction, TEST_NAMES } from "../testing/host/running-host.ts";
import { SCRIPTED, startTool } from "../testing/running-tool.ts";
import { type Adapter, plainAdapter } from "./front/adapter.ts";
import { cloudEventsAdapter } from "./front/cloud-events/adapter.ts";
import { gatewayAdapter } from "./front/gateway/adapter.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** A host that holds 1 MiB of requests and responses, with one environment. */
const serve = (adapter: Adapter = plainAdapter(), stallMs?: number) =>
  serveFunction({
    adapter,
    server: { limits: { heldBytesMax: MIB, stallMs } },
    settings: { timeoutMs: 30_000 },
  });

/** An event of so many bytes, which takes a while. */
const slow = (bytes: number, ms = 300) =>
  JSON.stringify({ do: "slow-echo", ms, id: 1 }).padEnd(bytes, " ");

const post = (served: RunningHost, body: NonNullable<RequestInit["body"]>, path = "/") =>
  fetch(served.url + path, {
    method: "POST",
    body,
    headers: { "Content-Type": "application/json" },
  });

const INVOKE = "/2015-03-31/functions/probe/invocations";

const refusals = (served: RunningHost) =>
  served.messages.filter((each) => each.includes("callers get 429")).length;

const ADAPTERS: readonly (readonly [name: string, path: string, adapter: Adapter])[] = [
  ["plain requests", "/", plainAdapter()],
  ["Invoke", INVOKE, plainAdapter()],
  ["a Function URL", "/", gatewayAdapter("function-url", TEST_NAMES)],
  ["an HTTP API", "/", gatewayAdapter("http-api-v2", TEST_NAMES)],
];

test.each(ADAPTERS)(
  "%s: what is beyond the bound is refused at once",
  async (_name, path, adapter) => {
    await using served = await serve(adapter);
    const first = post(served, slow(700 * KIB, 2_000), path);
    while (served.pool.inFlight === 0) await Bun.sleep(1);
    const refused = await post(served, slow(400 * KIB), path);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect(served.pool.inFlight).toBe(1);
    // What is small finds room.
    expect((await post(served, slow(100 * KIB, 0), path)).status).toBe(200);
    expect((await first).status).toBe(200);
    expect(refusals(served)).toBe(1);
  },
);

test("a request that is alone is served, however large", async () => {
  await using served = await serve();
  for (let round = 0; round < 3; round += 1) {
    const response = await post(served, slow(5 * MIB, 0));
    expect(response.status).toBe(200);
    await response.text();
  }
  expect(refusals(served)).toBe(0);
});

test("a body without a length is counted as it comes", async () => {
  await using served = await serve();
  const first = post(served, slow(700 * KIB, 2_000));
  while (served.pool.inFlight === 0) await Bun.sleep(1);
  async function* pieces() {
    for (let at = 0; at < 8; at += 1) yield Buffer.alloc(64 * KIB, " ");
  }
  const chunked = () => post(served, pieces() as unknown as string);
  expect((await chunked()).status).toBe(429);
  expect((await first).status).toBe(200);
  expect((await chunked()).status).toBe(200);
});

test.each([
  ["takes it", (caller: Socket) => caller.resume()],
  ["goes", (caller: Socket) => caller.destroy()],
] as const)("a response is counted until its caller %s", async (_what, end) => {
  // No caller stalls for so long: its memory is free for no other reason.
  await using served = await serve(plainAdapter(), 3_600_000);
  const caller = connect(Number(new URL(served.url).port), "127.0.0.1");
  caller.pause();
  const event = JSON.stringify({ do: "size", size: 6 * MIB });
  caller.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${event.length}\r\n\r\n${event}`);
  const status = async () => (await post(served, slow(10 * KIB, 0))).status;
  while ((await status()) !== 429) await Bun.sleep(5);
  // However often it is asked.
  for (let round = 0; round < 5; round += 1) expect(await status()).toBe(429);
  end(caller);
  while ((await status()) !== 200) await Bun.sleep(5);
  caller.destroy();
});

test.each([true, false])(
  "an event without a caller who waits is counted until it is over (its caller stays: %j)",
  async (stays) => {
    await using served = await serve();
    await post(served, slow(100, 0));
    const event = slow(700 * KIB, 600);
    const head = `POST ${INVOKE} HTTP/1.1\r\nHost: x\r\nX-Amz-Invocation-Type: Event\r\n`;
    const caller = connect(Number(new URL(served.url).port), "127.0.0.1");
    caller.on("error", () => undefined);
    caller.write(`${head}Content-Length: ${event.length}\r\n\r\n${event}`);
    await new Promise((resolve) => caller.once("data", resolve));
    if (!stays) caller.destroy();
    await Bun.sleep(50);
    expect((await post(served, slow(400 * KIB, 0))).status).toBe(429);
    while (served.pool.inFlight > 0) await Bun.sleep(5);
    expect((await post(served, slow(400 * KIB, 0))).status).toBe(200);
    caller.destroy();
  },
);

test("nothing stays counted of requests that broke off, were refused or failed", async () => {
  await using served = await serve();
  for (let round = 0; round < 20; round += 1) {
    const caller = connect(Number(new URL(served.url).port), "127.0.0.1");
    caller.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${900 * KIB}\r\n\r\n{`);
    await Bun.sleep(2);
    caller.destroy();
    await post(served, JSON.stringify({ do: "error" }).padEnd(100 * KIB));
    await Promise.all([post(served, slow(600 * KIB, 5)), post(served, slow(600 * KIB, 5))]);
  }
  const responses = await Promise.all([
    post(served, slow(500 * KIB, 5)),
    post(served, slow(500 * KIB, 5)),
  ]);
  expect(responses.map(({ status }) => status)).toEqual([200, 200]);
});

test("a batch of CloudEvents that finds no room is refused as a whole", async () => {
  const adapter = cloudEventsAdapter({
    defaults: { type: "t", source: "s", subject: undefined },
    input: "event",
    output: "auto",
    responseMode: "data",
    bodyBytesMax: 6 * MIB,
    batch: true,
    requirePreferReply: false,
  });
  await using served = await serve(adapter);
  const headers = { "ce-id": "1", "ce-type": "t", "ce-source": "s", "ce-specversion": "1.0" };
  const event = (body: string) =>
    fetch(served.url, {
      method: "POST",
      body,
      headers: { ...headers, "Content-Type": "application/json" },
    });
  const first = event(slow(700 * KIB, 2_000));
  while (served.pool.inFlight === 0) await Bun.sleep(1);
  const batch = JSON.stringify([{ data: "x".repeat(500 * KIB) }]);
  const refused = await fetch(served.url, {
    method: "POST",
    body: batch,
    headers: { "Content-Type": "application/cloudevents-batch+json" },
  });
  expect(refused.status).toBe(429);
  await first;
});

/** Most memory that a process has had, in bytes. */
const peakBytes = (pid: number) =>
  Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * KIB;

const CLOUD_EVENT = { "ce-id": "1", "ce-type": "t", "ce-source": "s", "ce-specversion": "1.0" };

const LARGE = `"${"x".repeat(5_900_000)}"`;

test.each<[string, Record<string, string>, string]>([
  ["in binary mode", { ...CLOUD_EVENT, "Content-Type": "application/json" }, LARGE],
  [
    "in structured mode",
    { "Content-Type": "application/cloudevents+json" },
    `{"specversion":"1.0","id":"1","source":"s","type":"t","data":${LARGE}}`,
  ],
])(
  "large CloudEvents %s take a bounded number of times their size",
  async (_name, headers, body) => {
    const args = ["serve", "--port", "0", "--metrics-port", "0", "--format", "cloudevents"];
    await using served = await startTool([...args, "--timeout", "30", ...SCRIPTED]);
    const before = peakBytes(served.pid);
    const caller = async () => {
      for (let round = 0; round < 5; round += 1) {
        const response = await fetch(served.url, { method: "POST", headers, body });
        expect(response.status).toBe(200);
        expect((await response.bytes()).byteLength).toBeGreaterThan(LARGE.length);
      }
    };
    await Promise.all([caller(), caller(), caller(), caller()]);
    // Four events and their four responses at a time.
    expect(peakBytes(served.pid) - before).toBeLessThan(7 * 8 * LARGE.length);
  },
  60_000,
);

/** A caller that has sent an event and does not read. */
function unreadingCaller(served: RunningHost, event: object, path = "/") {
  const caller = connect(Number(new URL(served.url).port), "127.0.0.1");
  const closed = Promise.withResolvers<void>();
  caller.on("error", () => undefined);
  caller.on("close", () => closed.resolve());
  caller.pause();
  const body = JSON.stringify(event);
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
  caller.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`);
  return { caller, closed: closed.promise };
}

test.each([
  ["a plain request", "/"],
  ["Invoke", INVOKE],
])(
  "a caller that takes nothing of its response is closed in time, and its memory is free: %s",
  async (_name, path) => {
    await using served = await serve(plainAdapter(), 400);
    const { caller } = unreadingCaller(served, { do: "size", size: 6 * MIB }, path);
    const status = async () => (await post(served, slow(10 * KIB, 0), path)).status;
    while ((await status()) !== 429) await Bun.sleep(5);
    const startedAtMs = performance.now();
    while ((await status()) !== 200) await Bun.sleep(20);
    expect(performance.now() - startedAtMs).toBeGreaterThan(200);
    caller.destroy();
  },
);

test("a caller that takes nothing of a stream is closed in time, and its environment is free", async () => {
  await using served = await serve(plainAdapter(), 400);
  const { caller, closed } = unreadingCaller(served, { do: "stream", lines: 40, size: MIB });
  while (served.pool.inFlight === 0) await Bun.sleep(1);
  // The stream is read to its end then, as on Lambda.
  while (served.pool.inFlight > 0) await Bun.sleep(10);
  caller.resume();
  await closed;
  expect((await post(served, slow(900 * KIB, 0))).status).toBe(200);
});

test.each([
  ["a response", { do: "size", size: 6 * MIB }, 6 * MIB],
  ["a stream", { do: "stream", lines: 8, size: MIB - 1 }, 8 * MIB],
])("a caller that reads %s slowly gets all of it", async (_, event, bytes) => {
  await using served = await serve(plainAdapter(), 400);
  const { caller, closed } = unreadingCaller(served, event);
  const startedAtMs = performance.now();
  let taken = 0;
  caller.on("data", (chunk: Buffer) => {
    taken += chunk.byteLength;
    caller.pause();
    // Some 2 MB a second: Bun and the kernel between them need longer than the time for the whole.
    setTimeout(() => caller.resume(), chunk.byteLength / 2_000);
  });
  caller.resume();
  await closed;
  expect(performance.now() - startedAtMs).toBeGreaterThan(800);
  expect(taken).toBeGreaterThan(bytes);
});

test("a caller whose function is silent for longer than callers may stall has its response", async () => {
  await using served = await serve(plainAdapter(), 200);
  const whole = post(served, slow(100, 900));
  const streamed = await post(served, JSON.stringify({ do: "stream", lines: 3, ms: 500 }));
  expect(await streamed.text()).toBe("line 1\nline 2\nline 3\n");
  expect((await whole).status).toBe(200);
});

test("a response that waits for the one before it is not taken for one that stalls", async () => {
  await using served = await serve(plainAdapter(), 200);
  const caller = connect(Number(new URL(served.url).port), "127.0.0.1");
  let text = "";
  caller.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
  });
  const request = (body: string) =>
    `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  // The second event is too large for the host's bound beside the first one, and refused at once.
  caller.write(request(slow(700 * KIB, 1_000)) + request(slow(700 * KIB, 0)));
  while (!text.includes("429")) await Bun.sleep(20);
  expect(text).toStartWith("HTTP/1.1 200 OK\r\n");
  caller.destroy();
});

test("a body that stops arriving ends the connection", async () => {
  await using served = await serve(plainAdapter(), 100);
  const caller = connect(Number(new URL(served.url).port), "127.0.0.1");
  const closed = Promise.withResolvers<void>();
  caller.on("close", () => closed.resolve());
  caller.on("error", () => undefined);
  caller.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
  await closed.promise;
  expect((await post(served, slow(900 * KIB, 300))).status).toBe(200);
});
