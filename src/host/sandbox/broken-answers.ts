/**
 * Answers that a runtime has broken off, and why.
 *
 * @module
 */

import type { UnreportedError } from "../invocation/outcome.ts";
import {
  errorOutcome,
  exitError,
  type ProcessEnd,
  truncatedError,
} from "../invocation/platform-error.ts";
import { LOG_DRAIN_MS } from "./process.ts";

/** Finds the cause: a runtime that dies breaks its answer off too; its death is the better reason. */
export class BrokenAnswers {
  readonly #waiting = new Set<(end?: ProcessEnd) => void>();

  /** The error of an answer that has just been broken off, once it is known. */
  async cause(requestId: string): Promise<UnreportedError> {
    const { promise, resolve } = Promise.withResolvers<ProcessEnd | undefined>();
    const timer = setTimeout(resolve, LOG_DRAIN_MS);
    this.#waiting.add(resolve);
    const end = await promise;
    this.#waiting.delete(resolve);
    clearTimeout(timer);
    return end === undefined
      ? errorOutcome("invalid-response", truncatedError(requestId))
      : errorOutcome("exit", exitError(requestId, end));
  }

  /** The runtime has ended, or asks for another event and so lives on. */
  tell(end?: ProcessEnd): void {
    for (const resolve of this.#waiting) resolve(end);
  }
}
