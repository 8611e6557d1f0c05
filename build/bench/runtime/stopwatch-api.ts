/**
 * A Runtime API that measures: it hands out one event after the other and notes when each is taken
 * and when its response has arrived.
 *
 * Written over a bare socket so that it takes little of what it measures, the same from every runtime.
 *
 * @module
 */

import type { Socket, TCPSocketListener } from "bun";

import { PATH } from "../../../src/runtime-api/contract.ts";

/** What one run of a runtime showed. */
export interface Timeline {
  /** From the start of the process to its first GET /next, in milliseconds. */
  readonly nextMs: number;
  /** From the start of the process to its first whole response, in milliseconds. */
  readonly firstResponseMs: number;
  /** From handing an event out to its whole response, in milliseconds, the first event left out. */
  readonly warmMs: readonly number[];
  /** The last response's body. */
  readonly lastBody: Buffer;
}

interface Connection {
  received: Buffer;
  /** Bytes that could not be sent at once. */
  unsent: Buffer;
}

const HEAD_END = "\r\n\r\n";

/** Hands out `count` copies of an event to whatever connects, then calls `onEnd`. */
export class StopwatchApi {
  readonly #listener: TCPSocketListener<Connection>;
  readonly #event: Buffer;
  readonly #count: number;
  readonly #warmMs: number[] = [];
  readonly #finished = Promise.withResolvers<Timeline>();
  #startedAt = 0;
  #nextAt = 0;
  #firstResponseAt = 0;
  #handedOutAt = 0;
  #handedOut = 0;

  constructor(event: Uint8Array, count: number) {
    this.#event = Buffer.from(event);
    this.#count = count;
    this.#listener = Bun.listen<Connection>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { received: Buffer.alloc(0), unsent: Buffer.alloc(0) };
        },
        data: (socket, bytes) => this.#receive(socket, bytes),
        drain: (socket) => flush(socket),
      },
    });
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.port}`;
  }

  /** Notes that the runtime is started now; resolves when all events are answered. */
  start(): Promise<Timeline> {
    this.#startedAt = performance.now();
    return this.#finished.promise;
  }

  stop(): void {
    this.#listener.stop(true);
  }

  #receive(socket: Socket<Connection>, bytes: Buffer): void {
    const { data } = socket;
    data.received =
      data.received.length === 0 ? Buffer.from(bytes) : Buffer.concat([data.received, bytes]);
    const headEnd = data.received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = data.received.toString("latin1", 0, headEnd);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    const end = headEnd + HEAD_END.length + length;
    if (/\r\nexpect: *100-continue/i.test(head) && data.received.length < end) {
      // curl waits for this before it sends a large body.
      send(socket, Buffer.from("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    if (data.received.length < end) return;
    const body = data.received.subarray(headEnd + HEAD_END.length, end);
    data.received = Buffer.alloc(0);
    if (head.startsWith(`GET ${PATH.next}`)) this.#handOut(socket);
    else this.#take(socket, body);
  }

  #handOut(socket: Socket<Connection>): void {
    if (this.#handedOut === 0) this.#nextAt = performance.now();
    if (this.#handedOut === this.#count) return;
    this.#handedOut += 1;
    const head =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" +
      `Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-${this.#handedOut}\r\n` +
      `Lambda-Runtime-Deadline-Ms: ${Date.now() + 60_000}\r\n` +
      "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n" +
      "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419\r\n" +
      `Content-Length: ${this.#event.length}\r\n\r\n`;
    this.#handedOutAt = performance.now();
    send(socket, Buffer.concat([Buffer.from(head), this.#event]));
  }

  #take(socket: Socket<Connection>, body: Buffer): void {
    const now = performance.now();
    if (this.#firstResponseAt === 0) this.#firstResponseAt = now;
    else this.#warmMs.push(now - this.#handedOutAt);
    const text = '{"status":"OK"}\n';
    send(
      socket,
      Buffer.from(`HTTP/1.1 202 Accepted\r\nContent-Length: ${text.length}\r\n\r\n${text}`),
    );
    if (this.#handedOut < this.#count) return;
    this.#finished.resolve({
      nextMs: this.#nextAt - this.#startedAt,
      firstResponseMs: this.#firstResponseAt - this.#startedAt,
      warmMs: this.#warmMs,
      lastBody: Buffer.from(body),
    });
  }
}

function send(socket: Socket<Connection>, bytes: Buffer): void {
  socket.data.unsent = Buffer.concat([socket.data.unsent, bytes]);
  flush(socket);
}

function flush(socket: Socket<Connection>): void {
  const sent = socket.write(socket.data.unsent);
  socket.data.unsent = socket.data.unsent.subarray(Math.max(sent, 0));
}
