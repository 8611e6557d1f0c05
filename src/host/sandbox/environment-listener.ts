/**
 * What an execution environment tells the pool that it belongs to.
 *
 * @module
 */

import type { PendingInvocation } from "../invocation/invocation.ts";
import type { InvocationReport } from "../invocation/outcome.ts";
import type { ProcessEnd } from "../invocation/platform-error.ts";
import type { ErrorAnswer } from "./runtime-answer.ts";

/** Why an environment could not begin its work. */
export type InitFailure =
  | { readonly kind: "reported"; readonly error: ErrorAnswer }
  | { readonly kind: "ended"; readonly end: ProcessEnd }
  | { readonly kind: "timed-out" };

/** What the pool wants to know of an environment. */
export interface EnvironmentListener<Environment> {
  /** Waits for an event now. */
  onReady(environment: Environment): void;
  /** Has ended, in its init phase or later; it is of no more use. */
  onEnd(environment: Environment, end: ProcessEnd, failure?: InitFailure): void;
  onAnswered(invocation: PendingInvocation, report: InvocationReport, origin: string): void;
}
