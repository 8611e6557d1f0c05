/**
 * One invocation, as both sides of the Runtime API see them.
 *
 * @module
 */

/** One event with what `/next` said about it; the payload is opaque bytes. */
export interface Invocation {
  /** Names the invocation in the URL of its response; a token to be copied, not parsed. */
  readonly requestId: string;
  /** All headers by their lower-case names; those that begin with `lambda-runtime-` are the metadata. */
  readonly headers: ReadonlyMap<string, string>;
  /** The event's bytes; after passing a large one on, its user may empty it. */
  event: Uint8Array;
}
