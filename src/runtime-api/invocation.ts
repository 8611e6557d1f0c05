/**
 * One invocation and its outcome, as both sides of the Runtime API see them.
 *
 * @module
 */

import type { FunctionError } from "./function-error.ts";

/** One event with what `/next` said about it; the payload is opaque bytes. */
export interface Invocation {
  /** Names the invocation in the URL of its answer; a token to be copied, not parsed. */
  readonly requestId: string;
  /** Every `Lambda-Runtime-*` header that has a value, by its lower-case name. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The event's bytes. */
  readonly event: Uint8Array;
}

/** How a handler ended: with a response, or with a function error. */
export type Outcome =
  | { readonly kind: "response"; readonly body: Uint8Array }
  | { readonly kind: "function-error"; readonly error: FunctionError };
