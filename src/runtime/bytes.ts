/**
 * Bytes of texts, and copies of bytes.
 *
 * Not by `Buffer.from`: it is written in JavaScript, which the engine compiles at its first call, for 3 % of
 * all instructions of a start (measured).
 *
 * @module
 */

/** UTF-8 has at most as many bytes for a unit of UTF-16. */
const UTF8_BYTES_MAX = 3;

/** The bytes of a text that has no character above U+00FF. */
export function latin1Bytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(text.length);
  bytes.write(text, "latin1");
  return bytes;
}

/** The bytes of a text in UTF-8. */
export function utf8Bytes(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(text.length * UTF8_BYTES_MAX);
  return bytes.subarray(0, bytes.write(text, "utf8"));
}

/** Text in UTF-8, one character a byte. */
export function latin1Of(text: string): string {
  return utf8Bytes(text).toString("latin1");
}

/** Text whose characters are bytes, as what they are in UTF-8. */
export function textOf(latin1: string): string {
  return latin1Bytes(latin1).toString("utf8");
}

/** Bytes that stay as they are, whatever becomes of those that were given. */
export function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
