/**
 * A response that reaches its caller while the runtime still writes it.
 *
 * A slow caller slows the runtime down; a caller that has gone does not: Lambda runs the function
 * to its end then, so the rest is read and thrown away.
 * @module
 */

import type { IncomingMessage } from "node:http";

import { CONTENT_TYPE, HEADER } from "../../runtime-api/contract.ts";
import type { UnreportedError } from "../invocation/outcome.ts";
import { errorOutcome, streamTooLargeError } from "../invocation/platform-error.ts";

/** Bytes that may wait for a slow caller before the runtime is made to wait, 1 MiB. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** How the bytes ended, as far as the runtime's connection tells. */
export type BytesEnd =
  { readonly kind: "complete" } | { readonly kind: "truncated" } | UnreportedError;

/** The body of a streaming `/response` request, passed on as it arrives. */
export class ResponseStream implements AsyncIterable<Uint8Array> {
  readonly end: Promise<BytesEnd>;
  readonly #source: IncomingMessage;
  readonly #waiting: Uint8Array[] = [];
  readonly #bytesMax: number;
  #waitingBytes = 0;
  #byteLength = 0;
  #finished = false;
  #abandoned = false;
  #wake: (() => void) | undefined;
  readonly #finish: (end: BytesEnd) => void;

  /** @param bytesMax Most bytes that are passed on; the rest is read and counted as an error. */
  constructor(source: IncomingMessage, bytesMax: number) {
    this.#source = source;
    this.#bytesMax = bytesMax;
    const { promise, resolve } = Promise.withResolvers<BytesEnd>();
    this.end = promise;
    this.#finish = (end) => {
      this.#finished = true;
      resolve(end);
      this.#wake?.();
    };
    source.on("data", (chunk: Uint8Array) => this.#take(chunk));
    source.on("end", () => this.#finish(this.#ending()));
    source.on("aborted", () => this.#finish({ kind: "truncated" }));
    source.on("error", () => this.#finish({ kind: "truncated" }));
  }

  /** Ends the stream with an error, as when the runtime dies or is killed; the first end counts. */
  fail(error: UnreportedError): void {
    this.#finish(error);
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
    if (this.#abandoned || this.#finished || this.#byteLength > this.#bytesMax) return;
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.byteLength;
    if (this.#waitingBytes >= WAITING_BYTES_MAX) this.#source.pause();
    this.#wake?.();
  }

  #ending(): BytesEnd {
    if (this.#byteLength > this.#bytesMax) {
      return errorOutcome("response-too-large", streamTooLargeError(this.#bytesMax));
    }
    const { trailers } = this.#source;
    const errorType = trailers[HEADER.errorType.toLowerCase()];
    if (errorType === undefined || errorType === "") return { kind: "complete" };
    const body = Buffer.from(trailers[HEADER.errorBody.toLowerCase()] ?? "", "base64");
    return errorOutcome("reported", { errorType, body, contentType: CONTENT_TYPE.json });
  }
}
