/** Requests that are too large: refused as soon as that is known, and in a way that every caller can read. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { EVENT_BYTES_MAX } from "../runtime-api/contract.ts";
import { type RunningHost, serveFunction, TEST_NAMES } from "../testing/host/running-host.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { type Adapter, plainAdapter } from "./front/adapter.ts";
import { cloudEventsAdapter } from "./front/cloud-events/adapter.ts";
import { gatewayAdapter } from "./front/gateway/adapter.ts";

/** More than every front takes. */
const LENGTH = 12 * 1024 * 1024;
const PIECE = Buffer.alloc(256 * 1024, " ");

/** Longer than a test may take. */
const FOR_GOOD_MS = 900_000;

const serve = (adapter: Adapter, stallMs = FOR_GOOD_MS) =>
  serveFunction({ adapter, server: { limits: { stallMs } }, settings: { timeoutMs: 30_000 } });

const cloudEvents = cloudEventsAdapter({
  defaults: { type: "t", source: "s", subject: undefined },
  input: "event",
  output: "auto",
  responseMode: "data",
  bodyBytesMax: EVENT_BYTES_MAX,
  batch: false,
  requirePreferReply: false,
});

const INVOKE = "/2015-03-31/functions/probe/invocations";

const FRONTS: readonly (readonly [name: string, path: string, adapter: Adapter])[] = [
  ["plain requests", "/", plainAdapter()],
  ["Invoke", INVOKE, plainAdapter()],
  ["a Function URL", "/", gatewayAdapter("function-url", TEST_NAMES)],
  ["an HTTP API", "/", gatewayAdapter("http-api-v2", TEST_NAMES)],
  ["CloudEvents", "/", cloudEvents],
];

/** A connection of a caller that writes what it likes. */
function caller(served: RunningHost) {
  const socket = connect(Number(new URL(served.url).port), "127.0.0.1");
  const closed = Promise.withResolvers<void>();
  const seen = { text: "" };
  socket.on("data", (chunk: Buffer) => {
    seen.text += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  socket.on("close", () => closed.resolve());
  const until = async (words: string) => {
    while (!seen.text.includes(words) && !socket.destroyed) await Bun.sleep(2);
    return seen.text;
  };
  /** Writes as fast as the other side reads. */
  const write = async (data: Uint8Array | string) => {
    if (!socket.write(data)) await new Promise((resolve) => socket.once("drain", resolve));
  };
  return { socket, seen, until, write, closed: closed.promise };
}

const head = (path: string, ...lines: readonly string[]) =>
  `POST ${path} HTTP/1.1\r\n${["Host: x", "Content-Type: application/json", ...lines].join("\r\n")}\r\n\r\n`;

test.each(FRONTS)(
  "%s: a length that is too large is refused before the body",
  async (_, path, adapter) => {
    await using served = await serve(adapter);
    const { socket, seen, until, write } = caller(served);
    await write(head(path, `Content-Length: ${LENGTH}`));
    expect(await until("\r\n\r\n")).toStartWith("HTTP/1.1 413 ");
    // Who sends the rest all the same can go on with the connection.
    seen.text = "";
    for (let sent = 0; sent < LENGTH; sent += PIECE.byteLength) await write(PIECE);
    await write("GET /_/ready HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(await until("\r\n\r\n")).not.toContain("413");
    expect(seen.text).toStartWith("HTTP/1.1 ");
    socket.destroy();
  },
);

test.each(FRONTS)(
  "%s: a body without a length is refused as soon as it is too large",
  async (_, path, adapter) => {
    await using served = await serve(adapter);
    const { socket, seen, until, write } = caller(served);
    await write(head(path, "Transfer-Encoding: chunked"));
    const chunk = `${PIECE.byteLength.toString(16)}\r\n${PIECE.toString()}\r\n`;
    while (seen.text === "") {
      await write(chunk);
      await Bun.sleep(1);
    }
    // Its last chunk never came.
    expect(await until("\r\n\r\n")).toStartWith("HTTP/1.1 413 ");
    socket.destroy();
  },
);

test.each([
  ["with a length", [`Content-Length: ${LENGTH}`], PIECE],
  [
    "in chunks",
    ["Transfer-Encoding: chunked"],
    `${PIECE.byteLength.toString(16)}\r\n${PIECE.toString()}\r\n`,
  ],
] as const)(
  "who sends everything before it reads has the refusal, too: %s",
  async (_, lines, piece) => {
    for (const connection of ["close", "keep-alive"]) {
      await using served = await serve(plainAdapter());
      const { socket, until, write } = caller(served);
      socket.pause();
      await write(head("/", `Connection: ${connection}`, ...lines));
      for (let sent = 0; sent < LENGTH; sent += PIECE.byteLength) {
        await write(piece);
        await Bun.sleep(1);
      }
      if (typeof piece === "string") await write("0\r\n\r\n");
      socket.resume();
      expect(await until("\r\n\r\n")).toStartWith("HTTP/1.1 413 ");
      socket.destroy();
    }
  },
);

test("curl shows the refusal, and sends no more", async () => {
  await using served = await serve(plainAdapter());
  const file = join(temporaryFolder("too-large"), "event");
  await Bun.write(file, Buffer.alloc(2 * LENGTH, " "));
  const sized = ["--data-binary", `@${file}`];
  for (const how of [
    sized,
    [...sized, "-H", "Expect:"],
    [...sized, "-H", "Transfer-Encoding: chunked"],
    ["-T", file],
    [...sized, "-0"],
  ]) {
    const curl = Bun.spawn(
      [
        "curl",
        "-sS",
        "--limit-rate",
        "20M",
        "-w",
        "\\n%{http_code} %{size_upload}",
        ...how,
        served.url,
      ],
      { stdout: "pipe", stderr: "pipe" },
    );
    const [out, err] = [await curl.stdout.text(), await curl.stderr.text()];
    const [message, written = ""] = out.split("\n");
    const [status, uploaded] = written.split(" ").map(Number);
    expect([message, status, err]).toEqual([
      `{"message":"Request must be smaller than ${EVENT_BYTES_MAX} bytes"}`,
      413,
      "",
    ]);
    expect(uploaded).toBeLessThan(2 * LENGTH);
  }
});

test("what finds no room is refused before its body as well", async () => {
  await using served = await serveFunction({
    adapter: plainAdapter(),
    server: { limits: { heldBytesMax: 1024 * 1024, stallMs: FOR_GOOD_MS } },
    settings: { timeoutMs: 30_000 },
  });
  const slow = JSON.stringify({ do: "slow-echo", ms: 2_000, id: 1 }).padEnd(700 * 1024, " ");
  const first = fetch(served.url, { method: "POST", body: slow });
  while (served.pool.inFlight === 0) await Bun.sleep(1);
  const { socket, seen, until, write } = caller(served);
  await write(head("/", `Content-Length: ${2 * PIECE.byteLength}`));
  expect(await until("\r\n\r\n")).toStartWith("HTTP/1.1 429 ");
  await write(PIECE);
  await write(PIECE);
  // What is too large is too large, whether there is room or not.
  seen.text = "";
  await write(head("/", `Content-Length: ${LENGTH}`));
  expect(await until("\r\n\r\n")).toStartWith("HTTP/1.1 413 ");
  socket.destroy();
  expect((await first).status).toBe(200);
});

/** Connections of the server that it has not closed, by the kernel's table. */
function connections({ url }: RunningHost): number {
  const port = Number(new URL(url).port).toString(16).toUpperCase().padStart(4, "0");
  const open = new RegExp(`^ *\\d+: \\w+:${port} \\S+ (?:01|08) `, "gm");
  return [...readFileSync("/proc/net/tcp", "utf8").matchAll(open)].length;
}

test.each(["destroy", "end"] as const)(
  "who goes by %s after the refusal leaves no connection",
  async (end) => {
    await using served = await serve(plainAdapter());
    const { socket, until, write } = caller(served);
    await write(head("/", `Content-Length: ${LENGTH}`));
    await until("413");
    expect(connections(served)).toBe(1);
    await write(PIECE);
    socket[end]();
    while (connections(served) > 0) await Bun.sleep(5);
  },
);

test("who sends no more after the refusal is closed in time", async () => {
  await using served = await serve(plainAdapter(), 100);
  const { closed, until, write } = caller(served);
  await write(head("/", `Content-Length: ${LENGTH}`));
  await until("413");
  await write(PIECE);
  await closed;
  expect(connections(served)).toBe(0);
});
