/**
 * Events that wait for an execution environment: first come, first served, and only so many.
 *
 * @module
 */

import type { PendingInvocation } from "../invocation/invocation.ts";
import type { RejectionReason } from "../invocation/outcome.ts";

/** A bounded queue; what does not fit or waits too long is rejected, never lost. */
export class InvocationQueue {
  /** Each with what ends its clock and no longer listens to its caller. */
  readonly #waiting = new Map<PendingInvocation, () => void>();
  readonly #lengthMax: number;
  readonly #waitMsMax: number;

  /**
   * @param lengthMax Events that may wait.
   * @param waitMsMax Longest wait, in milliseconds; 0 means no limit.
   */
  constructor(lengthMax: number, waitMsMax: number) {
    this.#lengthMax = lengthMax;
    this.#waitMsMax = waitMsMax;
  }

  get length(): number {
    return this.#waiting.size;
  }

  /** Lets an invocation wait, or rejects it at once when the queue is full. */
  add(invocation: PendingInvocation): boolean {
    const { signal } = invocation.request;
    if (signal?.aborted === true) {
      invocation.settle({ kind: "rejected", reason: "caller-gone" });
      return false;
    }
    if (this.#waiting.size >= this.#lengthMax) {
      invocation.settle({ kind: "rejected", reason: "queue-full" });
      return false;
    }
    const timer =
      this.#waitMsMax > 0
        ? setTimeout(() => this.#reject(invocation, "queue-timeout"), this.#waitMsMax)
        : undefined;
    const onAbort = () => this.#reject(invocation, "caller-gone");
    signal?.addEventListener("abort", onAbort);
    this.#waiting.set(invocation, () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    });
    return true;
  }

  /** The invocation that has waited longest; it stays until it is {@link remove}d. */
  peek(): PendingInvocation | undefined {
    for (const invocation of this.#waiting.keys()) return invocation;
    return undefined;
  }

  /** Ends the wait of an invocation; false when it had ended already. */
  remove(invocation: PendingInvocation): boolean {
    this.#waiting.get(invocation)?.();
    return this.#waiting.delete(invocation);
  }

  /** Rejects everything that waits. */
  rejectAll(reason: RejectionReason): void {
    for (const invocation of [...this.#waiting.keys()]) this.#reject(invocation, reason);
  }

  #reject(invocation: PendingInvocation, reason: RejectionReason): void {
    if (!this.remove(invocation)) return;
    invocation.settle({ kind: "rejected", reason });
  }
}
