/**
 * A Runtime API that measures: it hands out one event after the other and notes when each is taken
 * and when its response has arrived.
 *
 * Written over a bare socket, with every response made in advance, so that it takes little of what it
 * measures, the same from every runtime: runtime, shell and this share two processors.
 *
 * @module
 */

import type { Socket, TCPSocketListener } from "bun";

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

const NOTHING: Buffer = Buffer.alloc(0);
const HEAD_END = Buffer.from("\r\n\r\n");
/** How the runtimes write it: as curl and ours do, and as AWS's client for Python does. */
const LENGTH_NAMES = [Buffer.from("\r\nContent-Length: "), Buffer.from("\r\ncontent-length: ")];
const EXPECT = "\r\nexpect: 100-continue";
const GET = "G".charCodeAt(0);
const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const ACCEPTED_BODY = '{"status":"OK"}\n';
const ACCEPTED = Buffer.from(
  `HTTP/1.1 202 Accepted\r\nContent-Length: ${ACCEPTED_BODY.length}\r\n\r\n${ACCEPTED_BODY}`,
);
/** How long each event may take, in milliseconds from the start of the run. */
const TIMEOUT_MS = 600_000;

/** The response that hands an event out. */
function eventResponse(event: Buffer, number: number): Buffer {
  const head =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" +
    `Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-${number}\r\n` +
    `Lambda-Runtime-Deadline-Ms: ${Date.now() + TIMEOUT_MS}\r\n` +
    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n" +
    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419\r\n" +
    `Content-Length: ${event.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), event]);
}

/** Waits before each event, while nothing happens; what was done until then can be read. */
export interface Pause {
  readonly ms: number;
  /** Called at its end, with the number of events that were handed out until then. */
  readonly onEnd: (handedOut: number) => void;
}

/** Hands out `count` copies of an event to whatever connects. */
export class StopwatchApi {
  readonly #listener: TCPSocketListener<Connection>;
  readonly #responses: readonly Buffer[];
  readonly #warmMs: number[] = [];
  readonly #finished = Promise.withResolvers<Timeline>();
  readonly #pause: Pause | undefined;
  #startedAt = 0;
  #nextAt = 0;
  #firstResponseAt = 0;
  #handedOutAt = 0;
  #handedOut = 0;
  #lastBody: Buffer = NOTHING;

  /** @param pause With a pause the end of the run comes a pause after the last response. */
  constructor(event: Uint8Array, count: number, pause?: Pause) {
    this.#pause = pause;
    const bytes = Buffer.from(event);
    this.#responses = Array.from({ length: count }, (_, index) => eventResponse(bytes, index + 1));
    this.#listener = Bun.listen<Connection>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { received: NOTHING, unsent: NOTHING };
        },
        data: (socket, bytes) => this.#receive(socket, bytes),
        drain: (socket) => flush(socket),
      },
    });
  }

  get address(): string {
    return `127.0.0.1:${this.#listener.port}`;
  }

  /** Notes that the runtime is started now; resolves when all events have got a response. */
  start(): Promise<Timeline> {
    this.#startedAt = performance.now();
    return this.#finished.promise;
  }

  stop(): void {
    this.#listener.stop(true);
  }

  #receive(socket: Socket<Connection>, bytes: Buffer): void {
    const { data } = socket;
    const isWhole = data.received.length === 0;
    const received = isWhole ? bytes : Buffer.concat([data.received, bytes]);
    const headEnd = received.indexOf(HEAD_END);
    const bodyStart = headEnd + HEAD_END.length;
    const end =
      headEnd < 0 ? Number.POSITIVE_INFINITY : bodyStart + contentLength(received, headEnd);
    if (received.length < end) {
      // curl waits for this before it sends a large body.
      if (
        isWhole &&
        headEnd > 0 &&
        received.toString("latin1", 0, headEnd).toLowerCase().includes(EXPECT)
      ) {
        send(socket, CONTINUE);
      }
      data.received = isWhole ? Buffer.from(bytes) : received;
      return;
    }
    data.received = NOTHING;
    if (received[0] === GET) this.#next(socket);
    else this.#take(socket, received.subarray(bodyStart, end));
  }

  #next(socket: Socket<Connection>): void {
    if (this.#handedOut === 0) this.#nextAt = performance.now();
    const pause = this.#pause;
    if (pause === undefined) {
      this.#handOut(socket);
      return;
    }
    setTimeout(() => {
      pause.onEnd(this.#handedOut);
      if (this.#handedOut === this.#responses.length) this.#finish();
      else this.#handOut(socket);
    }, pause.ms);
  }

  #handOut(socket: Socket<Connection>): void {
    const response = this.#responses[this.#handedOut];
    if (response === undefined) return;
    this.#handedOut += 1;
    this.#handedOutAt = performance.now();
    send(socket, response);
  }

  #take(socket: Socket<Connection>, body: Buffer): void {
    const now = performance.now();
    if (this.#firstResponseAt === 0) this.#firstResponseAt = now;
    else this.#warmMs.push(now - this.#handedOutAt);
    this.#lastBody = Buffer.from(body);
    send(socket, ACCEPTED);
    if (this.#handedOut === this.#responses.length && this.#pause === undefined) this.#finish();
  }

  #finish(): void {
    this.#finished.resolve({
      nextMs: this.#nextAt - this.#startedAt,
      firstResponseMs: this.#firstResponseAt - this.#startedAt,
      warmMs: this.#warmMs,
      lastBody: this.#lastBody,
    });
  }
}

/** The length of a request's body, in bytes: what follows the header's name. */
function contentLength(request: Buffer, headEnd: number): number {
  for (const name of LENGTH_NAMES) {
    const at = request.subarray(0, headEnd).indexOf(name);
    if (at >= 0) return Number.parseInt(request.toString("latin1", at + name.length, headEnd), 10);
  }
  return 0;
}

function send(socket: Socket<Connection>, bytes: Buffer): void {
  const { data } = socket;
  if (data.unsent.length > 0) {
    data.unsent = Buffer.concat([data.unsent, bytes]);
    return;
  }
  const sent = socket.write(bytes);
  if (sent < bytes.length) data.unsent = bytes.subarray(Math.max(sent, 0));
}

function flush(socket: Socket<Connection>): void {
  const { data } = socket;
  const sent = socket.write(data.unsent);
  data.unsent = data.unsent.subarray(Math.max(sent, 0));
}
