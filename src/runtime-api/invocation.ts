/**
 * One invocation, as both sides of the Runtime API see them.
 *
 * @module
 */

/** One event with what `/next` said about it; the payload is opaque bytes. */
export interface Invocation {
  /** Names the invocation in the URL of its answer; a token to be copied, not parsed. */
  readonly requestId: string;
  /** Every `Lambda-Runtime-*` header that has a value, by its lower-case name. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The event's bytes. */
  readonly event: Uint8Array;
}
