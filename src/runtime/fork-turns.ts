/**
 * Hands events to forks so that a status is always its event's: the runtime's part of the protocol that
 * fork-server.sh tells, without the system calls, so that a test can try every order of things.
 *
 * Each event has two pipes of its own: one through which a fork gets it, and one for what it writes and,
 * after that, its status. Forks know two fixed paths, NEXT and OUTPUT, which the runtime leads to a pipe
 * each. Invariants:
 *   1. NEXT is led to a new pipe, then OUTPUT, then the event is sent into the pipe that NEXT led to
 *      before. So a fork that can take it was made before that, all forks before that one had said their
 *      status before, elsewhere, and the first status in the event's output is that of the fork that has it.
 *   2. When the event is sent the runtime holds no read end of its pipe: it fails unless a fork has the pipe
 *      open. Since one fork lives at a time and NEXT leads elsewhere, an event is taken once or not at all.
 *   3. A fork that is killed after the event was sent has it: its status is the event's, an error.
 * So neither kills at any moment, nor a runtime that is stopped between any two of its steps, can lead to
 * a status or an output of another event, or to an event that runs twice.
 *
 * @module
 */

/** The end of a pipe through which one event is sent. */
export interface EventPipe {
  /** Sends a script, whole, and closes the pipe; false if no fork has opened it. */
  send(script: Uint8Array): boolean;
}

/** An event's output. */
export interface EventOutput {
  /** The status that has come through it, if any. */
  readonly status: number | undefined;
  /** Takes what has been written up to now. */
  pass(): void;
}

/** The pipes that both sides share. */
export interface SharedPipes<Output extends EventOutput> {
  /** Leads NEXT to a new pipe and returns the one before. */
  renewNext(): EventPipe;
  /** Whether a fork has read from the pipe that NEXT leads to; it may have ended since. Waits find it out. */
  isNextRead(): boolean;
  /** Leads OUTPUT to a new pipe. */
  openOutput(): Output;
  /** Leads OUTPUT to CONTROL again; what is still written to the pipe belongs to no event. */
  closeOutput(output: Output): void;
  /** Serves all pipes until something holds; false if the shell has ended before. */
  waitUntil(holds: () => boolean): boolean;
}

/** What decides whether an event may still begin. */
export interface TurnWatch {
  /** Whether it has been told to end, so that no fork may take it. */
  isOver(): boolean;
}

/** How an event ended. */
export type TurnEnd =
  /** Its fork has ended with this status, as `$?` has it. */
  | { readonly kind: "ended"; readonly status: number }
  /** It was told to end before a fork had taken it. */
  | { readonly kind: "not begun" }
  /** The loaded shell has ended. */
  | { readonly kind: "shell ended" }
  /** Its fork has ended, but its status was read by somebody else. */
  | { readonly kind: "status lost" };

/** The turns of one loaded shell. */
export class ForkTurns<Output extends EventOutput> {
  readonly #pipes: SharedPipes<Output>;
  #idleEnds = 0;

  constructor(pipes: SharedPipes<Output>) {
    this.#pipes = pipes;
  }

  /** How many forks have ended since the last event, without one. */
  get idleEnds(): number {
    return this.#idleEnds;
  }

  /** Takes note of a status that has come through CONTROL. */
  hearIdleEnd(): void {
    this.#idleEnds += 1;
  }

  /** Has a fork run a script, and waits for its end. */
  run(script: Uint8Array, watch?: TurnWatch): TurnEnd {
    const pipes = this.#pipes;
    for (;;) {
      if (!pipes.waitUntil(() => pipes.isNextRead())) return { kind: "shell ended" };
      if (watch?.isOver() === true) return { kind: "not begun" };
      const pipe = pipes.renewNext();
      const output = pipes.openOutput();
      // If nobody takes it, that fork has ended: the next one opens the new pipe.
      const end = pipe.send(script) ? this.#waitForEnd(output) : undefined;
      pipes.closeOutput(output);
      if (end === undefined) continue;
      this.#idleEnds = 0;
      return end;
    }
  }

  #waitForEnd(output: Output): TurnEnd {
    const pipes = this.#pipes;
    const lives = pipes.waitUntil(() => output.status !== undefined || pipes.isNextRead());
    // A status is written before the next fork is made, and before the shell ends by itself.
    if (output.status === undefined) output.pass();
    const { status } = output;
    if (status !== undefined) return { kind: "ended", status };
    return { kind: lives ? "status lost" : "shell ended" };
  }
}
