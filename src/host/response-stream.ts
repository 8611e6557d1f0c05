/**
 * A response that reaches its caller while the runtime still writes it.
 *
 * A slow caller slows the runtime down; a caller that has gone does not: Lambda runs the function
 * to its end then, so the rest is read and thrown away.
 * @module
 */

import type { IncomingMessage } from "node:http";

import { HEADER } from "../runtime-api/contract.ts";
import type { StreamEnd } from "./outcome.ts";

/** Bytes that may wait for a slow caller before the runtime is made to wait, 1 MiB. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** The body of a streaming `/response` request, passed on as it arrives. */
export class ResponseStream implements AsyncIterable<Uint8Array> {
  readonly end: Promise<StreamEnd>;
  readonly #source: IncomingMessage;
  readonly #waiting: Uint8Array[] = [];
  readonly #bytesMax: number;
  #waitingBytes = 0;
  #byteLength = 0;
  #finished = false;
  #abandoned = false;
  #wake: (() => void) | undefined;
  readonly #finish: (end: StreamEnd) => void;

  /** @param bytesMax Most bytes that are passed on; the rest is read and counted as an error. */
  constructor(source: IncomingMessage, bytesMax: number) {
    this.#source = source;
    this.#bytesMax = bytesMax;
    const { promise, resolve } = Promise.withResolvers<StreamEnd>();
    this.end = promise;
    this.#finish = (end) => {
      this.#finished = true;
      resolve(end);
      this.#wake?.();
    };
    source.on("data", (chunk: Uint8Array) => this.#take(chunk));
    source.on("end", () => this.#finish(this.#ending()));
    source.on("aborted", () => this.fail("Runtime.TruncatedResponse", "the runtime broke off"));
    source.on("error", () => this.fail("Runtime.TruncatedResponse", "the runtime broke off"));
  }

  /** Ends the stream with an error, as when the runtime dies or is killed. */
  fail(errorType: string, errorMessage: string): void {
    if (this.#finished) return;
    const errorBody = JSON.stringify({ errorType, errorMessage });
    this.#finish({ kind: "failed", errorType, errorBody });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    try {
      for (;;) {
        const chunk = this.#waiting.shift();
        if (chunk !== undefined) {
          this.#waitingBytes -= chunk.byteLength;
          if (this.#waitingBytes < WAITING_BYTES_MAX) this.#source.resume();
          yield chunk;
        } else if (this.#finished) {
          return;
        } else {
          const { promise, resolve } = Promise.withResolvers<void>();
          this.#wake = resolve;
          await promise;
        }
      }
    } finally {
      this.#abandoned = true;
      this.#waiting.length = 0;
      this.#source.resume();
    }
  }

  #take(chunk: Uint8Array): void {
    this.#byteLength += chunk.byteLength;
    if (this.#abandoned || this.#byteLength > this.#bytesMax) return;
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.byteLength;
    if (this.#waitingBytes >= WAITING_BYTES_MAX) this.#source.pause();
    this.#wake?.();
  }

  #ending(): StreamEnd {
    if (this.#byteLength > this.#bytesMax) {
      const errorType = "Function.ResponseSizeTooLarge";
      const errorMessage = `Response exceeded the maximum of ${this.#bytesMax} bytes`;
      const errorBody = JSON.stringify({ errorType, errorMessage });
      return { kind: "failed", errorType, errorBody };
    }
    const { trailers } = this.#source;
    const errorType = trailers[HEADER.errorType.toLowerCase()];
    if (errorType === undefined || errorType === "") return { kind: "complete" };
    const body = trailers[HEADER.errorBody.toLowerCase()] ?? "";
    return { kind: "failed", errorType, errorBody: Buffer.from(body, "base64").toString("utf8") };
  }
}

/** A streamed response that ended in an error, after bytes of it were sent. */
export class StreamFailure extends Error {
  readonly end: Extract<StreamEnd, { kind: "failed" }>;

  constructor(end: Extract<StreamEnd, { kind: "failed" }>) {
    super(`the response broke off: ${end.errorType}`);
    this.name = "StreamFailure";
    this.end = end;
  }
}

/** The outcome of a streamed response. */
export interface StreamedResponse {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly end: Promise<StreamEnd>;
}

/**
 * The chunks of a response whose end is an error if the response's is.
 * @throws {StreamFailure} After the last chunk, when the runtime said so or broke off.
 */
export async function* chunksOrFailure({
  chunks,
  end,
}: StreamedResponse): AsyncGenerator<Uint8Array, void, void> {
  yield* chunks;
  const ending = await end;
  if (ending.kind === "failed") throw new StreamFailure(ending);
}

/** All of a streamed response at once, with how it ended. */
export async function wholeStream({
  chunks,
  end,
}: StreamedResponse): Promise<{ readonly body: Uint8Array; readonly end: StreamEnd }> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return { body: Buffer.concat(all), end: await end };
}
