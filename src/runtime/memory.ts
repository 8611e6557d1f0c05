/**
 * Gives the memory of large events and responses back before the next event comes: with 128 MB there is no
 * room for two events of 6 MB and what a shell makes of one.
 *
 * @module
 */

/** From how many bytes that nobody uses any more they are worth the time to free them. */
const FREED_BYTES_MIN = 1024 * 1024;

/**
 * Frees what a buffer holds at once, if that is large; the buffer is empty afterwards. A collection would take
 * a millisecond, and miss what seems to be in use still.
 * @param bytes A whole buffer, which nobody uses any more.
 */
export function free(bytes: Uint8Array): void {
  if (bytes.byteLength >= FREED_BYTES_MIN) (bytes.buffer as ArrayBuffer).transfer(0);
}

/**
 * Collects the garbage of strings and small buffers, if that is large. It takes about a millisecond, an event
 * of a megabyte at least ten times that (measured).
 * @param bytes How many bytes of it there are.
 */
export function collect(bytes: number): void {
  if (bytes >= FREED_BYTES_MIN) Bun.gc(true);
}
