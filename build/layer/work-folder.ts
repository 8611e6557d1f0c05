/**
 * Folders for half-made things: below `cache/work/PID`, on the file system of their destination,
 * so that a finished thing is renamed in one step. They go when the process ends; what a killed
 * build left is swept away by the next.
 *
 * @module
 */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { CACHE } from "./paths.ts";

const WORK = join(CACHE, "work");
const OWN = join(WORK, String(process.pid));

let prepared = false;

/** Makes a new, empty folder. */
export function workFolder(name: string): string {
  if (!prepared) prepare();
  return mkdtempSync(join(OWN, `${name}-`));
}

function prepare(): void {
  prepared = true;
  rmSync(OWN, { recursive: true, force: true });
  mkdirSync(OWN, { recursive: true });
  for (const pid of readdirSync(WORK)) {
    if (!existsSync(join("/proc", pid))) {
      rmSync(join(WORK, pid), { recursive: true, force: true });
    }
  }
  process.on("exit", () => {
    rmSync(OWN, { recursive: true, force: true });
  });
}
