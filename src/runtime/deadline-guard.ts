/**
 * Ends an event at its deadline, so that a handler that hangs does not keep its loop for good.
 *
 * A managed instance responds to the caller at the deadline and leaves the handler alone: as many events
 * that hang as there are loops would be the end of it. Elsewhere the platform ends the environment, and
 * this is a net below that: it lets the platform come first.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
 * @module
 */

import { elapsedMs, MS_PER_S } from "./clock.ts";
import type { Deadline } from "./deadline.ts";
import { EventProcesses } from "./event-processes.ts";
import { lazy } from "./lazy.ts";
import type { Log } from "./log.ts";
import type { Poller } from "./poller.ts";
import { kill, reap, SIGNAL } from "./process.ts";
import { Timer } from "./timer.ts";

/** How long the event's processes may take to end after SIGTERM, in milliseconds. */
const CLEAN_UP_MS = 1000;
/** How often it is looked for who is left, in milliseconds. */
const CHECK_MS = 5;
/** How often the event's processes are looked for, or killed, before the whole shell has to go. */
const ATTEMPTS_MAX = 200;

/** What handles the event. */
export interface GuardedHandler {
  /** The loaded shell, whose fork handles the event; or the one that is being loaded for it. */
  readonly shell: number;
  /** Whether the event waits for its shell to be loaded: then no fork has it. */
  readonly isLoading: boolean;
}

/** What must end at the deadline. */
export interface GuardedEvent {
  readonly deadline: Deadline;
  /** The handler's shell. */
  readonly handler: GuardedHandler;
  /** Told once, when the deadline has come and before anything is signalled. */
  readonly onDeadline: () => void;
}

/** Watches one event at a time. */
export class DeadlineGuard {
  readonly #graceMs: number;
  readonly #poller: Poller;
  readonly #log: Log;
  readonly #timer: () => Timer;
  #event: GuardedEvent | undefined;
  /** Whether the event's deadline has come. */
  #hasActed = false;
  /** Those that were asked to end. */
  #processes: EventProcesses | undefined;
  /** When they were asked, in ms of `elapsedMs()`. */
  #askedAtMs = 0;
  #hasKilled = false;
  /** Whether the shell was killed while it was loaded. */
  #hasEndedLoading = false;
  /** How often it was tried in vain to find them, or to end them. */
  #attempts = 0;

  /** @param graceMs How long after the deadline it acts, in milliseconds. */
  constructor(graceMs: number, poller: Poller, log: Log) {
    this.#graceMs = graceMs;
    this.#poller = poller;
    this.#log = log;
    this.#timer = lazy(() => new Timer(poller, () => this.#act()));
  }

  /** Whether an event must not be started, since the platform has responded to its caller by now. */
  isTooLate({ deliveredAtMs, atMs }: Deadline): boolean {
    return this.#graceMs === 0 && atMs <= deliveredAtMs;
  }

  /** Watches an event that has been started, or has to wait for its shell, until {@link end}. */
  begin(event: GuardedEvent): void {
    this.#event = event;
    const { deliveredAtMs, atMs } = event.deadline;
    // Where the clocks do not agree the deadline may be over: the handler gets the grace all the same.
    this.#timer().setAt(Math.max(deliveredAtMs, atMs) + this.#graceMs);
  }

  /** Whether the event has been told to end. */
  get hasActed(): boolean {
    return this.#hasActed;
  }

  /**
   * Stops watching the event that has ended; waits until nothing of it lives if it was told to end.
   * @returns Whether it was.
   */
  end(): boolean {
    const event = this.#event;
    this.#event = undefined;
    if (event === undefined || !this.#hasActed) return false;
    this.#waitForEnd();
    const { deliveredAtMs } = event.deadline;
    const seconds = ((Date.now() - deliveredAtMs) / MS_PER_S).toFixed(2);
    this.#log.write(
      "ERROR",
      `the event was ended at its deadline, ${seconds} s after it came, ${this.#means()}`,
    );
    this.#hasActed = false;
    this.#hasKilled = false;
    this.#hasEndedLoading = false;
    this.#processes = undefined;
    this.#attempts = 0;
    return true;
  }

  #means(): string {
    if (this.#hasEndedLoading) return "while the handler's file was loaded again, by SIGKILL";
    return this.#hasKilled ? "by SIGTERM and, 1 s later, SIGKILL" : "by SIGTERM";
  }

  /** Its time has come: asks the event's processes to end, and later leaves them no choice. */
  #act(): void {
    const event = this.#event;
    if (event === undefined) return;
    if (!this.#hasActed) {
      this.#hasActed = true;
      event.onDeadline();
    }
    const { handler } = event;
    this.#hasEndedLoading = handler.isLoading;
    if (handler.isLoading) {
      // Not only its group: programs such as timeout have one of their own.
      this.#processes = EventProcesses.ofLoading(handler.shell);
      this.#processes?.signal(SIGNAL.kill);
      kill(-handler.shell, SIGNAL.kill);
      return;
    }
    if (this.#processes === undefined) this.#ask(handler.shell);
    else this.#kill();
    // Something that cannot be found holds the event: the shell goes, and is loaded again.
    if (this.#attempts > ATTEMPTS_MAX) kill(-handler.shell, SIGNAL.kill);
  }

  #ask(shell: number): void {
    this.#processes = EventProcesses.of(shell);
    if (this.#processes === undefined) {
      // The shell is late to make the fork that the event waits for.
      this.#attempts += 1;
      this.#timer().setIn(CHECK_MS);
      return;
    }
    this.#attempts = 0;
    this.#processes.signal(SIGNAL.terminate);
    this.#askedAtMs = elapsedMs();
    this.#timer().setIn(CLEAN_UP_MS);
  }

  #kill(): void {
    this.#attempts += 1;
    this.#hasKilled = true;
    this.#processes?.signal(SIGNAL.kill);
    this.#timer().setIn(CHECK_MS);
  }

  /** The fork has ended; what it has started may not have. */
  #waitForEnd(): void {
    for (;;) {
      reap();
      const isOver = this.#processes === undefined || this.#processes.living().length === 0;
      if (isOver || this.#attempts > ATTEMPTS_MAX) return;
      if (elapsedMs() - this.#askedAtMs >= CLEAN_UP_MS) this.#kill();
      this.#poller.serveFor(CHECK_MS);
    }
  }
}
