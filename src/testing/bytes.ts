/**
 * Bytes as data in JSON: a text, base64, or a piece repeated.
 *
 * @module
 */

/** Bytes of an event or a response in a conformance case. */
export type BytesData =
  | string
  | { readonly base64: string }
  | { readonly repeat: string; readonly times: number; readonly suffix?: string };

/** The bytes that the data describe; texts are UTF-8. */
export function toBytes(data: BytesData): Buffer {
  if (typeof data === "string") return Buffer.from(data, "utf8");
  if ("base64" in data) return Buffer.from(data.base64, "base64");
  return Buffer.from(data.repeat.repeat(data.times) + (data.suffix ?? ""), "utf8");
}

/** Longest piece of bytes that a failure message quotes. */
const QUOTED_BYTES_MAX = 200;

/**
 * Says where two byte strings differ, in a line that a person can read.
 * @returns undefined when they are equal.
 */
export function difference(actual: Buffer, expected: Buffer): string | undefined {
  if (actual.equals(expected)) return undefined;
  const length = Math.min(actual.length, expected.length);
  let at = 0;
  while (at < length && actual[at] === expected[at]) at += 1;
  const quote = (bytes: Buffer) =>
    JSON.stringify(bytes.subarray(at, at + QUOTED_BYTES_MAX).toString("latin1"));
  return (
    `${actual.length} bytes instead of ${expected.length}, different from byte ${at}: ` +
    `got ${quote(actual)}, expected ${quote(expected)}`
  );
}
