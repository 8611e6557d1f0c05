/**
 * Notices files that the function itself keeps writing, which would reload it for ever.
 *
 * @module
 */

/** Reloads by one file within the window after which it is no longer watched. */
const RELOADS_MAX = 5;

/** Length of the window, in milliseconds. */
const WINDOW_MS = 2_000;

/** Counts reloads per file. */
export class ReloadGuard {
  readonly #times = new Map<string, number[]>();
  readonly #ignored = new Set<string>();

  /**
   * Notes that a file has changed.
   * @param nowMs Monotonic time, in milliseconds.
   * @returns "reload", "ignore" from now on without words, or "give-up" the first time it is too
   * much.
   */
  note(file: string, nowMs: number): "reload" | "ignore" | "give-up" {
    if (this.#ignored.has(file)) return "ignore";
    const recent = (this.#times.get(file) ?? []).filter((time) => nowMs - time < WINDOW_MS);
    recent.push(nowMs);
    this.#times.set(file, recent);
    if (recent.length <= RELOADS_MAX) return "reload";
    this.#ignored.add(file);
    return "give-up";
  }
}
