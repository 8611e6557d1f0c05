/** Replies that go to a sink: each arrives there whole, or its caller learns that it has not. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";

import { RESPONSE_BYTES_MAX } from "../../runtime-api/contract.ts";
import { startSink } from "../../testing/event-sink.ts";
import { serveFunction } from "../../testing/host/running-host.ts";
import { SCRIPTED, startTool } from "../../testing/running-tool.ts";
import { plainAdapter } from "./adapter.ts";
import { Sink } from "./sink.ts";

/** A function behind a sink, with what the sink's failures are reported as. */
async function serveToSink(url: string, timeoutMs = 10_000) {
  const messages: string[] = [];
  const served = await serveFunction({
    adapter: plainAdapter(),
    settings: { timeoutMs },
    server: { sink: new Sink(url, (level, message) => messages.push(`${level}: ${message}`)) },
  });
  const post = (event: unknown) =>
    fetch(served.url, { method: "POST", body: JSON.stringify(event) });
  return { ...served, messages, post };
}

test.each([301, 302, 303, 307, 308])(
  "a sink that redirects with %i has no reply",
  async (status) => {
    const elsewhere = await startSink();
    const sink = await startSink(() => status, { Location: `${elsewhere.url}/moved` });
    await using served = await serveToSink(sink.url.replace("//", "//ada:s3cret@"));
    expect((await served.post({ id: 1 })).status).toBe(502);
    expect(served.messages).toEqual([
      `warning: failed to deliver to ${sink.url.replace("//", "//ada:***@")}: status ${status}, a redirect\n` +
        `  set the sink to where it leads: ${elsewhere.url}/moved`,
    ]);
    expect([sink.received.length, elsewhere.received.length]).toEqual([1, 0]);
    await Promise.all([sink.close(), elsewhere.close()]);
  },
);

test.each([
  ["stream-error", 500, '{"errorType":"Late","errorMessage":"in the middle"}'],
  ["stream-break", 500, '{"errorType":"Runtime.TruncatedResponse",'],
  ["stream-and-die", 500, '{"errorType":"Runtime.ExitError",'],
  ["stream-and-hang", 504, '{"errorType":"Sandbox.Timedout",'],
])(
  "a stream that fails (%s) goes to its caller, not to the sink",
  async (action, status, error) => {
    const sink = await startSink();
    await using served = await serveToSink(sink.url, 1_000);
    const response = await served.post({ do: action });
    expect(response.status).toBe(status);
    expect(await response.text()).toStartWith(error);
    expect(sink.received).toEqual([]);
    expect((await served.post({ do: "stream", lines: 2 })).status).toBe(200);
    expect(sink.received.map(({ body }) => body)).toEqual(["line 1\nline 2\n"]);
    await sink.close();
  },
);

const KIB = 1024;
const MIB = 1024 * KIB;

/** A sink that takes connections and reads nothing. */
async function unreadingSink() {
  const sockets: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on("error", () => undefined);
    sockets.push(socket);
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { url: `http://127.0.0.1:${port}`, sockets, close };
}

/** Most memory that a process has had, in bytes. */
const peakBytes = (pid: number) =>
  Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * KIB;

test("of a stream that is too large for a sink nothing is kept, and its caller learns it", async () => {
  const sink = await unreadingSink();
  const options = ["serve", "--port", "0", "--metrics-port", "0", "--timeout", "60", "--quiet"];
  await using served = await startTool([...options, "--sink", sink.url, ...SCRIPTED]);
  const post = (event: unknown) =>
    fetch(served.url, { method: "POST", body: JSON.stringify(event) });
  await post({ do: "empty" });
  const before = peakBytes(served.pid);
  const response = await post({ do: "stream", lines: 150, size: MIB });
  expect(response.status).toBe(502);
  expect(served.errors()).toContain(
    `failed to deliver to ${sink.url}: the reply has more than ${RESPONSE_BYTES_MAX} bytes`,
  );
  expect(sink.sockets.length).toBe(0);
  expect(peakBytes(served.pid) - before).toBeLessThan(75 * MIB);
  sink.close();
});

test.each([true, false])(
  "a reply that a sink does not take is counted until it is given up (its caller stays: %j)",
  async (stays) => {
    const sink = await unreadingSink();
    await using served = await serveFunction({
      adapter: plainAdapter(),
      server: { sink: new Sink(sink.url, () => undefined), limits: { heldBytesMax: MIB } },
    });
    const post = (bytes: number, event: object, signal?: AbortSignal) =>
      fetch(served.url, {
        method: "POST",
        body: JSON.stringify(event).padEnd(bytes),
        ...(signal === undefined ? {} : { signal }),
      });
    const caller = new AbortController();
    const event = { do: "size", size: 900 * KIB };
    const first = post(100, event, caller.signal).catch(() => undefined);
    while (sink.sockets.length === 0) await Bun.sleep(5);
    if (!stays) caller.abort();
    await Bun.sleep(50);
    const small = { do: "empty" };
    expect((await post(400 * KIB, small)).status).toBe(429);
    expect((await post(100, small)).status).toBe(200);
    sink.close();
    expect((await first)?.status).toBe(stays ? 502 : undefined);
    while ((await post(400 * KIB, small)).status !== 200) await Bun.sleep(20);
  },
);
