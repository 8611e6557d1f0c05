/**
 * One loop of a runtime, as the Runtime API sees it: its state, its poll, its event.
 *
 * A runtime has one; only with `AWS_LAMBDA_MAX_CONCURRENCY` there are more. The names of the states
 * are those that Lambda prints in its refusals.
 * @module
 */

import type { ServerResponse } from "node:http";

import type { PendingInvocation } from "../invocation/invocation.ts";

/** Where a loop stands. */
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

/** All that is allowed; what is not named is refused. */
const TRANSITIONS: Readonly<
  Record<RuntimeState, Readonly<Partial<Record<RuntimeEvent, RuntimeState>>>>
> = {
  Started: { next: "Ready", initError: "InitError" },
  InitError: {},
  // The poll may be given up before an event comes: the runtime may ask again.
  Ready: { deliver: "Running", disconnect: "RuntimeResponseSentState" },
  Running: {
    // Asking again before answering delivers the same event again.
    next: "Running",
    disconnect: "Running",
    response: "InvocationResponse",
    error: "InvocationErrorResponse",
  },
  InvocationResponse: { sent: "RuntimeResponseSentState" },
  InvocationErrorResponse: { sent: "RuntimeResponseSentState" },
  RuntimeResponseSentState: { next: "Ready" },
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

/**
 * How long a poll may wait for an answer that is still being read, in milliseconds. When a runtime
 * breaks an answer off and asks for the next event on another connection, the question may be seen
 * before the break.
 */
const DEFERRED_POLL_MS = 1_000;

/** One loop. */
export class RuntimeLoop {
  /** The poll that waits for an event. */
  poll: ServerResponse | undefined;
  invocation: PendingInvocation | undefined;
  /** Headers of `/next` for {@link invocation}. */
  headers: Record<string, string> = {};
  #state: RuntimeState = "Started";
  #bodyRead: (() => void) | undefined;

  get state(): RuntimeState {
    return this.#state;
  }

  /** True while the body of an answer is being read. */
  get readsBody(): boolean {
    return this.#state === "InvocationResponse" || this.#state === "InvocationErrorResponse";
  }

  /** Takes an event of the state table; false when it is refused. */
  move(event: RuntimeEvent): boolean {
    const state = nextState(this.#state, event);
    if (state === undefined) return false;
    this.#state = state;
    if (event === "sent") this.#bodyRead?.();
    return true;
  }

  /** Fulfilled when the answer has been read, or not in time. */
  async bodyRead(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#bodyRead = resolve;
    const timer = setTimeout(resolve, DEFERRED_POLL_MS);
    await promise;
    clearTimeout(timer);
  }

  /** From now on everything is refused. */
  terminate(): void {
    this.#state = "Terminated";
    this.invocation = undefined;
    this.poll?.destroy();
    this.poll = undefined;
  }
}
