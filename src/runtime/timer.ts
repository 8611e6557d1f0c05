/**
 * A timer on the wall clock, as a descriptor that becomes readable when its time has come.
 *
 * The time of a poll(2) runs on a clock that stands still while an environment is frozen, and does not
 * see that the wall clock was set: a deadline of Lambda's is a time on the wall clock.
 *
 * @see https://man7.org/linux/man-pages/man2/timerfd_create.2.html
 * @module
 */

import { MS_PER_S, NS_PER_MS } from "./clock.ts";
import { dlopen } from "./ffi.ts";
import { lazy } from "./lazy.ts";
import { checked, close, LIBC, O_CLOEXEC, O_NONBLOCK, read } from "./libc.ts";
import type { Poller } from "./poller.ts";

const libc = lazy(
  () =>
    dlopen(LIBC, {
      timerfd_create: { args: ["i32", "i32"], returns: "i32" },
      timerfd_settime: { args: ["i32", "i32", "ptr", "ptr"], returns: "i32" },
    }).symbols,
);

const CLOCK_REALTIME = 0;
const TFD_TIMER_ABSTIME = 1;
/** The time 0 would switch the timer off. */
const SOONEST_NS = 1;

/** Calls back once, during any wait of its poller, when its time has come. */
export class Timer {
  readonly #descriptor: number;
  readonly #poller: Poller;
  // struct itimerspec: interval and value, each seconds and nanoseconds in 64 bits.
  readonly #words = new Int32Array(8);
  readonly #expirations = new Uint8Array(8);

  constructor(poller: Poller, onExpiry: () => void) {
    // The flags have the values of O_NONBLOCK and O_CLOEXEC.
    const flags = O_NONBLOCK | O_CLOEXEC;
    this.#descriptor = checked("timerfd_create", libc().timerfd_create(CLOCK_REALTIME, flags));
    this.#poller = poller;
    poller.watch(this.#descriptor, () => {
      // Nothing to read: it was set again after it had become readable.
      if (read(this.#descriptor, this.#expirations) > 0) onExpiry();
    });
  }

  /** Sets it to a time of the wall clock, in ms since 1970; a time that is over expires at once. */
  setAt(ms: number): void {
    this.#set(Math.max(0, ms), TFD_TIMER_ABSTIME);
  }

  /** Sets it to a time from now, in ms, whatever happens to the wall clock. */
  setIn(ms: number): void {
    this.#set(Math.max(0, ms), 0);
  }

  /** Switches it off. */
  clear(): void {
    this.#settime(0, 0, 0);
  }

  close(): void {
    this.#poller.unwatch(this.#descriptor);
    close(this.#descriptor);
  }

  #set(ms: number, flags: number): void {
    const seconds = Math.floor(ms / MS_PER_S);
    const nanoseconds = Math.floor((ms - seconds * MS_PER_S) * NS_PER_MS);
    this.#settime(seconds, seconds === 0 ? Math.max(SOONEST_NS, nanoseconds) : nanoseconds, flags);
  }

  #settime(seconds: number, nanoseconds: number, flags: number): void {
    this.#words[4] = seconds;
    this.#words[5] = seconds / 2 ** 32;
    this.#words[6] = nanoseconds;
    checked("timerfd_settime", libc().timerfd_settime(this.#descriptor, flags, this.#words, null));
  }
}
