/**
 * The pipe that OUTPUT leads to during one event: what the handler writes on standard output, then its status.
 *
 * @module
 */

import type { EventOutput } from "./fork-turns.ts";
import { lazy } from "./lazy.ts";
import { close, O_NONBLOCK, pipe, read, WOULD_BLOCK } from "./libc.ts";
import type { Poller } from "./poller.ts";
import { OutputSplitter, type StatusMessage } from "./status-message.ts";

/** Bytes of the handler's standard output, valid until the call returns. */
export type OnOutput = (bytes: Uint8Array) => void;

/** Most bytes taken at once: as many as a pipe holds, unless a handler has made it larger. */
const READ_BYTES = 64 * 1024;
/** Most reads after the handler's end: more than a pipe holds, so only a late writer gets there. */
const DRAIN_READS_MAX = 32;

/** Shared by all events: what has been read is passed on before the next read. */
const scratch = lazy(() => Buffer.allocUnsafeSlow(READ_BYTES));

/** What is left of a pipe after its event's end. */
export interface LateOutput {
  /** The read end, for its new owner. */
  readonly descriptor: number;
  /** What has been read from it after the status. */
  readonly bytes: Buffer;
  /** How statuses look that may still come. */
  readonly message: StatusMessage;
}

/** Passes on what a handler writes, as it is written, during any wait. */
export class OutputPipe implements EventOutput {
  /** Where the handler writes. */
  readonly writeEnd: number;
  readonly #readEnd: number;
  readonly #poller: Poller;
  readonly #onOutput: OnOutput;
  readonly #message: StatusMessage;
  readonly #splitter: OutputSplitter;

  constructor(poller: Poller, message: StatusMessage, onOutput: OnOutput) {
    [this.#readEnd, this.writeEnd] = pipe(O_NONBLOCK);
    this.#poller = poller;
    this.#message = message;
    this.#splitter = new OutputSplitter(message);
    this.#onOutput = onOutput;
    poller.watch(this.#readEnd, () => this.#pass());
  }

  get status(): number | undefined {
    return this.#splitter.status;
  }

  pass(): void {
    for (let reads = 0; reads < DRAIN_READS_MAX && this.#pass() > 0; reads += 1);
  }

  /**
   * Stops watching and closes the runtime's write end.
   * @returns What is left, for its new owner, if a background process, or the shell for a moment, still holds the pipe.
   */
  finish(): LateOutput | undefined {
    const descriptor = this.#readEnd;
    this.#poller.unwatch(descriptor);
    close(this.writeEnd);
    const { rest } = this.#splitter;
    const count = rest.length > 0 ? WOULD_BLOCK : read(descriptor, scratch());
    if (count === 0) {
      close(descriptor);
      return undefined;
    }
    const bytes = count > 0 ? Buffer.from(scratch().subarray(0, count)) : rest;
    return { descriptor, bytes, message: this.#message };
  }

  /** One read, before the status has come: its bytes, or less if there are none. */
  #pass(): number {
    if (this.status !== undefined) return 0;
    const count = read(this.#readEnd, scratch());
    if (count <= 0) return count;
    const isCut = count === READ_BYTES;
    const output = this.#splitter.take(scratch().subarray(0, count), isCut);
    if (output.length > 0) this.#onOutput(output);
    return count;
  }
}
