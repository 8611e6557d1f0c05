/**
 * One of several loops, from the inside: what its supervisor has told it, and what it tells back.
 *
 * @module
 */

import { LOOP_STATE, LoopSlot } from "./loop-board.ts";
import { endWithParent, kill, SIGNAL } from "./process.ts";

/** The first arguments of a loop: the first loop's, whose failure to load is everybody's, and others'. */
const FIRST = "--first-loop";
const OTHER = "--loop";

/** The loops' standard input is the board that they share with their supervisor. */
const BOARD = 0;

/** Arguments that make a copy of the runtime one of the loops, for a handler. */
export function loopArguments(
  index: number,
  isFirst: boolean,
  supervisor: number,
  handler: string,
): string[] {
  return [isFirst ? FIRST : OTHER, `${index}`, `${supervisor}`, handler];
}

/** A loop that was started by a supervisor. */
export class Loop {
  /** How many arguments make a process a loop; the handler's name follows. */
  static readonly argumentCount = 3;
  /** Whether it is the one that reports why the handler cannot be loaded. */
  readonly isFirst: boolean;
  readonly slot: LoopSlot;
  readonly #supervisor: number;

  private constructor(isFirst: boolean, index: number, supervisor: number) {
    this.isFirst = isFirst;
    this.slot = new LoopSlot(BOARD, index);
    this.#supervisor = supervisor;
  }

  /**
   * The loop that this process is; undefined if it is none.
   * @param args The process's own arguments, without the program's name.
   */
  static from(args: readonly string[]): Loop | undefined {
    const [kind, index, supervisor] = args;
    if (kind !== FIRST && kind !== OTHER) return undefined;
    return new Loop(kind === FIRST, Number(index), Number(supervisor));
  }

  /** Has this process end when its supervisor does; SIGTERM must be watched by now. */
  endWithSupervisor(): void {
    endWithParent(this.#supervisor);
  }

  /** Has the supervisor know that the handler is loaded. */
  tellLoaded(): void {
    this.slot.set(LOOP_STATE.waiting);
    // It looks at its loops whenever this signal comes.
    kill(this.#supervisor, SIGNAL.child);
  }
}
