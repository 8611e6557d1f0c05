/**
 * Text as UTF-8 and back.
 *
 * Not by `Buffer`, whose first use in a process takes 190 µs where these take 30 (measured): it has to
 * wait until the shell has been started.
 *
 * @module
 */

const encoder = new TextEncoder();
/** A byte-order mark is kept: the reader of the text must see it. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** Decodes bytes; what is not UTF-8 becomes U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
