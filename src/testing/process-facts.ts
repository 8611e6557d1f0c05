/**
 * Facts about processes, read from /proc.
 *
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process that was started by a bootstrap under test. */
export interface MarkedProcess {
  readonly pid: number;
  readonly command: string;
}

/** The processes of all users and sessions that have a task root in their environment. */
export async function marked(taskRoot: string): Promise<MarkedProcess[]> {
  const entry = `LAMBDA_TASK_ROOT=${taskRoot}`;
  const found: MarkedProcess[] = [];
  for (const pid of pids()) {
    const environment = readProc(pid, "environ");
    if (!environment.split("\0").includes(entry)) continue;
    // What is dead already, but not yet collected, holds nothing any more.
    if (stateOf(pid) === "Z") continue;
    found.push({ pid, command: commandOf(pid) });
  }
  return found;
}

/** The command line of a process, its beginning at least. */
export function commandOf(pid: number): string {
  return readProc(pid, "cmdline").replaceAll("\0", " ").slice(0, 200);
}

/** The state letter of a process, as in `ps`: Z is a zombie. */
export function stateOf(pid: number): string {
  const stat = readProc(pid, "stat");
  return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3);
}

/** The parent of a process. */
export function parentOf(pid: number): number {
  const stat = readProc(pid, "stat");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

/** The children of a process, in the order in which they were made; none when it has ended. */
export function childrenOf(pid: number): number[] {
  return tasks(pid).flatMap((task) =>
    readProc(pid, `task/${task}/children`).trim().split(" ").filter(Boolean).map(Number),
  );
}

/** All processes below one, their parents first. */
export function descendants(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendants(child)]);
}

/** Kills the shell that a bootstrap has loaded, the first process below it, and waits until it has ended. */
export async function killLoadedShell(bootstrap: number): Promise<void> {
  const [loaded = 0] = descendants(bootstrap);
  process.kill(loaded, "SIGKILL");
  while (!["", "Z"].includes(stateOf(loaded))) await Bun.sleep(1);
}

/** The threads of a process; none when it is gone. */
function tasks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** The open descriptors of a process with what is behind them, in their order. */
export function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .sort((one, other) => Number(one) - Number(other))
    .map((descriptor) => `${descriptor} ${linkOf(pid, descriptor)}`);
}

/** Anonymous memory of a process that is in use, in bytes. */
export function anonymousBytes(pid: number): number {
  return kilobytes(readProc(pid, "smaps_rollup"), "Anonymous") * 1024;
}

/** The most memory that a process has had in use at once, in bytes. */
export function peakBytes(pid: number): number {
  return kilobytes(readProc(pid, "status"), "VmHWM") * 1024;
}

function kilobytes(text: string, name: string): number {
  const value = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
  if (value === undefined) throw new Error(`failed to read ${name}: ${text}`);
  return Number(value);
}

function pids(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0);
}

function linkOf(pid: number, descriptor: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${descriptor}`).replace(/\d+/g, "N");
  } catch {
    return "closed meanwhile";
  }
}

/** The number of the system call in which a process waits or is stopped; `undefined` where it is in none. */
export function systemCallOf(pid: number): number | undefined {
  const [number = ""] = readProc(pid, "syscall").split(" ");
  return /^\d+$/.test(number) ? Number(number) : undefined;
}

/** Text of a file in /proc; empty when the process is gone. */
function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch {
    return "";
  }
}

/** Sends a signal to a process that may have ended, or never have been there. */
export function signal(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined && pid > 0) process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}
