/**
 * Lets one build at a time use something of the cache: apt's private folders, a download, a
 * compiled program. A lock of the kernel (flock) ends with its process, however that ends, so that a
 * killed build leaves none behind.
 *
 * @module
 */

import { dlopen, FFIType } from "bun:ffi";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

import { CACHE } from "./paths.ts";
import { step } from "./progress.ts";

/** flock(2): an exclusive lock, without waiting in the kernel. */
const LOCK_EX_NB = 2 | 4;

/** Time between two tries, in ms. */
const WAIT_MS = 200;

const libc = dlopen("libc.so.6", {
  flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
});

/** What this process is doing under each name: a process does not lock itself out, it queues. */
const running = new Map<string, Promise<unknown>>();

/** Runs work while nothing else, here or in another process, runs work of the same name. */
export async function exclusively<T>(name: string, work: () => Promise<T>): Promise<T> {
  const before = running.get(name) ?? Promise.resolve();
  const turn = before.catch(() => {}).then(() => locked(name, work));
  running.set(name, turn);
  return turn;
}

async function locked<T>(name: string, work: () => Promise<T>): Promise<T> {
  const folder = join(CACHE, "locks");
  mkdirSync(folder, { recursive: true });
  const file = openSync(join(folder, name), "a");
  try {
    let said = false;
    while (libc.symbols.flock(file, LOCK_EX_NB) !== 0) {
      if (!said) step(`wait until another process is done with ${name} of the cache`);
      said = true;
      await Bun.sleep(WAIT_MS);
    }
    return await work();
  } finally {
    closeSync(file);
  }
}
