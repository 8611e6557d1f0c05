/**
 * Processes and signals, through `bun:ffi`.
 *
 * @see https://man7.org/linux/man-pages/man3/posix_spawn.3.html
 * @module
 */

import { dlopen, ptr } from "bun:ffi";

import {
  checked,
  close,
  closeFunction,
  cString,
  duplicateTo,
  errno,
  pipe,
  SystemError,
} from "./libc.ts";

const { symbols: libc } = dlopen("libc.so.6", {
  kill: { args: ["i32", "i32"], returns: "i32" },
  posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_addchdir_np: { args: ["ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_addclosefrom_np: { args: ["ptr", "i32"], returns: "i32" },
  posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
  posix_spawn_file_actions_destroy: { args: ["ptr"], returns: "i32" },
  posix_spawn_file_actions_init: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_init: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_setflags: { args: ["ptr", "i16"], returns: "i32" },
  posix_spawnattr_setsigdefault: { args: ["ptr", "ptr"], returns: "i32" },
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  signal: { args: ["i32", "ptr"], returns: "ptr" },
  syscall: { args: ["i64", "i64", "i64"], returns: "i32" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
});

const ECHILD = 10;

export const SIGNAL = { kill: 9, terminate: 15 } as const;

/** What a new process gets. */
export interface SpawnOptions {
  /** Path of the executable; it is not looked up in PATH. */
  readonly path: string;
  readonly argv: readonly string[];
  /** `NAME=value` strings whose characters are bytes. */
  readonly environment: readonly string[];
  readonly cwd: string;
  /** Descriptors that become its standard input, output and error; it inherits no other. */
  readonly stdio: readonly [number, number, number];
}

// Sizes of glibc's opaque types on 64-bit machines, rounded up.
const FILE_ACTIONS_BYTES = 128;
const SPAWN_ATTRIBUTES_BYTES = 512;
const SIGNAL_SET_BYTES = 128;
const POSIX_SPAWN_SETPGROUP = 2;
const POSIX_SPAWN_SETSIGDEF = 4;
const POSIX_SPAWN_SETSIGMASK = 8;

/**
 * Starts a process in a process group of its own, with every signal at its default.
 *
 * (Bun ignores SIGPIPE, and an ignored signal would stay so in every shell below.)
 * @throws {SystemError} When the executable cannot be started.
 */
export function spawn({ path, argv, environment, cwd, stdio }: SpawnOptions): number {
  const actions = new Uint8Array(FILE_ACTIONS_BYTES);
  const attributes = new Uint8Array(SPAWN_ATTRIBUTES_BYTES);
  libc.posix_spawn_file_actions_init(actions);
  libc.posix_spawnattr_init(attributes);
  const flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  libc.posix_spawnattr_setflags(attributes, flags);
  libc.posix_spawnattr_setsigdefault(attributes, new Uint8Array(SIGNAL_SET_BYTES).fill(0xff));
  const folder = cString(cwd);
  libc.posix_spawn_file_actions_addchdir_np(actions, folder);
  stdio.forEach((source, target) => {
    libc.posix_spawn_file_actions_adddup2(actions, source, target);
  });
  libc.posix_spawn_file_actions_addclosefrom_np(actions, 3);
  const args = stringArray(argv, "utf8");
  const variables = stringArray(environment, "latin1");
  const pid = new Int32Array(1);
  const failure = libc.posix_spawn(
    pid,
    cString(path),
    actions,
    attributes,
    args.pointers,
    variables.pointers,
  );
  libc.posix_spawn_file_actions_destroy(actions);
  if (failure !== 0) throw new SystemError(`posix_spawn ${path}`, failure);
  return pid[0] as number;
}

/** Lays out a `char *[]`; the strings live as long as the returned object. */
function stringArray(
  strings: readonly string[],
  encoding: "latin1" | "utf8",
): { readonly pointers: BigUint64Array; readonly memory: Buffer } {
  const memory = Buffer.from(`${strings.join("\0")}\0`, encoding);
  const pointers = new BigUint64Array(strings.length + 1);
  const base = ptr(memory);
  let offset = 0;
  strings.forEach((text, index) => {
    pointers[index] = BigInt(base + offset);
    offset += Buffer.byteLength(text, encoding) + 1;
  });
  return { pointers, memory };
}

// pidfd_open(2) has a wrapper only since glibc 2.36; its number is the same everywhere.
const SYS_PIDFD_OPEN = 434;

/** Opens a descriptor that becomes readable when the process ends. */
export function openProcess(pid: number): number {
  return checked("pidfd_open", libc.syscall(SYS_PIDFD_OPEN, pid, 0));
}

const WNOHANG = 1;

/** How a process ended. */
export type ExitStatus =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signaled"; readonly signal: number };

/**
 * Collects one child that has ended, without waiting for it.
 * @param pid The child, or -1 for any.
 * @see https://man7.org/linux/man-pages/man2/waitpid.2.html
 */
export function reap(pid: number): { readonly pid: number; readonly end: ExitStatus } | undefined {
  const word = new Int32Array(1);
  const ended = libc.waitpid(pid, word, WNOHANG);
  if (ended < 0 && errno() !== ECHILD) throw new SystemError("waitpid", errno());
  if (ended <= 0) return undefined;
  const status = word[0] as number;
  const signal = status & 0x7f;
  const end: ExitStatus =
    signal === 0 ? { kind: "exited", status: (status >> 8) & 0xff } : { kind: "signaled", signal };
  return { pid: ended, end };
}

/** Signals a process, or its whole group for a negative number; one that is gone is no error. */
export function kill(pid: number, signal: number): void {
  libc.kill(pid, signal);
}

const PR_SET_PDEATHSIG = 1;
const PR_SET_CHILD_SUBREAPER = 36;

/** Makes processes that lose their parent ours, so that none of them stays as a zombie. */
export function becomeSubreaper(): void {
  // An emulator that does not know it has an init that reaps them.
  libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/** Has the kernel end this process when its parent ends. */
export function endWithParent(): void {
  libc.prctl(PR_SET_PDEATHSIG, SIGNAL.terminate, 0, 0, 0);
}

/**
 * Returns a descriptor that becomes readable when SIGTERM arrives.
 *
 * A JavaScript signal handler cannot run while the loop waits in poll(2), and blocking the signal
 * for a signalfd(2) would have to be done in every thread that Bun has started before us. But a
 * handler may be any async-signal-safe function that takes the signal's number, such as close(2):
 * with the write end of a pipe at descriptor 15, which is SIGTERM's number, the signal closes it,
 * whatever thread it meets, and the read end reports the hang-up. To be called before anything else
 * is opened, which might get that number.
 */
export function terminationDescriptor(): number {
  const [readEnd, writeEnd] = pipe();
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
  libc.signal(SIGNAL.terminate, closeFunction);
  return readEnd;
}
