/**
 * Waits, in one place, for whatever may happen next: bytes from the handler, the platform's response,
 * the shell's end, SIGTERM.
 *
 * @module
 */

import { elapsedMs } from "./clock.ts";
import { POLLIN, POLLOUT, PollSet } from "./poll-set.ts";

/** A set of watched descriptors, each with what to do when it is readable or hung up. */
export class Poller {
  // Both in one order; changed in place, since an event changes them several times.
  readonly #set = new PollSet();
  readonly #callbacks: ((events: number) => void)[] = [];
  /** The descriptor whose callback is running: if that one has to wait, it is not called again. */
  #serving: number | undefined;
  readonly #onInterrupted: () => void;

  /** @param onInterrupted Told when a signal has ended a wait that goes on. */
  constructor(onInterrupted: () => void = () => undefined) {
    this.#onInterrupted = onInterrupted;
  }

  /** Calls back, during any later wait, when the descriptor is readable or hung up. */
  watch(descriptor: number, onReady: () => void): void {
    this.#callbacks[this.#set.add(descriptor, POLLIN)] = onReady;
  }

  /** Calls back once, during any later wait, when the descriptor takes bytes. */
  watchOnceWritable(descriptor: number, onReady: () => void): void {
    this.#callbacks[this.#set.add(descriptor, POLLOUT)] = () => {
      this.unwatch(descriptor);
      onReady();
    };
  }

  unwatch(descriptor: number): void {
    const index = this.#set.indexOf(descriptor);
    if (index < 0) return;
    this.#set.removeAt(index);
    const last = this.#callbacks.pop();
    if (last !== undefined && index < this.#callbacks.length) this.#callbacks[index] = last;
  }

  /** Serves the watched descriptors until a condition holds, however long it takes. */
  waitUntil(holds: () => boolean): void {
    while (!holds()) {
      this.#serveOnce(-1);
    }
  }

  /**
   * Serves the watched descriptors for a time in milliseconds. Not for callbacks: that of a descriptor which
   * is still readable would be called inside itself.
   */
  serveFor(ms: number): void {
    this.#serveUntil(() => false, ms);
  }

  /** Waits until a descriptor is readable, serving the watched ones meanwhile. */
  waitReadable(descriptor: number): void {
    this.waitFor(descriptor, POLLIN);
  }

  /**
   * Waits until one of some events comes on a descriptor, serving the watched ones meanwhile.
   * @param timeoutMs Longest wait, in milliseconds; none unless it is given.
   * @returns What has come, errors and hang-ups included; 0 when the time is over.
   */
  waitFor(descriptor: number, events: number, timeoutMs?: number): number {
    const paused = this.#serving;
    if (paused !== undefined) this.#set.pause(paused);
    let ready = 0;
    const index = this.#set.add(descriptor, events);
    this.#callbacks[index] = (come) => {
      ready = come;
    };
    if (timeoutMs === undefined) this.waitUntil(() => ready !== 0);
    else this.#serveUntil(() => ready !== 0, timeoutMs);
    this.unwatch(descriptor);
    if (paused !== undefined) this.#set.resume(paused, POLLIN);
    return ready;
  }

  #serveUntil(holds: () => boolean, ms: number): void {
    const endAt = elapsedMs() + ms;
    for (let restMs = ms; restMs > 0 && !holds(); restMs = endAt - elapsedMs()) {
      this.#serveOnce(Math.ceil(restMs));
    }
  }

  #serveOnce(timeoutMs: number): void {
    if (this.#set.poll(timeoutMs)) this.#serveReady();
    else this.#onInterrupted();
  }

  #serveReady(): void {
    // From the end, since a callback may stop watching itself, and the last entry takes its place.
    for (let index = this.#set.length - 1; index >= 0; index -= 1) {
      const events = this.#set.takeReady(index);
      if (events === 0) continue;
      const outer = this.#serving;
      this.#serving = this.#set.descriptorAt(index);
      this.#callbacks[index]?.(events);
      this.#serving = outer;
    }
  }
}
