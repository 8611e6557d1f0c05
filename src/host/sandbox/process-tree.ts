/**
 * The processes below one process, from /proc: their memory, and what still runs when time is up.
 *
 * @module
 */

import { readFileSync } from "node:fs";

/** One process. */
interface ProcessInfo {
  readonly pid: number;
  readonly parentPid: number;
  /** Command line, spaces between the arguments. */
  readonly command: string;
  /** Resident memory, in bytes. */
  readonly residentBytes: number;
}

/** Processes that are looked at, at most; a fork bomb must not stop the host. */
const PROCESSES_MAX = 4096;

/** Kernel's page size on every Linux that Lambda or this host runs on, in bytes. */
const PAGE_BYTES = 4096;

/** A process and everything below it, parents first; empty where there is no /proc. */
export function processTree(rootPid: number): readonly ProcessInfo[] {
  const tree: ProcessInfo[] = [];
  const waiting = [{ pid: rootPid, parentPid: 0 }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { pid, parentPid } = next;
    const pages = Number(readProc(`${pid}/statm`).split(" ")[1] ?? 0);
    const command = readProc(`${pid}/cmdline`).replaceAll("\0", " ").trim();
    if (command !== "" || tree.length === 0) {
      tree.push({ pid, parentPid, command, residentBytes: pages * PAGE_BYTES });
    }
    if (tree.length >= PROCESSES_MAX) break;
    for (const child of childrenOf(pid)) waiting.push({ pid: child, parentPid: pid });
  }
  return tree;
}

/** Resident memory of a process and everything below it, in bytes. */
export function treeResidentBytes(rootPid: number): number {
  return processTree(rootPid).reduce((sum, { residentBytes }) => sum + residentBytes, 0);
}

/** Largest resident memory that one process has had, in bytes; 0 when it has gone. */
export function peakResidentBytes(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`));
  return Number(line?.[1] ?? 0) * 1024;
}

/** Children of a process, the one that was started first before the others. */
export function childrenOf(pid: number): readonly number[] {
  return readProc(`${pid}/task/${pid}/children`)
    .split(" ")
    .filter((word) => word !== "")
    .map(Number);
}

/** A file of /proc, empty when the process has gone. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return "";
  }
}
