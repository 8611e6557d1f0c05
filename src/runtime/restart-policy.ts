/**
 * When a loop that has ended is started again, and when the runtime gives up.
 *
 * @module
 */

/** How long after its end a loop is started again, in milliseconds: doubled with each time, at most. */
const FIRST_DELAY_MS = 100;
const DELAY_MS_MAX = 10_000;
/** A loop that has lived so long, in milliseconds, is as good as one that never ended. */
const LIFE_MS_MIN = 60_000;
/** So many restarts that fail one after the other are enough, when no loop is left. */
const FAILED_RESTARTS_MAX = 5;

/** What is known of a loop that has ended. */
export interface EndedLife {
  readonly lifeMs: number;
  /** Whether it was itself a restart. */
  readonly isRestart: boolean;
  /** Whether it was given an event. */
  readonly hadEvent: boolean;
}

/** One loop's delays. */
export class RestartDelay {
  #nextMs = FIRST_DELAY_MS;

  /** How long to wait, in ms, after a life of so many ms. */
  after(lifeMs: number): number {
    if (lifeMs >= LIFE_MS_MIN) this.#nextMs = FIRST_DELAY_MS;
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(delayMs * 2, DELAY_MS_MAX);
    return delayMs;
  }
}

/** Counts, over all loops, the restarts in a row that came to nothing. */
export class RestartFailures {
  #inARow = 0;

  /** Notes the end of a loop. One that was given an event, or has lived long, had not failed. */
  note({ lifeMs, isRestart, hadEvent }: EndedLife): void {
    if (hadEvent || lifeMs >= LIFE_MS_MIN) this.#inARow = 0;
    else if (isRestart) this.#inARow += 1;
  }

  /** Whether to give up, if no loop is left. */
  get areTooMany(): boolean {
    return this.#inARow >= FAILED_RESTARTS_MAX;
  }
}
