/**
 * Gives the memory of large events and responses back to the system as soon as they are done with.
 *
 * The garbage collector would come for it, but not before the next event: with a memory of 128 MB
 * there is no room for two events of 6 MB and what a shell makes of one. A collection takes about a
 * millisecond, an event of a megabyte ten times that at least (measured), and smaller ones do not
 * get here.
 *
 * @module
 */

/** From how many bytes on that nobody uses any more they are worth the time to free them. */
const FREED_BYTES_MIN = 1024 * 1024;

/** Frees buffers of so many bytes in all that nobody refers to any more, if they are large. */
export function freeBuffers(bytes: number): void {
  if (bytes >= FREED_BYTES_MIN) Bun.gc(true);
}
