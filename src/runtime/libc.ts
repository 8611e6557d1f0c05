/**
 * The system calls that the runtime makes, through `bun:ffi`.
 *
 * The invoke loop is sequential by contract: one event, one answer, the next. So it is written as
 * plain blocking calls over poll(2), which is both what an auditor expects of it and several times
 * faster to start and to turn than an event loop (measured: binding these functions takes 0.2 ms,
 * a call 0.2 µs).
 *
 * Numbers are Linux's and equal on x86-64 and arm64 unless a comment says otherwise.
 *
 * @see https://man7.org/linux/man-pages/man2/syscalls.2.html
 * @module
 */

import { dlopen, type Pointer, ptr, read as readMemory } from "bun:ffi";

// Counts of bytes are declared i32: no single call here moves 2 GiB, and numbers beat bigints.
const { symbols: libc } = dlopen("libc.so.6", {
  __errno_location: { args: [], returns: "ptr" },
  access: { args: ["ptr", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  dup3: { args: ["i32", "i32", "i32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  kill: { args: ["i32", "i32"], returns: "i32" },
  open: { args: ["ptr", "i32"], returns: "i32" },
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
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
  read: { args: ["i32", "ptr", "u64"], returns: "i32" },
  signal: { args: ["i32", "ptr"], returns: "ptr" },
  statx: { args: ["i32", "ptr", "i32", "u32", "ptr"], returns: "i32" },
  strerror: { args: ["i32"], returns: "cstring" },
  syscall: { args: ["i64", "i64", "i64"], returns: "i32" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: "i32" },
});

export const EINTR = 4;
export const EAGAIN = 11;
const ECHILD = 10;

/** What {@link read} and {@link send} return when the call would have to wait. */
export const WOULD_BLOCK = -1;

export const SIGNAL = { kill: 9, terminate: 15 } as const;

/** A system call that failed, with the system's own words. */
export class SystemError extends Error {
  override readonly name = "SystemError";

  constructor(call: string, errno: number) {
    super(`${call}: ${libc.strerror(errno)}`);
  }
}

/** The reason of the call that has just failed. */
export function errno(): number {
  const location = libc.__errno_location();
  return location === null ? 0 : readMemory.i32(location, 0);
}

/** Passes a call's result on, or throws what it says in errno. */
export function checked(call: string, result: number): number {
  if (result < 0) throw new SystemError(call, errno());
  return result;
}

/** A NUL-terminated copy of a string whose characters are bytes, or of UTF-8 text. */
export function cString(text: string, encoding: "latin1" | "utf8" = "utf8"): Buffer {
  return Buffer.from(`${text}\0`, encoding);
}

export const O_CLOEXEC = 0o2000000;
/** Reads do not wait. A shell that opens the other end by its path has flags of its own. */
export const O_NONBLOCK = 0o4000;
const F_GETFL = 3;
const F_SETFL = 4;

const ends = new Int32Array(2);

/** Makes a pipe, close-on-exec; `[read end, write end]`. */
export function pipe(flags = 0): readonly [number, number] {
  checked("pipe2", libc.pipe2(ends, O_CLOEXEC | flags));
  return [ends[0] as number, ends[1] as number];
}

/** Makes reads of a descriptor return {@link WOULD_BLOCK} instead of waiting. */
export function setNonBlocking(descriptor: number): void {
  const flags = checked("fcntl", libc.fcntl(descriptor, F_GETFL, 0));
  checked("fcntl", libc.fcntl(descriptor, F_SETFL, flags | O_NONBLOCK));
}

const MFD_CLOEXEC = 1;
const MEMORY_FILE_NAME = cString("lambda-event");

/** Makes an anonymous file in memory that holds the given bytes. */
export function memoryFile(contents?: Uint8Array): number {
  const descriptor = checked("memfd_create", libc.memfd_create(MEMORY_FILE_NAME, MFD_CLOEXEC));
  if (contents !== undefined) writeAll(descriptor, contents);
  return descriptor;
}

/** Reads what is there, at most the buffer's length: 0 at the end, {@link WOULD_BLOCK} if nothing. */
export function read(descriptor: number, into: Uint8Array): number {
  for (;;) {
    const count = libc.read(descriptor, into, into.byteLength);
    if (count >= 0) return count;
    const reason = errno();
    if (reason === EAGAIN) return WOULD_BLOCK;
    if (reason !== EINTR) throw new SystemError("read", reason);
  }
}

/** Writes all bytes to a file or pipe, waiting where it must. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let rest = bytes; rest.byteLength > 0;) {
    const count = libc.write(descriptor, rest, rest.byteLength);
    if (count >= 0) {
      rest = rest.subarray(count);
      continue;
    }
    const reason = errno();
    // Our own standard error may have been made non-blocking by whoever shares it.
    if (reason === EAGAIN) poll(new Int16Array(4), 0, 1);
    else if (reason !== EINTR) throw new SystemError("write", reason);
  }
}

export function close(descriptor: number): void {
  libc.close(descriptor);
}

/** Makes `target` name what `source` names, close-on-exec. */
export function duplicateTo(source: number, target: number): void {
  checked("dup3", libc.dup3(source, target, O_CLOEXEC));
}

/**
 * Waits until something comes on one of the descriptors, or the time is over.
 * @param set An array of `struct pollfd`; what has come is written into it.
 * @param timeoutMs Longest wait, in milliseconds; negative for ever.
 */
export function poll(set: Int16Array, count: number, timeoutMs: number): void {
  if (libc.poll(set, count, timeoutMs) >= 0) return;
  const reason = errno();
  // A signal's only effect on us is a descriptor that becomes ready: the next poll shows it.
  if (reason !== EINTR) throw new SystemError("poll", reason);
  for (let index = 3; index < count * 4; index += 4) set[index] = 0;
}

const O_RDONLY = 0;
const FILE_READ_BYTES = 64 * 1024;

/** Opens a file to read it, close-on-exec. */
export function openFile(path: string): number {
  return checked(`open ${path}`, libc.open(cString(path), O_RDONLY | O_CLOEXEC));
}

/** Reads a whole file, which may be one of /proc that has no size. */
export function readFile(path: string): Buffer {
  const descriptor = openFile(path);
  try {
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.allocUnsafeSlow(FILE_READ_BYTES);
      const count = read(descriptor, chunk);
      if (count <= 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, count));
    }
  } finally {
    close(descriptor);
  }
}

const AT_FDCWD = -100;
const STATX_TYPE = 1;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;

/** What a path leads to; undefined if to nothing that we can reach. */
export function fileType(path: string): "file" | "folder" | "other" | undefined {
  // struct statx, 256 bytes, has the same layout everywhere; stx_mode is a u16 at 28.
  const status = new Uint16Array(128);
  if (libc.statx(AT_FDCWD, cString(path), 0, STATX_TYPE, status) !== 0) return undefined;
  const type = (status[14] as number) & S_IFMT;
  if (type === S_IFREG) return "file";
  return type === S_IFDIR ? "folder" : "other";
}

/** Rights of access(2). */
export const MAY_EXECUTE = 1;
export const MAY_WRITE = 2;

/** Whether the file system grants a right to this process. */
export function isAllowed(path: string, right: number): boolean {
  return libc.access(cString(path), right) === 0;
}

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
 * whatever thread it meets, and the read end reports the hang-up.
 */
export function terminationDescriptor(): number {
  const [readEnd, writeEnd] = pipe();
  duplicateTo(writeEnd, SIGNAL.terminate);
  close(writeEnd);
  const { ptr: closeFunction } = libc.close as unknown as { readonly ptr: Pointer };
  libc.signal(SIGNAL.terminate, closeFunction);
  return readEnd;
}
