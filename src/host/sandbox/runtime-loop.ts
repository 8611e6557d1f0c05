/**
 * One loop of a runtime, as the Runtime API sees it: its state, its poll, its event.
 *
 * A runtime has one; only with `AWS_LAMBDA_MAX_CONCURRENCY` there are more.
 * @module
 */

import type { ServerResponse } from "node:http";

import type { PendingInvocation } from "../invocation/invocation.ts";
import { nextState, type RuntimeEvent, type RuntimeState } from "./runtime-state.ts";

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
  #answerRead: (() => void) | undefined;

  get state(): RuntimeState {
    return this.#state;
  }

  /** True while the body of an answer is being read. */
  get readsAnswer(): boolean {
    return this.#state === "InvocationResponse" || this.#state === "InvocationErrorResponse";
  }

  /** Takes an event of the state table; false when it is refused. */
  move(event: RuntimeEvent): boolean {
    const state = nextState(this.#state, event);
    if (state === undefined) return false;
    this.#state = state;
    if (event === "sent") this.#answerRead?.();
    return true;
  }

  /** Fulfilled when the answer has been read, or not in time. */
  async answerRead(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#answerRead = resolve;
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
