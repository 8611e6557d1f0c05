/**
 * A runtime that somebody else starts, in a debugger for instance: there is no process of ours.
 *
 * @module
 */

import type { ProcessEnd } from "../invocation/platform-error.ts";

/** Stands for the process; it ends when the environment is to end. */
export class AttachedRuntime {
  readonly pid = undefined;
  readonly #onEnd: (end: ProcessEnd) => void;
  #ended = false;

  constructor(onEnd: (end: ProcessEnd) => void) {
    this.#onEnd = onEnd;
  }

  /** Leaves the process alone: only the environment has an end. */
  signal(): void {
    if (this.#ended) return;
    this.#ended = true;
    queueMicrotask(() => this.#onEnd({ kind: "exited", status: 0 }));
  }

  /** As {@link signal}. */
  kill(): void {
    this.signal();
  }

  /** Its memory is not known. */
  peakBytes(): number {
    return 0;
  }

  /** Its processes are not ours to name. */
  descendants(): readonly string[] {
    return [];
  }
}
