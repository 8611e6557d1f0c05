/**
 * What a handler writes on standard output, on its way to the Runtime API: kept until the handler has
 * ended, or streamed once it has begun with the HTTP integration prelude.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
 * @module
 */

import {
  PRELUDE_BYTES_MAX,
  PRELUDE_DELIMITER,
  RESPONSE_BYTES_MAX,
} from "../runtime-api/contract.ts";
import type { FunctionError } from "../runtime-api/function-error.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { characterFrom } from "./last-lines.ts";
import type { Log } from "./log.ts";
import { free } from "./memory.ts";
import type { ResponseStream } from "./response-stream.ts";
import type { RuntimeApiClient } from "./runtime-api-client.ts";

/** One byte over the limit is enough for the platform to refuse a response, which is for it to do. */
const KEPT_BYTES_MAX = RESPONSE_BYTES_MAX + 1;
/** How much of a failed handler's standard output goes to the log, in bytes. */
const LOGGED_BYTES_MAX = 16 * 1024;
const FIRST_CAPACITY_BYTES = 1024;
/** Most room, in bytes, that is kept from one response to the next. */
const SPARE_BYTES_MAX = 128 * 1024;
const OPENING_BRACE = 0x7b;

/** The room of the response before: fresh memory costs more than what most handlers write. */
let spare: Buffer | undefined;

/** The response to one event; memory is bounded whatever the handler writes. */
export class HandlerResponse {
  readonly #client: RuntimeApiClient;
  readonly #invocation: Invocation;
  readonly #log: Log;
  #kept = spare ?? Buffer.alloc(0);
  #keptBytes = 0;
  #totalBytes = 0;
  #mayStream = true;
  #stream: ResponseStream | undefined;
  #isAbandoned = false;

  constructor(client: RuntimeApiClient, invocation: Invocation, log: Log) {
    this.#client = client;
    this.#invocation = invocation;
    this.#log = log;
  }

  /** Takes bytes, which are the caller's again afterwards. */
  write(bytes: Uint8Array): void {
    if (this.#isAbandoned) return;
    this.#totalBytes += bytes.byteLength;
    if (this.#stream === undefined) {
      this.#keep(bytes);
      if (!this.#mayStream || !this.#hasPrelude()) return;
      this.#stream = this.#client.beginStream(this.#invocation);
      this.#stream.write(this.#kept.subarray(0, this.#keptBytes));
    } else {
      this.#stream.write(bytes);
    }
  }

  /** Whether it has begun with the prelude, and is on its way. */
  get isStreamed(): boolean {
    return this.#stream !== undefined;
  }

  /** Takes nothing any more, and breaks off what is being streamed, also while it waits to be sent. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#stream?.breakOff();
  }

  /**
   * Reports an event that was ended at its deadline. A stream, after whose beginning no error may be
   * posted, was broken off.
   */
  finishTimedOut(error: FunctionError): void {
    if (this.#stream !== undefined) {
      this.#stream.close();
      return;
    }
    this.#logOutput();
    this.#client.reportTimeout(this.#invocation, error);
  }

  /** Responds to the event: with what was written or, if the handler failed, with its error. */
  finish(error: FunctionError | undefined): void {
    if (this.#stream !== undefined) {
      this.#client.endStream(this.#stream, this.#invocation, error);
    } else if (error !== undefined) {
      this.#logOutput();
      this.#client.reportError(this.#invocation, error);
    } else {
      if (this.#totalBytes > RESPONSE_BYTES_MAX) {
        this.#log.write(
          "ERROR",
          `the response has ${this.#totalBytes} bytes, Lambda takes at most ${RESPONSE_BYTES_MAX}: ` +
            "write it to S3, or stream it after an HTTP prelude",
        );
      }
      this.#client.respond(this.#invocation, this.#kept.subarray(0, this.#keptBytes));
    }
  }

  /** Lets go of what was kept; returns how many bytes were streamed, which have passed through small buffers. */
  release(): number {
    const kept = this.#kept;
    this.#kept = Buffer.alloc(0);
    if (kept.length <= SPARE_BYTES_MAX) {
      spare = kept;
    } else {
      spare = undefined;
      free(kept);
    }
    return this.#stream === undefined ? 0 : this.#totalBytes;
  }

  /** What a failed handler has written is not a response; the reason may be in it. */
  #logOutput(): void {
    const bytes = this.#keptBytes;
    if (bytes === 0) return;
    const excess = bytes - LOGGED_BYTES_MAX;
    const logged = this.#kept.subarray(excess > 0 ? characterFrom(this.#kept, excess) : 0, bytes);
    const how = this.#totalBytes > logged.length ? `the last ${logged.length} bytes of ` : "";
    this.#log.write("WARN", `${how}the standard output of the handler, which has failed:`);
    this.#log.writeLines(logged);
  }

  #keep(bytes: Uint8Array): void {
    const taken = bytes.subarray(0, KEPT_BYTES_MAX - this.#keptBytes);
    const needed = this.#keptBytes + taken.byteLength;
    if (needed > this.#kept.length) {
      const capacity = Math.max(FIRST_CAPACITY_BYTES, needed, this.#kept.length * 2);
      const larger = Buffer.allocUnsafeSlow(Math.min(capacity, KEPT_BYTES_MAX));
      this.#kept.copy(larger, 0, 0, this.#keptBytes);
      free(this.#kept);
      this.#kept = larger;
    }
    this.#kept.set(taken, this.#keptBytes);
    this.#keptBytes = needed;
  }

  /** Whether what was written so far begins with a JSON object and the delimiter. */
  #hasPrelude(): boolean {
    const head = this.#kept.subarray(0, Math.min(this.#keptBytes, PRELUDE_BYTES_MAX));
    if (head.length === 0) return false;
    const end = head[0] === OPENING_BRACE ? head.indexOf(PRELUDE_DELIMITER) : -1;
    if (end >= 0 && isJsonObject(head.subarray(0, end))) return true;
    // Only more bytes after an opening brace can still make it a prelude.
    this.#mayStream = end < 0 && head[0] === OPENING_BRACE && head.length < PRELUDE_BYTES_MAX;
    return false;
  }
}

function isJsonObject(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
}
