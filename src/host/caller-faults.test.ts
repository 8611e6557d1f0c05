/** Callers that are slow, or vanish: what they leave is an environment that is free. */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";

import { RESPONSE_BYTES_MAX } from "../runtime-api/contract.ts";
import { unchunked } from "../testing/host/raw-exchange.ts";
import { type RunningHost, serveFunction } from "../testing/host/running-host.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { plainAdapter } from "./front/adapter.ts";

/** Bytes of a streamed response that no socket's buffers hold. */
const LARGE = { lines: 64, size: 512 * 1024 };

interface Served extends RunningHost {
  /** Ids of the events that were begun, in order. */
  readonly begun: () => readonly string[];
}

/** Longer than a test may take, so that no deadline frees what a caller has left. */
const FOR_GOOD_MS = 900_000;

async function serve(timeoutMs = FOR_GOOD_MS): Promise<Served> {
  const seen = join(temporaryFolder("callers"), "seen");
  const served = await serveFunction({
    adapter: plainAdapter(),
    server: { limits: { stallMs: FOR_GOOD_MS } },
    settings: { timeoutMs, variables: { SEEN_FILE: seen } },
  });
  const begun = () => {
    try {
      return readFileSync(seen, "utf8").split("\n").slice(0, -1);
    } catch {
      return [];
    }
  };
  return { ...served, begun };
}

const ask = async (served: Served, event: unknown) =>
  (await fetch(served.url, { method: "POST", body: JSON.stringify(event) })).text();

/** The next event gets its own response, and the environment waits for another. */
async function expectFree(served: Served): Promise<void> {
  expect(await ask(served, { id: 99 })).toBe('{"id":99,"echo":{"id":99}}');
  await until(() => served.pool.counts.ready === 1 && served.pool.counts.busy === 0);
  expect(served.pool.queueLength).toBe(0);
}

async function until(reached: () => boolean): Promise<void> {
  while (!reached()) await Bun.sleep(5);
}

/** A connection to the server, with all that came over it. */
class Caller {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #ended = Promise.withResolvers<void>();

  constructor(served: Served) {
    this.socket = connect(Number(new URL(served.url).port), "127.0.0.1");
    this.socket.on("data", (chunk: Buffer) => void this.#chunks.push(chunk));
    this.socket.on("error", () => this.#ended.resolve());
    this.socket.on("close", () => this.#ended.resolve());
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("latin1");
  }

  get body(): string {
    return this.text.slice(this.text.indexOf("\r\n\r\n") + 4);
  }

  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Sends the head of a request, and so much of its body. */
  send(event: unknown, bytes = Number.POSITIVE_INFINITY): string {
    const body = JSON.stringify(event);
    const head = `POST / HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: ${body.length}`;
    this.socket.write(`${head}\r\n\r\n${body.slice(0, bytes)}`);
    return body.slice(bytes);
  }
}

/** Open descriptors of this process, which is also the server's. */
const descriptors = () => readdirSync("/proc/self/fd").length;

test("a body that trickles keeps nobody waiting, and gets a response in the end", async () => {
  await using served = await serve();
  const slow = new Caller(served);
  const rest = slow.send({ id: 1, text: "slow" }, 3);
  for (const byte of rest) {
    await expectFree(served);
    slow.socket.write(byte);
  }
  await slow.ended;
  expect(slow.text).toEndWith('{"id":1,"echo":{"id":1,"text":"slow"}}');
  expect(served.begun().filter((id) => id === "1")).toEqual(["1"]);
});

test("a caller that vanishes in the middle of its body has no event", async () => {
  await using served = await serve();
  for (const bytes of [0, 1, 9]) {
    const caller = new Caller(served);
    caller.send({ id: 1, text: "never whole" }, bytes);
    await Bun.sleep(10);
    caller.socket.destroy();
    await expectFree(served);
  }
  expect(served.begun()).toEqual(["99", "99", "99"]);
});

test("a caller that vanishes while its event waits takes it along", async () => {
  await using served = await serve();
  const running = ask(served, { id: 1, do: "slow-echo", ms: 300 });
  await until(() => served.begun().length === 1);
  const caller = new Caller(served);
  caller.send({ id: 2 });
  await until(() => served.pool.queueLength === 1);
  caller.socket.destroy();
  await until(() => served.pool.queueLength === 0);
  expect(await running).toContain('"id":1');
  await expectFree(served);
  expect(served.begun()).toEqual(["1", "99"]);
});

/** A request as it stands on the wire. */
const raw = (event: unknown, version = "1.1") => {
  const body = JSON.stringify(event);
  return `POST / HTTP/${version}\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
};

const CHUNKED =
  'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"id":1}\r\n0\r\n\r\n';

test.each<[string, string, readonly string[]]>([
  ["one request", raw({ id: 1 }), ["1"]],
  ["a request of HTTP/1.0", raw({ id: 1 }, "1.0"), ["1"]],
  ["a request in chunks", CHUNKED, ["1"]],
  ["two requests", raw({ id: 1 }) + raw({ id: 2 }), ["1", "2"]],
  ["a request that takes its time", raw({ id: 1, do: "slow-echo", ms: 500 }), ["1"]],
  ["one of HTTP/1.0 that does", raw({ id: 1, do: "slow-echo", ms: 500 }, "1.0"), ["1"]],
  ["a request of a megabyte", raw({ id: 1, text: "x".repeat(1_000_000) }), ["1"]],
])("a caller that closes its sending side after %s has its responses", async (_, bytes, ids) => {
  await using served = await serve();
  const caller = new Caller(served);
  caller.socket.end(bytes);
  await caller.ended;
  // Asked whether it still reads, it has an interim response, as any client may have.
  const responses = caller.text.replace("HTTP/1.1 100 Continue\r\n\r\n", "");
  expect([...responses.matchAll(/HTTP\/1\.1 .*/g)].join("\n")).toBe(
    ids.map(() => "HTTP/1.1 200 OK").join("\n"),
  );
  const echoed = [...responses.matchAll(/\{"id":(\d+),"echo":/g)].map(([, id = ""]) => id);
  expect(echoed).toEqual([...ids]);
  await expectFree(served);
});

test("a caller that closes its sending side has a streamed response to its last byte", async () => {
  await using served = await serve();
  const caller = new Caller(served);
  caller.socket.end(raw({ id: 1, do: "stream", lines: 30, ms: 20 }));
  await caller.ended;
  expect(caller.text).toStartWith("HTTP/1.1 200 OK\r\n");
  const lines = Array.from({ length: 30 }, (_, at) => `line ${at + 1}`);
  expect(unchunked(caller.body)).toBe(`${lines.join("\n")}\n`);
});

test.each<[string, string]>([
  ["its head", "POST / HTTP/1.1\r\nHost: a\r\nConte"],
  ["its body", 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n{"id":1}'],
])("a caller that closes its sending side in the middle of %s has no event", async (_, bytes) => {
  await using served = await serve();
  const caller = new Caller(served);
  caller.socket.end(bytes);
  await caller.ended;
  expect(caller.text).toStartWith("HTTP/1.1 400 ");
  expect(served.begun()).toEqual([]);
  await expectFree(served);
});

test.each<[string, string]>([
  ["what is not HTTP", "\u0016\u0003\u0001"],
  ["a head that is broken", "POST / HTTP/1.1\r\nno colon\r\n\r\n"],
  ["a head with two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"],
])("a request that is followed by %s has its own response, and no other", async (_, bytes) => {
  await using served = await serve();
  for (const event of [{ id: 1 }, { id: 2, do: "slow-echo", ms: 50 }]) {
    const caller = new Caller(served);
    caller.socket.write(raw(event) + bytes);
    await caller.ended;
    expect(caller.text).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(caller.body).toBe(JSON.stringify({ id: event.id, echo: event }));
  }
});

test.each<[string, string]>([
  ["nothing", ""],
  ["half a head", "POST / HTTP/1.1\r\nHost: a\r\nConte"],
])(
  "a caller that sends %s is closed in time, and one whose event runs is not",
  async (_, bytes) => {
    await using served = await serveFunction({
      adapter: plainAdapter(),
      server: { limits: { firstHeadMs: 100 } },
    });
    const slow = fetch(served.url, {
      method: "POST",
      body: JSON.stringify({ id: 1, do: "slow-echo", ms: 400 }),
    });
    const idle = connect(Number(new URL(served.url).port), "127.0.0.1");
    idle.write(bytes);
    await new Promise((resolve) => idle.on("close", resolve));
    expect(await (await slow).text()).toContain('"id":1');
  },
);

test("a caller that vanishes while its event runs leaves no response to anybody else", async () => {
  await using served = await serve();
  const caller = new Caller(served);
  caller.send({ id: 1, do: "slow-echo", ms: 200 });
  await until(() => served.begun().length === 1);
  caller.socket.destroy();
  // It runs to its end, as on Lambda; the next ones wait for it.
  const responses = [2, 3, 4].map((id) => ask(served, { id }));
  expect(await Promise.all(responses)).toEqual(
    [2, 3, 4].map((id) => `{"id":${id},"echo":{"id":${id}}}`),
  );
  await expectFree(served);
});

test("a caller that reads slowly gets every byte of a streamed response", async () => {
  await using served = await serve();
  const caller = new Caller(served);
  caller.send({ id: 1, do: "stream", ...LARGE });
  await until(() => caller.text !== "");
  for (let pauses = 0; pauses < 10; pauses += 1) {
    caller.socket.pause();
    await Bun.sleep(20);
    caller.socket.resume();
    await Bun.sleep(1);
  }
  await caller.ended;
  const expected = Array.from({ length: LARGE.lines }, (_, at) =>
    `line ${at + 1}`.padEnd(LARGE.size, "."),
  );
  // Compared by a hash, so that a failure does not print 32 MiB.
  expect(Bun.hash(unchunked(caller.body))).toBe(Bun.hash(`${expected.join("\n")}\n`));
  await expectFree(served);
});

test("a caller that vanishes in the middle of a streamed response frees the environment", async () => {
  await using served = await serve();
  for (const pausing of [false, true]) {
    const caller = new Caller(served);
    caller.send({ id: 1, do: "stream", ...LARGE });
    await until(() => caller.text.includes("line 1."));
    // Paused, it is written to until the sockets are full, and the runtime waits.
    if (pausing) caller.socket.pause();
    await Bun.sleep(50);
    caller.socket.destroy();
    await expectFree(served);
  }
});

test("a caller that stops reading holds the environment no longer than the event's time", async () => {
  await using served = await serve(1_000);
  const caller = new Caller(served);
  caller.send({ id: 1, do: "stream", ...LARGE });
  await until(() => caller.text.includes("line 1."));
  caller.socket.pause();
  // Waits until the runtime that cannot write is killed, and another responds.
  await expectFree(served);
  caller.socket.resume();
  await caller.ended;
  // What broke off does not look complete.
  expect(caller.text).not.toEndWith("\r\n0\r\n\r\n");
});

/** A response that waits for a caller who does not read; no socket's buffers hold it. */
async function withUnreadResponse(served: Served): Promise<Caller> {
  const caller = new Caller(served);
  caller.socket.pause();
  caller.send({ id: 1, do: "size", size: RESPONSE_BYTES_MAX });
  await until(() => served.begun().length === 1 && served.pool.counts.ready === 1);
  return caller;
}

test("a caller that reads slowly gets every byte when the server ends meanwhile", async () => {
  await using served = await serve();
  const caller = await withUnreadResponse(served);
  let ended = false;
  const drained = served.drain(30_000).then(() => {
    ended = true;
  });
  await until(() => served.pool.counts.ready === 0);
  await Bun.sleep(50);
  expect(ended).toBe(false);
  caller.socket.resume();
  await Promise.all([caller.ended, drained]);
  const { text } = caller;
  expect(text.length - text.indexOf("\r\n\r\n") - 4).toBe(RESPONSE_BYTES_MAX);
});

test("a caller that does not read holds the server's end no longer than the time of grace", async () => {
  await using served = await serve();
  const caller = await withUnreadResponse(served);
  await served.drain(100);
  caller.socket.resume();
  await caller.ended;
  expect(caller.text.length).toBeLessThan(RESPONSE_BYTES_MAX);
});

test("callers that vanish at every point leave no descriptor and no event behind", async () => {
  await using served = await serve();
  await expectFree(served);
  const before = descriptors();
  const events = [
    { do: "echo" },
    { do: "slow-echo", ms: 3 },
    { do: "stream", lines: 20, ms: 1 },
    { do: "stream", lines: 8, size: 256 * 1024 },
  ];
  for (let round = 0; round < 40; round += 1) {
    const caller = new Caller(served);
    const event = { id: round, ...events[round % events.length] };
    caller.send(event, round % 5 === 0 ? round % 20 : undefined);
    await Bun.sleep(round % 7);
    caller.socket.destroy();
  }
  await expectFree(served);
  await until(() => descriptors() <= before + KEPT_CONNECTIONS);
  // None was begun twice.
  const begun = served.begun().filter((id) => id !== "99");
  expect(new Set(begun).size).toBe(begun.length);
});

/** Connections that `fetch` of the test itself may keep, to both ends. */
const KEPT_CONNECTIONS = 4;

test.each<[string, readonly string[], number]>([
  ["two hosts", ["Host: a", "Host: b"], 400],
  ["no host", ["Accept: */*"], 400],
  ["a transfer coding that is not chunked", ["Host: a", "Transfer-Encoding: gzip"], 501],
  ["one more transfer coding", ["Host: a", "Transfer-Encoding: gzip, chunked"], 501],
  [
    "a transfer coding in two lines",
    ["Host: a", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
    501,
  ],
  ["headers over the limit", ["Host: a", `X: ${"x".repeat(1_100_000)}`], 431],
  ["a line that is not a header", ["Host: a", "no colon"], 400],
])("a request with %s is refused, and its connection closed", async (_, lines, status) => {
  await using served = await serve();
  const caller = new Caller(served);
  // A second request, which must not be taken out of what follows.
  const smuggled = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n{"id":66}';
  caller.socket.write(`POST / HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n0\r\n\r\n${smuggled}`);
  await caller.ended;
  expect(caller.text).toMatch(RegExp(`^HTTP/1.1 ${status} `));
  expect(caller.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  expect(served.begun()).toEqual([]);
  await expectFree(served);
});
