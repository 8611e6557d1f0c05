/**
 * The pipe behind a handler's standard output, for one event.
 *
 * @module
 */

import { lazy } from "./lazy.ts";
import { close, O_NONBLOCK, pipe, read, WOULD_BLOCK } from "./libc.ts";
import type { Poller } from "./poller.ts";

/** Bytes of the handler's standard output, valid until the call returns. */
export type OnOutput = (bytes: Uint8Array) => void;

/** Most bytes taken at once. */
const READ_BYTES = 64 * 1024;
/** Most reads behind the handler's end: a pipe holds 64 KiB, so only a late writer gets there. */
const DRAIN_READS_MAX = 32;

/** Shared by all events: what has been read is passed on before the next read. */
const scratch = lazy(() => Buffer.allocUnsafeSlow(READ_BYTES));

/** Passes on what a handler writes, as it is written, during any wait. */
export class OutputPipe {
  /** Where the handler writes. */
  readonly writeEnd: number;
  readonly #readEnd: number;
  readonly #poller: Poller;
  readonly #onOutput: OnOutput;

  constructor(poller: Poller, onOutput: OnOutput) {
    [this.#readEnd, this.writeEnd] = pipe(O_NONBLOCK);
    this.#poller = poller;
    this.#onOutput = onOutput;
    poller.watch(this.#readEnd, () => this.#pass());
  }

  /**
   * Passes on what the handler had written when it ended, and closes the pipe.
   * @returns The read end, for its new owner, if a background process still holds the other.
   */
  finish(): number | undefined {
    this.#poller.unwatch(this.#readEnd);
    close(this.writeEnd);
    for (let reads = 0; reads < DRAIN_READS_MAX; reads += 1) {
      const count = this.#pass();
      if (count === 0) {
        close(this.#readEnd);
        return undefined;
      }
      if (count === WOULD_BLOCK) break;
    }
    return this.#readEnd;
  }

  /** One read: its bytes, 0 at the end, {@link WOULD_BLOCK} when nothing is there. */
  #pass(): number {
    const count = read(this.#readEnd, scratch());
    if (count > 0) this.#onOutput(scratch().subarray(0, count));
    return count;
  }
}
