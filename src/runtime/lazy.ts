/**
 * Values that are made when they are first asked for: what the first event can do without must not
 * delay the shell's start.
 *
 * @module
 */

/** Returns a function that calls `make` once, at its own first call, and keeps the result. */
export function lazy<Value>(make: () => Value): () => Value {
  let value: Value | undefined;
  return () => (value ??= make());
}
