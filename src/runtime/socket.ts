/**
 * TCP sockets, through Bun's foreign function interface.
 *
 * @module
 */

import { dlopen, type Pointer, read as readMemory } from "./ffi.ts";
import { lazy } from "./lazy.ts";
import {
  checked,
  close,
  cString,
  EAGAIN,
  EINTR,
  errno,
  LIBC,
  O_CLOEXEC,
  O_NONBLOCK,
  SystemError,
  WOULD_BLOCK,
} from "./libc.ts";
import { POLLOUT } from "./poll-set.ts";
import type { Poller } from "./poller.ts";

const libc = lazy(
  () =>
    dlopen(LIBC, {
      connect: { args: ["i32", "ptr", "u32"], returns: "i32" },
      freeaddrinfo: { args: ["ptr"], returns: "void" },
      getaddrinfo: { args: ["ptr", "ptr", "ptr", "ptr"], returns: "i32" },
      send: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
      setsockopt: { args: ["i32", "i32", "i32", "ptr", "u32"], returns: "i32" },
      socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    }).symbols,
);

const SOCK_STREAM = 1;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const SHUT_RDWR = 2;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SIOCOUTQ = 0x5411;
const EINPROGRESS = 115;
const ETIMEDOUT = 110;
/** How long one attempt to connect may take, in milliseconds: the Runtime API is on this machine. */
const CONNECT_MS_MAX = 1000;
const MSG_NOSIGNAL = 0x4000;
const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;

/**
 * Opens a TCP connection, whose reads and writes do not wait, to the first address of a host that takes it.
 * @throws {SystemError} When none takes the connection.
 * @throws {Error} When the host has no address, or none responds.
 */
export function connect(host: string, port: string, poller: Poller): number {
  const bound = libc();
  // struct addrinfo, 48 bytes: flags, family, socktype, protocol (i32 each), addrlen (u32 at 16),
  // addr (pointer at 24), canonname (at 32), next (at 40).
  const hints = new Int32Array(12);
  hints[2] = SOCK_STREAM;
  const found = new BigUint64Array(1);
  if (bound.getaddrinfo(cString(host), cString(port), hints, found) !== 0) {
    throw new Error(`getaddrinfo: no address for ${host}:${port}`);
  }
  const first = Number(found[0]) as Pointer;
  try {
    let refusal = 0;
    for (let entry = first; Number(entry) !== 0; entry = readMemory.ptr(entry, 40) as Pointer) {
      const family = readMemory.i32(entry, 4);
      const type = SOCK_STREAM | O_CLOEXEC | O_NONBLOCK;
      const socket = checked("socket", bound.socket(family, type, 0));
      const address = readMemory.ptr(entry, 24) as Pointer;
      refusal = bound.connect(socket, address, readMemory.u32(entry, 16)) === 0 ? 0 : errno();
      if (refusal === EINPROGRESS) refusal = endOfConnect(socket, poller);
      if (refusal === 0) {
        // Requests are small and wait for their responses: Nagle's algorithm only delays them.
        bound.setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, new Int32Array([1]), 4);
        return socket;
      }
      close(socket);
    }
    throw new SystemError("connect", refusal);
  } finally {
    bound.freeaddrinfo(first);
  }
}

// Connections within a machine are made at once.
const late = lazy(
  () =>
    dlopen(LIBC, {
      getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
      ioctl: { args: ["i32", "u64", "ptr"], returns: "i32" },
      recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i32" },
    }).symbols,
);

/** Waits for a connection that is being made; returns the reason why it was not, or 0. */
function endOfConnect(socket: number, poller: Poller): number {
  if (poller.waitFor(socket, POLLOUT, CONNECT_MS_MAX) === 0) return ETIMEDOUT;
  const reason = new Int32Array(1);
  const length = new Int32Array([reason.byteLength]);
  checked("getsockopt", late().getsockopt(socket, SOL_SOCKET, SO_ERROR, reason, length));
  return reason[0] as number;
}

/** What has been received, without taking it: at most so many bytes, none if it cannot be told. */
export function peek(socket: number, bytesMax: number): Uint8Array {
  const bytes = new Uint8Array(bytesMax);
  const count = late().recv(socket, bytes, bytes.byteLength, MSG_PEEK | MSG_DONTWAIT);
  return bytes.subarray(0, Math.max(0, count));
}

/** How many bytes were sent whose arrival the other side has not confirmed. */
export function unacknowledgedBytes(socket: number): number {
  const count = new Int32Array(1);
  checked("ioctl", late().ioctl(socket, SIOCOUTQ, count));
  return count[0] as number;
}

const shutdown = lazy(
  () => dlopen(LIBC, { shutdown: { args: ["i32", "i32"], returns: "i32" } }).symbols,
);

/** Ends both directions of a connection, which is not closed by that; one that is gone is not an error. */
export function shutDown(socket: number): void {
  shutdown().shutdown(socket, SHUT_RDWR);
}

/** Sends what the socket takes at once; {@link WOULD_BLOCK} if nothing. A closed peer throws. */
export function send(socket: number, bytes: Uint8Array): number {
  const bound = libc();
  for (;;) {
    const count = bound.send(socket, bytes, bytes.byteLength, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) return count;
    const reason = errno();
    if (reason === EAGAIN) return WOULD_BLOCK;
    if (reason !== EINTR) throw new SystemError("send", reason);
  }
}
