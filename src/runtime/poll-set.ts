/**
 * The array of `struct pollfd` that poll(2) takes, changed in place.
 *
 * @see https://man7.org/linux/man-pages/man2/poll.2.html
 * @module
 */

import { poll } from "./libc.ts";

/** Something can be read, or the other end is closed. */
export const POLLIN = 1;
/** Something can be written. */
export const POLLOUT = 4;

/** Room for so many descriptors at first: a shell's, the connection, and some late outputs. */
const FIRST_CAPACITY = 64;
/** Size of a `struct pollfd`, in 16-bit words: descriptor (2), events (1), returned events (1). */
const ENTRY_WORDS = 4;

/** Descriptors with the events to wait for, and the events that have come. */
export class PollSet {
  #words = new Int16Array(FIRST_CAPACITY * ENTRY_WORDS);
  #descriptors = new Int32Array(this.#words.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a descriptor at the end and returns its index. */
  add(descriptor: number, events: number): number {
    const index = this.#length;
    this.#length += 1;
    if (this.#words.length < this.#length * ENTRY_WORDS) this.#grow();
    this.#write(index, descriptor, events);
    return index;
  }

  /** Removes an entry; the last one takes its place, as if nothing had happened on it. */
  removeAt(index: number): void {
    this.#length -= 1;
    const last = this.#length;
    this.#write(index, this.descriptorAt(last), this.#words[last * ENTRY_WORDS + 2] as number);
  }

  descriptorAt(index: number): number {
    return this.#descriptors[index * 2] as number;
  }

  indexOf(descriptor: number): number {
    for (let index = 0; index < this.#length; index += 1) {
      if (this.descriptorAt(index) === descriptor) return index;
    }
    return -1;
  }

  /** Stops waiting for a descriptor, which keeps its place. */
  pause(descriptor: number): void {
    this.resume(descriptor, 0);
  }

  /** Waits for a descriptor's events again. */
  resume(descriptor: number, events: number): void {
    const index = this.indexOf(descriptor);
    if (index >= 0) this.#words[index * ENTRY_WORDS + 2] = events;
  }

  /**
   * Waits until something comes, or a time in milliseconds is over (never, if negative).
   * @returns False if a signal has ended the wait.
   */
  poll(timeoutMs: number): boolean {
    return poll(this.#words, this.#length, timeoutMs);
  }

  /** What came on an entry, as poll(2) has it; it is told once. */
  takeReady(index: number): number {
    const at = index * ENTRY_WORDS + 3;
    const events = this.#words[at] as number;
    this.#words[at] = 0;
    return events;
  }

  #grow(): void {
    const larger = new Int16Array(this.#words.length * 2);
    larger.set(this.#words);
    this.#words = larger;
    this.#descriptors = new Int32Array(larger.buffer);
  }

  #write(index: number, descriptor: number, events: number): void {
    this.#descriptors[index * 2] = descriptor;
    this.#words[index * ENTRY_WORDS + 2] = events;
    this.#words[index * ENTRY_WORDS + 3] = 0;
  }
}

/** Whether a descriptor is readable, or hung up, at this moment. */
export function isReadableNow(descriptor: number): boolean {
  const words = new Int16Array(ENTRY_WORDS);
  new Int32Array(words.buffer)[0] = descriptor;
  words[2] = POLLIN;
  poll(words, 1, 0);
  return words[3] !== 0;
}
