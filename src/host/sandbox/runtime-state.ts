/**
 * The states of one runtime, as the Runtime API sees them, in one total table: what is not allowed
 * is refused.
 *
 * Names are those that Lambda prints in its refusals.
 * @see runtime-api-server.ts
 * @module
 */

/** Where a runtime (or one of its concurrent loops) stands. */
export type RuntimeState =
  | "Started"
  | "InitError"
  | "Ready"
  | "Running"
  | "InvocationResponse"
  | "InvocationErrorResponse"
  | "RuntimeResponseSentState"
  | "Terminated";

/** What can happen to it. */
export type RuntimeEvent =
  "next" | "deliver" | "disconnect" | "response" | "error" | "sent" | "initError";

const REFUSED = undefined;

/** Every event in every state; `REFUSED` is the answer wherever nothing else is meant. */
const TRANSITIONS: Readonly<
  Record<RuntimeState, Readonly<Record<RuntimeEvent, RuntimeState | undefined>>>
> = {
  Started: {
    next: "Ready",
    deliver: REFUSED,
    disconnect: REFUSED,
    response: REFUSED,
    error: REFUSED,
    sent: REFUSED,
    initError: "InitError",
  },
  InitError: {
    next: REFUSED,
    deliver: REFUSED,
    disconnect: REFUSED,
    response: REFUSED,
    error: REFUSED,
    sent: REFUSED,
    initError: REFUSED,
  },
  Ready: {
    next: REFUSED,
    deliver: "Running",
    // The poll was given up before an event came: the runtime may ask again.
    disconnect: "RuntimeResponseSentState",
    response: REFUSED,
    error: REFUSED,
    sent: REFUSED,
    initError: REFUSED,
  },
  Running: {
    // Asking again before answering delivers the same event again.
    next: "Running",
    deliver: REFUSED,
    disconnect: "Running",
    response: "InvocationResponse",
    error: "InvocationErrorResponse",
    sent: REFUSED,
    initError: REFUSED,
  },
  InvocationResponse: {
    next: REFUSED,
    deliver: REFUSED,
    disconnect: REFUSED,
    response: REFUSED,
    error: REFUSED,
    sent: "RuntimeResponseSentState",
    initError: REFUSED,
  },
  InvocationErrorResponse: {
    next: REFUSED,
    deliver: REFUSED,
    disconnect: REFUSED,
    response: REFUSED,
    error: REFUSED,
    sent: "RuntimeResponseSentState",
    initError: REFUSED,
  },
  RuntimeResponseSentState: {
    next: "Ready",
    deliver: REFUSED,
    disconnect: REFUSED,
    response: REFUSED,
    error: REFUSED,
    sent: REFUSED,
    initError: REFUSED,
  },
  Terminated: {
    next: REFUSED,
    deliver: REFUSED,
    disconnect: REFUSED,
    response: REFUSED,
    error: REFUSED,
    sent: REFUSED,
    initError: REFUSED,
  },
};

/** The state that an event asks for, for the words of a refusal. */
const TARGET: Readonly<Record<RuntimeEvent, RuntimeState>> = {
  next: "Ready",
  deliver: "Running",
  disconnect: "RuntimeResponseSentState",
  response: "InvocationResponse",
  error: "InvocationErrorResponse",
  sent: "RuntimeResponseSentState",
  initError: "InitError",
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
