/**
 * What each of several loops is doing, in a file in memory that all of them share with their
 * supervisor: so that the event of a loop that was killed can still be reported.
 *
 * Each loop writes to a slot of its own, and the supervisor reads a slot when its loop has ended. This
 * costs an event two or three system calls and wakes nobody.
 *
 * A slot: the loop's state (1 byte), whether it was ever given an event (1), the length of what
 * follows (2, little-endian), the request id and the invocation id, a NUL between them.
 *
 * @module
 */

import { HEADER } from "../runtime-api/contract.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { latin1Bytes } from "./bytes.ts";
import { memoryFile, readAt, writeAt } from "./libc.ts";

/** What a loop was last seen doing. */
export const LOOP_STATE = {
  /** Loading its handler. */
  loading: 0,
  /** It has asked for an event on the connection that it shares, and read nothing of the response. */
  waiting: 1,
  /** Handling an event, of whose result nothing is on the wire. */
  handling: 2,
  /** Sending the result: what it has sent is not yet the whole of it. */
  posting: 3,
  /** It has no event, or nothing may be reported of it any more: a stream has begun, or all is sent. */
  settled: 4,
} as const;
export type LoopState = (typeof LOOP_STATE)[keyof typeof LOOP_STATE];

const SLOT_BYTES = 512;
const HEAD_BYTES = 4;
const INVOCATION_ID = HEADER.invocationId.toLowerCase();

/** A loop as its supervisor finds it. */
export interface LoopRecord {
  readonly state: LoopState;
  /** Whether it was given an event since it was started. */
  readonly hadEvent: boolean;
  /** Its event, or the last one; undefined if there was none, or its ids were too long to be kept. */
  readonly invocation: Invocation | undefined;
}

/** The supervisor's view of all slots. */
export class LoopBoard {
  /** The file, to be handed to the loops. */
  readonly descriptor = memoryFile();

  read(index: number): LoopRecord {
    const slot = Buffer.alloc(SLOT_BYTES);
    readAt(this.descriptor, slot, index * SLOT_BYTES);
    const ids = slot.toString("latin1", HEAD_BYTES, HEAD_BYTES + slot.readUInt16LE(2));
    const [requestId = "", invocationId = ""] = ids.split("\0");
    const headers = new Map([[INVOCATION_ID, invocationId]]);
    return {
      state: slot[0] as LoopState,
      hadEvent: slot[1] === 1,
      invocation: requestId === "" ? undefined : { requestId, headers, event: new Uint8Array(0) },
    };
  }

  /** Empties a slot, for the loop that is started next. */
  clear(index: number): void {
    writeAt(this.descriptor, new Uint8Array(HEAD_BYTES), index * SLOT_BYTES);
  }
}

/** A loop's own slot. */
export class LoopSlot {
  readonly #descriptor: number;
  readonly #offset: number;

  constructor(descriptor: number, index: number) {
    this.#descriptor = descriptor;
    this.#offset = index * SLOT_BYTES;
  }

  /** Says what the loop does from now on. */
  set(state: LoopState): void {
    writeAt(this.#descriptor, new Uint8Array([state]), this.#offset);
  }

  /** Says which event the loop handles from now on. */
  begin({ requestId, headers }: Invocation): void {
    const ids = latin1Bytes(`${requestId}\0${headers.get(INVOCATION_ID) ?? ""}`);
    const length = ids.length <= SLOT_BYTES - HEAD_BYTES ? ids.length : 0;
    const slot = Buffer.alloc(HEAD_BYTES + length);
    slot[0] = LOOP_STATE.handling;
    slot[1] = 1;
    slot.writeUInt16LE(length, 2);
    ids.copy(slot, HEAD_BYTES, 0, length);
    writeAt(this.#descriptor, slot, this.#offset);
  }
}
