/**
 * One loop of a runtime, as the Runtime API sees it: its state, its poll, its event.
 *
 * A runtime has one; only with `AWS_LAMBDA_MAX_CONCURRENCY` there are more. The names of the states
 * are those that Lambda prints in its refusals.
 * @module
 */

import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

import type { PendingInvocation } from "../invocation/invocation.ts";

/** Where a loop stands. */
export type RuntimeState =
  | "Started"
  | "InitError"
  | "RestoreReady"
  | "Restoring"
  | "RuntimeRestoreErrorState"
  | "Ready"
  | "Running"
  | "InvocationResponse"
  | "InvocationErrorResponse"
  | "RuntimeResponseSentState"
  | "Expired"
  | "Terminated";

/** What can happen to it. */
export type RuntimeEvent =
  | "next"
  | "deliver"
  | "disconnect"
  | "response"
  | "error"
  | "sent"
  | "expire"
  | "initError"
  | "restoreNext"
  | "restored"
  | "restoreError";

/** All that is allowed; what is not named is refused. */
const TRANSITIONS: Readonly<
  Record<RuntimeState, Readonly<Partial<Record<RuntimeEvent, RuntimeState>>>>
> = {
  Started: { next: "Ready", initError: "InitError", restoreNext: "RestoreReady" },
  InitError: {},
  // The snapshot is taken; what waits for the restore may go away and come again.
  RestoreReady: { restored: "Restoring", disconnect: "Started" },
  Restoring: { next: "Ready", restoreError: "RuntimeRestoreErrorState" },
  RuntimeRestoreErrorState: {},
  // The poll may be given up before an event comes: the runtime may ask again.
  Ready: { deliver: "Running", disconnect: "RuntimeResponseSentState" },
  Running: {
    // Asking again before responding delivers the same event again.
    next: "Running",
    disconnect: "Running",
    response: "InvocationResponse",
    error: "InvocationErrorResponse",
    // Its time is up, where the runtime is left alone: what it posts comes too late.
    expire: "Expired",
  },
  InvocationResponse: { sent: "RuntimeResponseSentState" },
  InvocationErrorResponse: { sent: "RuntimeResponseSentState" },
  RuntimeResponseSentState: { next: "Ready" },
  // Takes no event until its handler has ended, however long that takes.
  Expired: { next: "Ready" },
  Terminated: {},
};

/** The state that an event asks for, for the words of a refusal. */
const TARGET: Readonly<Record<RuntimeEvent, RuntimeState>> = {
  next: "Ready",
  deliver: "Running",
  disconnect: "RuntimeResponseSentState",
  response: "InvocationResponse",
  error: "InvocationErrorResponse",
  sent: "RuntimeResponseSentState",
  expire: "Expired",
  initError: "InitError",
  restoreNext: "RestoreReady",
  restored: "Restoring",
  restoreError: "RuntimeRestoreErrorState",
};

/** All states, for tests that exhaust the table. */
export const RUNTIME_STATES = Object.keys(TRANSITIONS) as readonly RuntimeState[];

/** All events, for tests that exhaust the table. */
export const RUNTIME_EVENTS = Object.keys(TARGET) as readonly RuntimeEvent[];

/** The state after an event, or `undefined` when the event is refused. */
export function nextState(state: RuntimeState, event: RuntimeEvent): RuntimeState | undefined {
  return TRANSITIONS[state][event];
}

/** Lambda's words for a refused event. */
export function refusalMessage(state: RuntimeState, event: RuntimeEvent): string {
  return (
    `State transition from ${state} to ${TARGET[event]} failed for runtime. ` +
    "Error: State transition is not allowed"
  );
}

/** One loop. */
export class RuntimeLoop {
  /** The poll that waits for an event. */
  poll: ServerResponse | undefined;
  invocation: PendingInvocation | undefined;
  /** Headers of `/next` for {@link invocation}. */
  headers: Record<string, string> = {};
  /** The connection on which {@link invocation} went out. */
  connection: Socket | undefined;
  #state: RuntimeState = "Started";

  get state(): RuntimeState {
    return this.#state;
  }

  /** Takes an event of the state table; false when it is refused. */
  move(event: RuntimeEvent): boolean {
    const state = nextState(this.#state, event);
    if (state === undefined) return false;
    this.#state = state;
    return true;
  }

  /** From now on everything is refused. */
  terminate(): void {
    this.#state = "Terminated";
    this.invocation = undefined;
    this.connection = undefined;
    this.poll?.destroy();
    this.poll = undefined;
  }
}
