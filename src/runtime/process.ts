/**
 * Processes and signals, through Bun's foreign function interface.
 *
 * @see https://man7.org/linux/man-pages/man7/signal.7.html
 * @module
 */

import { dlopen, type Pointer } from "./ffi.ts";
import { lazy } from "./lazy.ts";
import { checked, close, duplicateTo, errno, LIBC, O_NONBLOCK, pipe, SystemError } from "./libc.ts";

const { symbols: libc } = dlopen(LIBC, {
  eventfd_write: { args: ["i32", "u64"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  signal: { args: ["i32", "ptr"], returns: "ptr" },
});

// What can wait until the shell is loading.
const late = lazy(
  () =>
    dlopen(LIBC, {
      kill: { args: ["i32", "i32"], returns: "i32" },
      syscall: { args: ["i64", "i64", "i64"], returns: "i32" },
      waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
    }).symbols,
);

const ECHILD = 10;

export const SIGNAL = { kill: 9, terminate: 15 } as const;

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

/** Makes no more of a child than of any other process that ends below this one. */
export function forget(pid: number): void {
  children.delete(pid);
}

/** How a remembered child has ended; undefined if it has not. */
export function endOf(pid: number): ExitStatus | undefined {
  reap();
  return children.get(pid);
}

/**
 * Collects whoever has ended, without waiting: children, and orphans that have become ours.
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

/** Signals a process, or its whole group for a negative number; one that is gone is no error. */
export function kill(pid: number, signal: number): void {
  late().kill(pid, signal);
}

/** Whether a process, or any of a group for a negative number, is there: one that has not been collected is. */
export function isAlive(pid: number): boolean {
  return late().kill(pid, 0) === 0;
}

const PR_SET_PDEATHSIG = 1;
const PR_SET_CHILD_SUBREAPER = 36;

/**
 * Makes processes that lose their parent ours, so that none of them stays as a zombie. To be called before a
 * shell is started: what that leaves behind while it loads may be there sooner than this process goes on.
 */
export function becomeSubreaper(): void {
  // An emulator that does not know it has an init that reaps them.
  libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/** Has the kernel end this process when its parent ends. */
export function endWithParent(): void {
  libc.prctl(PR_SET_PDEATHSIG, SIGNAL.terminate, 0, 0, 0);
}

/**
 * Returns a descriptor that becomes readable when SIGTERM arrives, however often it does.
 *
 * A JavaScript signal handler cannot run while the loop waits in poll(2), and blocking the signal
 * for a signalfd(2) would have to be done in every thread that Bun has started before us. But a
 * handler may be any async-signal-safe function that takes the signal's number, such as
 * eventfd_write(3), which is one write(2) of eight bytes: with the write end of a pipe at descriptor
 * 15, which is SIGTERM's number, the signal writes to it, whatever thread it meets. To be called before
 * anything else is opened, which might get that number.
 */
export function terminationDescriptor(): number {
  // A pipe that is full must not stop whom the signal has interrupted.
  const [readEnd, writeEnd] = pipe(O_NONBLOCK);
  if (readEnd === SIGNAL.terminate) {
    // The read end has the number that the write end needs: a second pipe while this one holds it.
    const descriptor = terminationDescriptor();
    close(writeEnd);
    return descriptor;
  }
  if (writeEnd !== SIGNAL.terminate) {
    duplicateTo(writeEnd, SIGNAL.terminate);
    close(writeEnd);
  }
  const { ptr } = libc.eventfd_write as unknown as { readonly ptr: Pointer };
  libc.signal(SIGNAL.terminate, ptr);
  return readEnd;
}
