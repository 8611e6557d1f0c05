/**
 * The log of one execution environment: passed on, and its last bytes kept for the caller.
 *
 * @module
 */

import { LOG_TAIL_BYTES_MAX } from "../invocation/outcome.ts";
import { type LogSink, LogTail } from "./log.ts";

/** How long a log line that belongs to an answer may trail behind it, in milliseconds. */
const QUIET_MS = 10;

/** Longest wait for a log to become quiet, in milliseconds. */
const QUIET_WAIT_MS = 100;

/** Takes what the processes of an environment write. */
export class EnvironmentLog {
  readonly #index: number;
  readonly #sink: LogSink;
  readonly #tail = new LogTail(LOG_TAIL_BYTES_MAX);
  #changedAtMs = 0;

  constructor(index: number, sink: LogSink) {
    this.#index = index;
    this.#sink = sink;
  }

  take(chunk: Uint8Array): void {
    this.#changedAtMs = performance.now();
    this.#tail.add(chunk);
    this.#sink(chunk, this.#index);
  }

  /** Forgets what belongs to earlier events. */
  begin(): void {
    this.#tail.clear();
  }

  /** The last bytes since the event began. */
  bytes(): Uint8Array {
    return this.#tail.bytes();
  }

  /** Waits until it has been quiet for a moment; it comes through another pipe than the answer. */
  async settled(): Promise<void> {
    const untilMs = performance.now() + QUIET_WAIT_MS;
    do await Bun.sleep(QUIET_MS);
    while (performance.now() < untilMs && performance.now() - this.#changedAtMs < QUIET_MS);
  }
}
