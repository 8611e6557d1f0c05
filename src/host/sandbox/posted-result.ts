/**
 * What a runtime posts for an event: a response, a response that it still writes, or an error.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";

import { CONTENT_TYPE, HEADER, RESPONSE_MODE_STREAMING } from "../../runtime-api/contract.ts";
import type { PendingInvocation } from "../invocation/invocation.ts";
import {
  responseTooLarge,
  type UnreportedError,
  type UnreportedOutcome,
} from "../invocation/outcome.ts";
import {
  errorOutcome,
  invalidModeError,
  type PlatformError,
  type ProcessEnd,
  processEndError,
  streamTooLargeError,
  truncatedError,
} from "../invocation/platform-error.ts";
import { LOG_DRAIN_MS } from "./process.ts";

/** What the runtime did with an invocation, before the platform adds its measurements. */
export type PostedResult =
  | { readonly kind: "response"; readonly body: Uint8Array; readonly contentType?: string }
  | StreamedResult
  | (PlatformError & { readonly kind: "error" })
  | { readonly kind: "too-large"; readonly byteLength: number }
  | { readonly kind: "invalid-mode" }
  | { readonly kind: "truncated" };

/** A response that is still written. */
export interface StreamedResult {
  readonly kind: "stream";
  readonly stream: PostedStream;
  readonly contentType?: string;
}

/** Bytes that may wait for a slow caller before the runtime is made to wait, 1 MiB. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** How the bytes ended, as far as the runtime's connection tells. */
type BytesEnd = { readonly kind: "complete" } | { readonly kind: "truncated" } | UnreportedError;

/**
 * The body of a streaming `/response` request, passed on as it arrives. A slow caller slows the
 * runtime down; a caller that has gone does not: Lambda runs the function to its end then, so the
 * rest is read and thrown away.
 */
export class PostedStream implements AsyncIterable<Uint8Array> {
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

/** True when the caller gets the response while it is written. */
export function isStreamed(
  mode: string,
  contentType: string | undefined,
  request: IncomingMessage,
  invocation: PendingInvocation,
): boolean {
  if (mode === RESPONSE_MODE_STREAMING) return true;
  if (contentType?.startsWith(CONTENT_TYPE.httpIntegrationResponse) === true) return true;
  // aws-lambda-go streams without saying so: every response of it is chunked.
  const chunked = request.headers["transfer-encoding"]?.toLowerCase() === "chunked";
  return chunked && invocation.request.streaming === true;
}

/** The outcome of a response that arrived whole. */
export function resultOutcome(
  result: Exclude<PostedResult, { kind: "truncated" | "stream" }>,
): UnreportedOutcome {
  switch (result.kind) {
    case "response":
      return { kind: "response", body: result.body, contentType: result.contentType };
    case "error": {
      const { body, contentType, errorType } = result;
      return errorOutcome("reported", { body, contentType, errorType });
    }
    case "too-large":
      return responseTooLarge(result.byteLength);
    case "invalid-mode":
      return errorOutcome("invalid-response", invalidModeError());
  }
}

/** Finds the cause: a runtime that dies breaks its response off too; its death is the better reason. */
export class BrokenResponses {
  readonly #waiting = new Set<(end?: ProcessEnd) => void>();

  /** The error of a response that has just been broken off, once it is known. */
  async cause(requestId: string): Promise<UnreportedError> {
    const { promise, resolve } = Promise.withResolvers<ProcessEnd | undefined>();
    const timer = setTimeout(resolve, LOG_DRAIN_MS);
    this.#waiting.add(resolve);
    const end = await promise;
    this.#waiting.delete(resolve);
    clearTimeout(timer);
    return end === undefined
      ? errorOutcome("invalid-response", truncatedError(requestId))
      : errorOutcome("exit", processEndError(requestId, end));
  }

  /** The runtime has ended, or asks for another event and so lives on. */
  tell(end?: ProcessEnd): void {
    for (const resolve of this.#waiting) resolve(end);
  }
}
