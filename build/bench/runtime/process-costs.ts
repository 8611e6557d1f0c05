/**
 * What an event costs the system: programs started, processes forked, memory held.
 *
 * @module
 */

import { readFileSync } from "node:fs";

/** Counted over the events of one run. */
export interface CallCounts {
  readonly execs: number;
  readonly forks: number;
}

/** Sizes of a process, in KiB. */
export interface MemorySizes {
  readonly residentKib: number;
  readonly anonymousKib: number;
}

/** The words before a command that write its process calls to a file. */
export function tracing(output: string): string[] {
  const calls = "trace=execve,fork,vfork,clone,clone3";
  return ["strace", "-f", "-qq", "-e", calls, "-o", output];
}

/** Counts the successful calls of a trace; new threads are not forks. */
export function countCalls(trace: string): CallCounts {
  const lines = trace.split("\n").filter((line) => !/ = -1 /.test(line));
  const calls = (name: RegExp) =>
    lines.filter((line) => name.test(line) && !line.includes("CLONE_THREAD")).length;
  return { execs: calls(/ execve\(/), forks: calls(/ (?:fork|vfork|clone3?)\(/) };
}

/** Reads the sizes of a running process. */
export function readMemory(pid: number): MemorySizes {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const size = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup)?.[1]);
  return { residentKib: size("Rss"), anonymousKib: size("Anonymous") };
}
