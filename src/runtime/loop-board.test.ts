import { describe, expect, test } from "bun:test";

import { LOOP_STATE, LoopBoard, LoopSlot } from "./loop-board.ts";

function invocationOf(requestId: string, invocationId?: string) {
  const headers = new Map([["lambda-runtime-aws-request-id", requestId]]);
  if (invocationId !== undefined) headers.set("lambda-runtime-invocation-id", invocationId);
  return { requestId, headers, event: new Uint8Array([0x7b, 0x7d]) };
}

/** What of an invocation the supervisor must find. */
function idsIn(board: LoopBoard, index: number) {
  const { invocation } = board.read(index);
  return (
    invocation && [invocation.requestId, invocation.headers.get("lambda-runtime-invocation-id")]
  );
}

describe("the board of the loops", () => {
  test("knows of a loop that has written nothing that it loads", () => {
    const board = new LoopBoard();
    for (const index of [0, 1, 1599]) {
      expect(board.read(index)).toEqual({
        state: LOOP_STATE.loading,
        hadEvent: false,
        invocation: undefined,
      });
    }
  });

  test("keeps the slots apart", () => {
    const board = new LoopBoard();
    for (const index of [0, 1, 2, 799, 1599]) {
      new LoopSlot(board.descriptor, index).begin(invocationOf(`id-${index}`, `attempt-${index}`));
    }
    for (const index of [0, 1, 2, 799, 1599]) {
      expect(idsIn(board, index)).toEqual([`id-${index}`, `attempt-${index}`]);
    }
    expect(board.read(3).invocation).toBeUndefined();
  });

  test.each([
    ["a UUID", "8476a536-e9f4-11e8-9739-2dfe598c3fcd", undefined],
    ["both ids", "a", "b"],
    ["bytes above ASCII", "\u00e9\u00ff", "\u0080"],
    ["ids that just fit", "x".repeat(253), "y".repeat(254)],
  ])("keeps %s as it is", (_, requestId, invocationId) => {
    const board = new LoopBoard();
    new LoopSlot(board.descriptor, 7).begin(invocationOf(requestId, invocationId));
    expect(idsIn(board, 7)).toEqual([requestId, invocationId ?? ""]);
  });

  test.each([
    ["a request id", "x".repeat(600), undefined],
    ["an invocation id", "x", "y".repeat(600)],
    ["both, by one byte", "x".repeat(254), "y".repeat(254)],
  ])("does not keep %s that is too long, and leaves the next slot alone", (_, id, attempt) => {
    const board = new LoopBoard();
    new LoopSlot(board.descriptor, 1).begin(invocationOf("next"));
    new LoopSlot(board.descriptor, 0).begin(invocationOf("before"));
    new LoopSlot(board.descriptor, 0).begin(invocationOf(id, attempt));
    const { state, hadEvent, invocation } = board.read(0);
    expect([state, hadEvent, invocation]).toEqual([LOOP_STATE.handling, true, undefined]);
    expect(idsIn(board, 1)).toEqual(["next", ""]);
  });

  test("follows a loop from state to state, with its event", () => {
    const board = new LoopBoard();
    const slot = new LoopSlot(board.descriptor, 0);
    slot.set(LOOP_STATE.waiting);
    expect(board.read(0)).toMatchObject({ state: LOOP_STATE.waiting, hadEvent: false });
    slot.begin(invocationOf("first"));
    for (const state of [LOOP_STATE.posting, LOOP_STATE.settled] as const) {
      slot.set(state);
      expect(board.read(0)).toMatchObject({ state, hadEvent: true });
      expect(idsIn(board, 0)).toEqual(["first", ""]);
    }
    slot.begin(invocationOf("2"));
    expect(board.read(0).state).toBe(LOOP_STATE.handling);
    expect(idsIn(board, 0)).toEqual(["2", ""]);
  });

  test("forgets a loop that is started again", () => {
    const board = new LoopBoard();
    new LoopSlot(board.descriptor, 4).begin(invocationOf("before"));
    board.clear(4);
    expect(board.read(4)).toEqual({
      state: LOOP_STATE.loading,
      hadEvent: false,
      invocation: undefined,
    });
  });
});
