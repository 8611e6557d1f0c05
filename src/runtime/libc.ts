/**
 * The system calls that the runtime makes, through Bun's foreign function interface.
 *
 * The invoke loop is sequential by contract: one event, one response, the next. So it is written as
 * plain blocking calls over poll(2), which is both what an auditor expects of it and several times
 * faster to start and to turn than an event loop (measured: binding a function takes 10 µs, a call
 * 0.2 µs).
 *
 * Numbers are Linux's and equal on x86-64 and arm64 unless a comment says otherwise.
 *
 * @see https://man7.org/linux/man-pages/man2/syscalls.2.html
 * @module
 */

import { elapsedMs } from "./clock.ts";
import { dlopen, type Pointer, read as readMemory } from "./ffi.ts";
import { lazy } from "./lazy.ts";
import { encodeUtf8 } from "./utf8.ts";

/** The C library, by the name that the dynamic loader has for it. */
export const LIBC = "libc.so.6";

// What has to be there before the shell can be started. Counts of bytes are declared i32: no single
// call here moves 2 GiB, and numbers beat bigints.
const { symbols: libc } = dlopen(LIBC, {
  access: { args: ["ptr", "i32"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
  dup3: { args: ["i32", "i32", "i32"], returns: "i32" },
  getpid: { args: [], returns: "i32" },
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  open: { args: ["ptr", "i32"], returns: "i32" },
  pipe2: { args: ["ptr", "i32"], returns: "i32" },
  read: { args: ["i32", "ptr", "u64"], returns: "i32" },
  statx: { args: ["i32", "ptr", "i32", "u32", "ptr"], returns: "i32" },
});

// What can wait until the shell is loading.
const late = lazy(
  () =>
    dlopen(LIBC, {
      __errno_location: { args: [], returns: "ptr" },
      fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
      poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
      strerror: { args: ["i32"], returns: "cstring" },
      write: { args: ["i32", "ptr", "u64"], returns: "i32" },
    }).symbols,
);

export const EINTR = 4;
export const EAGAIN = 11;
const EPIPE = 32;

/** What {@link read} and {@link send} return when the call would have to wait. */
export const WOULD_BLOCK = -1;

/** A system call that failed, with the system's own words. */
export class SystemError extends Error {
  override readonly name = "SystemError";

  constructor(call: string, errno: number) {
    super(`${call}: ${late().strerror(errno)}`);
  }
}

/** The reason of the call that has just failed. */
export function errno(): number {
  const location = late().__errno_location();
  return location === null ? 0 : readMemory.i32(location, 0);
}

/** Passes a call's result on, or throws what it says in errno. */
export function checked(call: string, result: number): number {
  if (result < 0) throw new SystemError(call, errno());
  return result;
}

/** A NUL-terminated copy of a text, in UTF-8. */
export function cString(text: string): Uint8Array {
  return encodeUtf8(`${text}\0`);
}

/** This process's id. */
export const processId = lazy(() => libc.getpid());

/** The address of a function that changes nothing, whatever it is called with, for a signal that only has to come. */
export function harmlessFunction(): Pointer {
  return (libc.getpid as unknown as { readonly ptr: Pointer }).ptr;
}

/** A path by which a process with our identity, such as the shell, can open one of our descriptors. */
export function pathOf(descriptor: number): string {
  return `/proc/${processId()}/fd/${descriptor}`;
}

export const O_CLOEXEC = 0o2000000;
/** Reads do not wait. A shell that opens the other end by its path has flags of its own. */
export const O_NONBLOCK = 0o4000;
const F_SETFL = 4;
const F_SETOWN = 8;
const F_SETSIG = 10;
const F_SETPIPE_SZ = 1031;
const O_ASYNC = 0o20000;
/** The system rounds a pipe's size up to its own page. */
const PAGE_BYTES = 4096;

const ends = new Int32Array(2);

/** Makes a pipe, close-on-exec; `[read end, write end]`. */
export function pipe(flags = 0): readonly [number, number] {
  checked("pipe2", libc.pipe2(ends, O_CLOEXEC | flags));
  return [ends[0] as number, ends[1] as number];
}

/**
 * Makes an empty pipe take no byte beyond a line end until that is read, and puts the line end in.
 * @param writeEnd Its write end, which does not wait.
 */
export function stopWithLineEnd(writeEnd: number): void {
  // A pipe of one page is full with one byte. Where the system has no such pipes, all pages are filled.
  const isSmall = late().fcntl(writeEnd, F_SETPIPE_SZ, PAGE_BYTES) >= 0;
  const lineEnds = new Uint8Array(isSmall ? 1 : PAGE_BYTES).fill(0x0a);
  while (late().write(writeEnd, lineEnds, lineEnds.byteLength) > 0 && !isSmall);
}

/** Says whether reads and writes of a descriptor wait, or return {@link WOULD_BLOCK}. */
export function setBlocking(descriptor: number, isBlocking: boolean): void {
  // Of the flags that can be set, the descriptors that we make have no other.
  checked("fcntl", late().fcntl(descriptor, F_SETFL, isBlocking ? 0 : O_NONBLOCK));
}

/**
 * Has the kernel send a signal to a process group when this process ends, however it ends: as soon as one end of a
 * pipe is gone, the other end tells its owner.
 * @param ends A pipe that no other process opens. Nothing is written to it or read from it: on Linux 5.10 to 6.12
 *   even a read that waits sends the signal.
 * @see https://man7.org/linux/man-pages/man2/F_SETSIG.2const.html
 */
export function signalAtEnd(ends: readonly [number, number], group: number, signal: number): void {
  // Which end goes first is the kernel's choice. Where a system cannot send the signal, all is as without it.
  for (const end of ends) {
    late().fcntl(end, F_SETOWN, -group);
    late().fcntl(end, F_SETSIG, signal);
    late().fcntl(end, F_SETFL, O_ASYNC);
  }
}

const MFD_CLOEXEC = 1;
const MEMORY_FILE_NAME = cString("lambda-event");

/** Makes an anonymous file in memory that holds the given bytes, one piece after the other. */
export function memoryFile(...pieces: readonly Uint8Array[]): number {
  const descriptor = checked("memfd_create", libc.memfd_create(MEMORY_FILE_NAME, MFD_CLOEXEC));
  for (const piece of pieces) writeAll(descriptor, piece);
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
    const count = late().write(descriptor, rest, rest.byteLength);
    if (count >= 0) {
      rest = rest.subarray(count);
      continue;
    }
    const reason = errno();
    // Our own standard error may have been made non-blocking by another process that shares it.
    if (reason === EAGAIN) sleep(1);
    else if (reason !== EINTR) throw new SystemError("write", reason);
  }
}

// Only several loops need these.
const shared = lazy(
  () =>
    dlopen(LIBC, {
      lockf: { args: ["i32", "i32", "i64"], returns: "i32" },
      pread: { args: ["i32", "ptr", "u64", "i64"], returns: "i32" },
      pwrite: { args: ["i32", "ptr", "u64", "i64"], returns: "i32" },
    }).symbols,
);

/** Reads a part of a file, which may have its end before. */
export function readAt(descriptor: number, into: Uint8Array, offset: number): void {
  checked("pread", shared().pread(descriptor, into, into.byteLength, offset));
}

/** Writes a part of a file in memory: all of it, or nothing. */
export function writeAt(descriptor: number, bytes: Uint8Array, offset: number): void {
  checked("pwrite", shared().pwrite(descriptor, bytes, bytes.byteLength, offset));
}

const F_ULOCK = 0;
const F_TLOCK = 2;

/**
 * Takes the lock of a file, which this process loses when it ends; false if another process has it.
 * @see https://man7.org/linux/man-pages/man3/lockf.3.html
 */
export function tryLock(descriptor: number): boolean {
  return shared().lockf(descriptor, F_TLOCK, 1) === 0;
}

export function unlock(descriptor: number): void {
  shared().lockf(descriptor, F_ULOCK, 1);
}

/** Writes a few bytes to a pipe, all at once; false if nobody has it open to read. */
export function writeToReader(descriptor: number, bytes: Uint8Array): boolean {
  const count = late().write(descriptor, bytes, bytes.byteLength);
  if (count === bytes.byteLength) return true;
  const reason = count < 0 ? errno() : 0;
  if (reason === EPIPE) return false;
  throw new SystemError("write", reason);
}

export function close(descriptor: number): void {
  libc.close(descriptor);
}

const RLIMIT_NOFILE = 7;

/** How many descriptors this process may have, as far as it is known. */
export function descriptorsMax(): number {
  const { getrlimit } = dlopen(LIBC, {
    getrlimit: { args: ["i32", "ptr"], returns: "i32" },
  }).symbols;
  // struct rlimit: the limit that holds, and how far it may be raised.
  const limits = new BigUint64Array(2);
  checked("getrlimit", getrlimit(RLIMIT_NOFILE, limits));
  return Number(limits[0]);
}

/** Makes `target` name what `source` names, close-on-exec. */
export function duplicateTo(source: number, target: number): void {
  checked("dup3", libc.dup3(source, target, O_CLOEXEC));
}

/**
 * Waits until something comes on one of the descriptors, or the time is over.
 * @param set An array of `struct pollfd`; what has come is written into it.
 * @param timeoutMs Longest wait, in milliseconds; negative for no limit.
 * @returns False if a signal has ended the wait.
 */
export function poll(set: Int16Array, count: number, timeoutMs: number): boolean {
  if (late().poll(set, count, timeoutMs) >= 0) return true;
  const reason = errno();
  if (reason !== EINTR) throw new SystemError("poll", reason);
  for (let index = 3; index < count * 4; index += 4) set[index] = 0;
  return false;
}

/** Waits for a time in milliseconds, and serves nothing meanwhile. */
export function sleep(ms: number): void {
  const endAt = elapsedMs() + ms;
  // A signal does not end it: each of many children that end sends one.
  for (let restMs = ms; restMs > 0; restMs = endAt - elapsedMs()) {
    poll(new Int16Array(0), 0, Math.ceil(restMs));
  }
}

const O_RDONLY = 0;
const O_WRONLY = 1;
/** How much of a file is asked for at once, in bytes. */
const FILE_READ_BYTES = 16 * 1024;

/** Opens a file to read it, close-on-exec. */
export function openFile(path: string): number {
  return checked(`open ${path}`, libc.open(cString(path), O_RDONLY | O_CLOEXEC));
}

/** Reads a whole file, which may be one of /proc that has no size. */
export function readFile(path: string): Uint8Array {
  const descriptor = openFile(path);
  try {
    let bytes = readSome(descriptor);
    for (;;) {
      const more = readSome(descriptor);
      if (more.length === 0) return bytes;
      const longer = new Uint8Array(bytes.length + more.length);
      longer.set(bytes);
      longer.set(more, bytes.length);
      bytes = longer;
    }
  } finally {
    close(descriptor);
  }
}

/** Writes to a file of /proc that is there. */
export function writeFile(path: string, text: string): void {
  const descriptor = checked(`open ${path}`, libc.open(cString(path), O_WRONLY | O_CLOEXEC));
  try {
    writeAll(descriptor, encodeUtf8(text));
  } finally {
    close(descriptor);
  }
}

/** Reads the beginning of a file, at most {@link FILE_READ_BYTES}. */
export function readStart(path: string): Uint8Array {
  const descriptor = openFile(path);
  try {
    return readSome(descriptor);
  } finally {
    close(descriptor);
  }
}

function readSome(descriptor: number): Uint8Array {
  const bytes = new Uint8Array(FILE_READ_BYTES);
  const count = read(descriptor, bytes);
  return bytes.slice(0, count === WOULD_BLOCK ? 0 : count);
}

const AT_FDCWD = -100;
const STATX_TYPE = 1;
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_IFDIR = 0o040000;

/** What a path leads to; undefined if to nothing that we can reach. */
export function fileType(path: string): "file" | "folder" | "other" | undefined {
  // struct statx, 256 bytes, has the same layout everywhere; stx_mode is a u16 at 28.
  const status = new Uint8Array(256);
  if (libc.statx(AT_FDCWD, cString(path), 0, STATX_TYPE, status) !== 0) return undefined;
  const type = ((status[28] as number) | ((status[29] as number) << 8)) & S_IFMT;
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
