/**
 * Clocks of things that may have nothing to do for a while, and not for longer.
 *
 * @module
 */

/** One clock for each thing. */
export class IdleTimers<Thing> {
  readonly #timers = new Map<Thing, Timer>();

  /** Starts a thing's clock anew; it does not keep the process. */
  watch(thing: Thing, idleMs: number, onIdle: () => void): void {
    clearTimeout(this.#timers.get(thing));
    const timer = setTimeout(onIdle, idleMs);
    timer.unref();
    this.#timers.set(thing, timer);
  }

  forget(thing: Thing): void {
    clearTimeout(this.#timers.get(thing));
    this.#timers.delete(thing);
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
