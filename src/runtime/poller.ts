/**
 * Waits, in one place, for whatever may happen next: bytes from the handler, the platform's answer,
 * the shell's end, SIGTERM.
 *
 * @module
 */

import { isReady, poll, POLLIN, POLLOUT, type PollSet, pollSet } from "./libc.ts";

/** A set of watched descriptors, each with what to do when it is readable or hung up. */
export class Poller {
  readonly #watched = new Map<number, () => void>();
  // Laid out anew only when the watched descriptors have changed.
  #set: PollSet | undefined;
  #order: number[] = [];
  /** The descriptor whose callback is running: if that one has to wait, it is not called again. */
  #serving: number | undefined;

  /** Calls back, during any later wait, when the descriptor is readable or hung up. */
  watch(descriptor: number, onReady: () => void): void {
    this.#watched.set(descriptor, onReady);
    this.#set = undefined;
  }

  unwatch(descriptor: number): void {
    if (this.#watched.delete(descriptor)) this.#set = undefined;
  }

  /** Serves the watched descriptors until a condition holds, however long it takes. */
  waitUntil(holds: () => boolean): void {
    while (!holds()) {
      if (this.#set === undefined) {
        this.#order = [...this.#watched.keys()];
        this.#set = pollSet(this.#order.map((descriptor) => [descriptor, POLLIN]));
      }
      const set = this.#set;
      const order = this.#order;
      poll(set, -1);
      for (let index = 0; index < order.length; index += 1) {
        if (isReady(set, index)) this.#serve(order[index] as number);
      }
    }
  }

  /** Waits until a descriptor is readable, serving the watched ones meanwhile. */
  waitReadable(descriptor: number): void {
    let readable = false;
    this.watch(descriptor, () => {
      readable = true;
    });
    this.waitUntil(() => readable);
    this.unwatch(descriptor);
  }

  /** Waits until a descriptor takes bytes, serving the watched ones meanwhile. */
  waitWritable(descriptor: number): void {
    for (;;) {
      const others = [...this.#watched.keys()].filter((other) => other !== this.#serving);
      const set = pollSet([
        [descriptor, POLLOUT],
        ...others.map((other) => [other, POLLIN] as const),
      ]);
      poll(set, -1);
      if (isReady(set, 0)) return;
      others.forEach((other, index) => {
        if (isReady(set, index + 1)) this.#serve(other);
      });
    }
  }

  #serve(descriptor: number): void {
    const outer = this.#serving;
    this.#serving = descriptor;
    // A callback before this one may have stopped watching it.
    this.#watched.get(descriptor)?.();
    this.#serving = outer;
  }
}

/** Whether a descriptor is readable, or hung up, at this moment. */
export function isReadableNow(descriptor: number): boolean {
  const set = pollSet([[descriptor, POLLIN]]);
  return poll(set, 0) && isReady(set, 0);
}
