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
  close: { args: ["i32"], returns: "i32" },
  connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
  dup3: { args: ["i32", "i32", "i32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  freeaddrinfo: { args: ["ptr"], returns: "void" },
  getaddrinfo: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  kill: { args: ["i32", "i32"], returns: "i32" },
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
  send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
  setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
  signal: { args: ["i32", "ptr"], returns: "ptr" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  strerror: { args: ["i32"], returns: "cstring" },
  syscall: { args: ["i64", "i64", "i64"], returns: "i32" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
  write: { args: ["i32", "ptr", "u64"], returns: "i32" },
});

const EINTR = 4;
const EAGAIN = 11;
const ECHILD = 10;

/** What {@link read} and {@link send} return when the call would have to wait. */
export const WOULD_BLOCK = -1;

export const SIGNAL = { kill: 9, terminate: 15 } as const;

/** poll(2) events. */
export const POLLIN = 1;
export const POLLOUT = 4;

/** A system call that failed, with the system's own words. */
export class SystemError extends Error {
  override readonly name = "SystemError";

  constructor(call: string, errno: number) {
    super(`${call}: ${libc.strerror(errno)}`);
  }
}

function errno(): number {
  const location = libc.__errno_location();
  return location === null ? 0 : readMemory.i32(location, 0);
}

/** Passes a call's result on, or throws what it says in errno. */
function checked(call: string, result: number): number {
  if (result < 0) throw new SystemError(call, errno());
  return result;
}

/** A NUL-terminated copy of a string whose characters are bytes, or of UTF-8 text. */
export function cString(text: string, encoding: "latin1" | "utf8" = "utf8"): Buffer {
  return Buffer.from(`${text}\0`, encoding);
}

const O_CLOEXEC = 0o2000000;
// O_NONBLOCK of pipes: only the runtime's end may have it, a shell would trip over it.
const O_NONBLOCK = 0o4000;
const F_GETFL = 3;
const F_SETFL = 4;

/** Makes a pipe, close-on-exec; `[read end, write end]`. */
export function pipe(): readonly [number, number] {
  const ends = new Int32Array(2);
  checked("pipe2", libc.pipe2(ends, O_CLOEXEC));
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
export function memoryFile(...contents: Uint8Array[]): number {
  const descriptor = checked("memfd_create", libc.memfd_create(MEMORY_FILE_NAME, MFD_CLOEXEC));
  for (const bytes of contents) writeAll(descriptor, bytes);
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
    if (reason === EAGAIN) poll(pollSet([[descriptor, POLLOUT]]), -1);
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

/** An array of `struct pollfd`: 8 bytes each, descriptor (i32), events (i16), returned events (i16). */
export type PollSet = Int16Array<ArrayBuffer>;

/** Lays out descriptors with the events to wait for, for {@link poll}. */
export function pollSet(
  entries: readonly (readonly [descriptor: number, events: number])[],
): PollSet {
  const set = new Int16Array(entries.length * 4);
  const descriptors = new Int32Array(set.buffer);
  entries.forEach(([descriptor, events], index) => {
    descriptors[index * 2] = descriptor;
    set[index * 4 + 2] = events;
  });
  return set;
}

/** Waits until a descriptor of the set is ready or the time is over; false if it is over. */
export function poll(set: PollSet, timeoutMs: number): boolean {
  const count = libc.poll(set, BigInt(set.length / 4), timeoutMs);
  if (count >= 0) return count > 0;
  const reason = errno();
  // A signal's only effect on us is a descriptor that becomes ready; the caller polls again.
  if (reason === EINTR) return true;
  throw new SystemError("poll", reason);
}

/** Whether the entry at an index of a polled set is ready (an error or hang-up is, too). */
export function isReady(set: PollSet, index: number): boolean {
  return set[index * 4 + 3] !== 0;
}

const SOCK_STREAM = 1;
const SOCK_CLOEXEC = O_CLOEXEC;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;
const NODELAY = new Int32Array([1]);

/**
 * Opens a TCP connection to the first address of a host that takes it.
 * @throws {SystemError} When the host has no address or none takes the connection.
 */
export function connect(host: string, port: string): number {
  // struct addrinfo, 48 bytes: flags, family, socktype, protocol (i32 each), addrlen (u32 at 16),
  // addr (pointer at 24), canonname (at 32), next (at 40).
  const hints = new Int32Array(12);
  hints[2] = SOCK_STREAM;
  const found = new BigUint64Array(1);
  const failure = libc.getaddrinfo(cString(host), cString(port), hints, found);
  if (failure !== 0) throw new Error(`getaddrinfo: no address for ${host}:${port}`);
  const first = Number(found[0]) as Pointer;
  try {
    let refusal = 0;
    for (let entry = first; Number(entry) !== 0; entry = readMemory.ptr(entry, 40) as Pointer) {
      const family = readMemory.i32(entry, 4);
      const socket = checked("socket", libc.socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const address = readMemory.ptr(entry, 24) as Pointer;
      if (libc.connect(socket, address, readMemory.u32(entry, 16)) === 0) {
        // Requests are small and wait for their answers: Nagle's algorithm only delays them.
        libc.setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, NODELAY, 4);
        return socket;
      }
      refusal = errno();
      close(socket);
    }
    throw new SystemError("connect", refusal);
  } finally {
    libc.freeaddrinfo(first);
  }
}

/** Sends what the socket takes at once; {@link WOULD_BLOCK} if nothing. A closed peer throws. */
export function send(socket: number, bytes: Uint8Array): number {
  for (;;) {
    const count = libc.send(socket, bytes, bytes.byteLength, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) return count;
    const reason = errno();
    if (reason === EAGAIN) return WOULD_BLOCK;
    if (reason !== EINTR) throw new SystemError("send", reason);
  }
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
  checked("prctl", libc.prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n));
}

/** Has the kernel end this process when its parent ends. */
export function endWithParent(): void {
  checked("prctl", libc.prctl(PR_SET_PDEATHSIG, BigInt(SIGNAL.terminate), 0n, 0n, 0n));
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
