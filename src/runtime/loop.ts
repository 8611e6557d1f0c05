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
/** Where a loop has the connection that its supervisor has made for it. */
const CONNECTION = 3;
const CONNECTED = { no: "unconnected", yes: "connected", asked: "asked" } as const;

/** A connection that a loop shares with its supervisor. */
export interface SharedConnection {
  readonly socket: number;
  /** Whether it has been asked for an event on it, in a life before, and the response has not come. */
  readonly hasAsked: boolean;
}

/** What a supervisor tells a loop. */
export interface LoopOrders {
  readonly index: number;
  readonly isFirst: boolean;
  /** The supervisor's process id. */
  readonly supervisor: number;
  /** The board that it shares with its supervisor. */
  readonly board: number;
  /** A connection to the Runtime API that it shares with its supervisor, if that could make one. */
  readonly connection: SharedConnection | undefined;
  /** The handler's name. */
  readonly handler: string;
}

/** The arguments of a loop's process. */
export function loopArguments(orders: LoopOrders): string[] {
  const { index, isFirst, supervisor, connection, handler } = orders;
  const kind = isFirst ? FIRST : OTHER;
  const asked = connection?.hasAsked === true ? CONNECTED.asked : CONNECTED.yes;
  const connected = connection === undefined ? CONNECTED.no : asked;
  return [kind, `${index}`, `${supervisor}`, connected, handler];
}

/** The descriptors of a loop's process. */
export function loopDescriptors({
  board,
  connection,
}: LoopOrders): [number, number, number, ...number[]] {
  return [board, 1, 2, ...(connection === undefined ? [] : [connection.socket])];
}

/** A loop that was started by a supervisor. */
export class Loop {
  /** How many arguments make a process a loop; the handler's name follows. */
  static readonly argumentCount = 4;
  /** Whether it is the one that reports why the handler cannot be loaded. */
  readonly isFirst: boolean;
  readonly slot: LoopSlot;
  readonly connection: SharedConnection | undefined;
  /** The board that it shares with its supervisor and the other loops. */
  readonly board = BOARD;
  readonly #supervisor: number;

  private constructor(args: readonly string[]) {
    const [kind, index, supervisor, connected] = args;
    this.isFirst = kind === FIRST;
    this.slot = new LoopSlot(BOARD, Number(index));
    if (connected !== CONNECTED.no) {
      this.connection = { socket: CONNECTION, hasAsked: connected === CONNECTED.asked };
    }
    this.#supervisor = Number(supervisor);
  }

  /**
   * The loop that this process is; undefined if it is none.
   * @param args The process's own arguments, without the program's name.
   */
  static from(args: readonly string[]): Loop | undefined {
    return args[0] === FIRST || args[0] === OTHER ? new Loop(args) : undefined;
  }

  /** Has this process end when its supervisor does; SIGTERM must be watched by now. */
  endWithSupervisor(): void {
    endWithParent(this.#supervisor);
  }

  /** Has the supervisor know that the handler is loaded. */
  tellLoaded(): void {
    // What was asked for in a life before is waited for already: that must not be lost if this life ends now.
    this.slot.set(this.connection?.hasAsked === true ? LOOP_STATE.waiting : LOOP_STATE.settled);
    // It looks at its loops whenever this signal comes.
    kill(this.#supervisor, SIGNAL.child);
  }
}
