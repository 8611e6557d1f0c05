/**
 * Processes and signals, through Bun's foreign function interface.
 *
 * @see https://man7.org/linux/man-pages/man7/signal.7.html
 * @module
 */

import { dlopen, type Pointer } from "./ffi.ts";
import { lazy } from "./lazy.ts";
import {
  checked,
  close,
  duplicateTo,
  errno,
  harmlessFunction,
  LIBC,
  O_NONBLOCK,
  pipe,
  processId,
  readFile,
  SystemError,
  writeFile,
} from "./libc.ts";
import { decodeUtf8 } from "./utf8.ts";

const { symbols: libc } = dlopen(LIBC, {
  eventfd_write: { args: ["i32", "u64"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  signal: { args: ["i32", "ptr"], returns: "ptr" },
});

export const SIGNAL = { kill: 9, terminate: 15, child: 17 } as const;

// What can wait until the shell is loading.
const late = lazy(
  () =>
    dlopen(LIBC, {
      kill: { args: ["i32", "i32"], returns: "i32" },
      sigprocmask: { args: ["i32", "ptr", "ptr"], returns: "i32" },
      syscall: { args: ["i64", "i64", "i64"], returns: "i32" },
      waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
    }).symbols,
);

const ECHILD = 10;

// pidfd_open(2) has a wrapper only since glibc 2.36; its number is the same everywhere.
const SYS_PIDFD_OPEN = 434;

/** Opens a descriptor that becomes readable when the process ends. */
export function openProcess(pid: number): number {
  return checked("pidfd_open", late().syscall(SYS_PIDFD_OPEN, pid, 0));
}

const ANY_CHILD = -1;
const WNOHANG = 1;

/** How a process ended. */
export type ExitStatus =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signaled"; readonly signal: number };

/** The children that {@link endOf} may be asked about, with their ends as far as they are known. */
const children = new Map<number, ExitStatus | undefined>();

/** Keeps the end of a child, however soon it comes, until {@link forget}. */
export function remember(pid: number): void {
  children.set(pid, undefined);
}

/** Stops tracking the end of a child. */
export function forget(pid: number): void {
  children.delete(pid);
}

/** How a remembered child has ended; undefined if it has not. */
export function endOf(pid: number): ExitStatus | undefined {
  reap();
  return children.get(pid);
}

/** The remembered children that have ended, with their ends; each is told once, and forgotten. */
export function takeEnded(): [pid: number, end: ExitStatus][] {
  reap();
  const ended: [number, ExitStatus][] = [];
  for (const [pid, end] of children) if (end !== undefined) ended.push([pid, end]);
  for (const [pid] of ended) forget(pid);
  return ended;
}

/**
 * Collects the children that have ended, without waiting; orphans that have become children too.
 * @see https://man7.org/linux/man-pages/man2/waitpid.2.html
 */
export function reap(): void {
  const word = new Int32Array(1);
  for (;;) {
    const pid = late().waitpid(ANY_CHILD, word, WNOHANG);
    if (pid < 0 && errno() !== ECHILD) throw new SystemError("waitpid", errno());
    if (pid <= 0) return;
    if (children.has(pid)) children.set(pid, exitStatus(word[0] as number));
  }
}

function exitStatus(waitStatus: number): ExitStatus {
  const signal = waitStatus & 0x7f;
  return signal === 0
    ? { kind: "exited", status: (waitStatus >> 8) & 0xff }
    : { kind: "signaled", signal };
}

/** Signals a process, or its whole group for a negative number; one that is gone is not an error. */
export function kill(pid: number, signal: number): void {
  late().kill(pid, signal);
}

const OOM_SCORE = "oom_score_adj";
/** How much rather the kernel ends handlers than us, of a thousand; and what it takes at most. */
const OOM_PREFERENCE = 500;
const OOM_SCORE_MAX = 1000;

const ownOomScore = lazy(() => Number(decodeUtf8(readFile(`/proc/self/${OOM_SCORE}`))));

/**
 * Has the kernel end a process, and what that starts from now on, rather than us when memory runs out:
 * a handler that is gone is one failed event, a runtime that is gone loses it.
 * @see https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html
 */
export function endFirstWithoutMemory(pid: number): void {
  try {
    const score = Math.min(ownOomScore() + OOM_PREFERENCE, OOM_SCORE_MAX);
    writeFile(`/proc/${pid}/${OOM_SCORE}`, String(score));
  } catch {
    // It has ended already, or this /proc does not let us.
  }
}

/** Whether a process, or any of a group for a negative number, is there: one that has not been collected is. */
export function isAlive(pid: number): boolean {
  return late().kill(pid, 0) === 0;
}

/** The text of a file of a process in /proc; empty when the process is gone. */
export function processText(pid: number, file: string): string {
  try {
    return decodeUtf8(readFile(`/proc/${pid}/${file}`));
  } catch {
    return "";
  }
}

/** The children of a process's first thread; those of other threads become ours when it has ended. */
export function childrenOf(pid: number): number[] {
  return processText(pid, `task/${pid}/children`)
    .split(" ")
    .map(Number)
    .filter((child) => child > 0);
}

const PR_SET_PDEATHSIG = 1;
const PR_SET_CHILD_SUBREAPER = 36;

const SIG_SETMASK = 2;
/** Room for a `sigset_t`, in bytes. */
const SIGNAL_SET_BYTES = 128;

/**
 * Has ended children wait to be collected, whatever this process was started with: where SIGCHLD is
 * ignored they vanish, and nobody learns how they have ended. To be called before there are any.
 *
 * And has their ends interrupt a wait, so that orphans are collected at once ({@link reap}): each takes up the room
 * of a process until then, and one event may have more of them, one after the other, than there may be processes.
 * By its default the signal interrupts nothing.
 */
export function noticeEndedChildren(): void {
  libc.signal(SIGNAL.child, harmlessFunction());
}

/** Lets all signals through that this process was started without. */
export function unblockSignals(): void {
  late().sigprocmask(SIG_SETMASK, new Uint8Array(SIGNAL_SET_BYTES), null);
}

/**
 * Makes processes that lose their parent ours, so that none of them stays as a zombie. To be called before a
 * shell is started: what that leaves behind while it loads may be there sooner than this process goes on.
 */
export function becomeSubreaper(): void {
  // An emulator that does not know it has an init that reaps them.
  libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

const getParent = lazy(() => dlopen(LIBC, { getppid: { args: [], returns: "i32" } }).symbols);

/** The parent of this process: the process that has started it or, after that has ended, the subreaper. */
function parentId(): number {
  return getParent().getppid();
}

/**
 * Has the kernel send this process SIGTERM when its parent ends, however that ends.
 * @param parent The parent's process id: it may have ended before.
 */
export function endWithParent(parent: number): void {
  libc.prctl(PR_SET_PDEATHSIG, SIGNAL.terminate, 0, 0, 0);
  if (parentId() !== parent) kill(processId(), SIGNAL.terminate);
}

/**
 * Returns a descriptor that becomes readable when a signal arrives, however often it does.
 *
 * A JavaScript signal handler cannot run while the loop waits in poll(2), and blocking the signal
 * for a signalfd(2) would have to be done in every thread that Bun has started before us. But a
 * handler may be any async-signal-safe function that takes the signal's number, such as
 * eventfd_write(3), which is one write(2) of eight bytes: with the write end of a pipe at descriptor
 * 15, which is SIGTERM's number, the signal writes to it, whatever thread it meets. To be called before
 * anything else is opened, which might get that number.
 */
export function signalDescriptor(signal: number): number {
  // A pipe that is full must not stop whom the signal has interrupted.
  const [readEnd, writeEnd] = pipe(O_NONBLOCK);
  if (readEnd === SIGNAL.terminate || readEnd === SIGNAL.child) {
    // A write end needs the number that the read end has, where this process was started with the lower
    // ones in use: another pipe while this one holds it.
    const descriptor = signalDescriptor(signal);
    if (readEnd !== signal) close(readEnd);
    close(writeEnd);
    return descriptor;
  }
  if (writeEnd !== signal) {
    duplicateTo(writeEnd, signal);
    close(writeEnd);
  }
  const { ptr } = libc.eventfd_write as unknown as { readonly ptr: Pointer };
  libc.signal(signal, ptr);
  return readEnd;
}
