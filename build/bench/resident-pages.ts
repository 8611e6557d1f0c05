/**
 * Asks the kernel which pages of a file are in memory: mincore(2), which only a foreign call reaches.
 *
 * @module
 */

import { dlopen, ptr } from "bun:ffi";
import { closeSync, openSync, statSync } from "node:fs";

const PAGE_BYTES = 4096;
const PROT_READ = 1;
const MAP_SHARED = 1;
const MAP_FAILED = -1;

const libc = dlopen("libc.so.6", {
  mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
  mincore: { args: ["ptr", "u64", "ptr"], returns: "i32" },
  munmap: { args: ["ptr", "u64"], returns: "i32" },
});

/**
 * Returns the numbers of the pages of a file that are in memory, in order.
 * @throws {Error} When the kernel refuses to say.
 */
export function residentPages(path: string): number[] {
  const bytes = statSync(path).size;
  const fd = openSync(path, "r");
  const address = libc.symbols.mmap(null, bytes, PROT_READ, MAP_SHARED, fd, 0);
  closeSync(fd);
  if (typeof address !== "number" || address === MAP_FAILED)
    throw new Error(`failed to map ${path}`);
  const states = new Uint8Array(Math.ceil(bytes / PAGE_BYTES));
  const refused = libc.symbols.mincore(address, bytes, ptr(states)) !== 0;
  libc.symbols.munmap(address, bytes);
  if (refused) throw new Error(`failed to ask which pages of ${path} are in memory`);
  return [...states.keys()].filter((page) => ((states[page] ?? 0) & 1) !== 0);
}
