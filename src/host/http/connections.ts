/**
 * The connections of an HTTP server, taken apart from Bun's `node:http`: one that listens by itself
 * closes a connection as soon as the caller has closed its sending side, as `nc -N` does after its
 * request, and the response is lost.
 *
 * Times are ours, too: Bun enforces its own for connections alone that it has taken itself.
 * @module
 */

import { readFileSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** How long callers may take, in milliseconds. */
export interface ConnectionTimes {
  /** For the head of the first request. */
  readonly firstHeadMs: number;
  /** For the head of each that follows. */
  readonly nextHeadMs: number;
  /** How long its caller may take nothing of a response that waits for it, in milliseconds. */
  readonly stallMs: number;
}

/** How long after the end of what a caller sends it is asked whether it still reads, in milliseconds. */
const PROBE_MS = 200;

/** What is known of a connection. */
interface Connection {
  /** Requests whose response is not taken yet. */
  readonly open: Set<IncomingMessage>;
  /** Runs while there are none. */
  idle: NodeJS.Timeout | undefined;
  /** Whether it is closed after a request that has come: what follows that is not a request. */
  isLast: boolean;
}

/** Takes connections and hands them to an HTTP server. */
export class Connections {
  readonly #bySocket = new Map<Socket, Connection>();
  readonly #listener;
  readonly #times: ConnectionTimes;

  constructor(server: Server, times: ConnectionTimes) {
    this.#times = times;
    // Without it, the end of what a caller sends would be the end of the connection here, too.
    Object.assign(server, { httpAllowHalfOpen: true });
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection: Connection = { open: new Set(), idle: undefined, isLast: false };
      this.#bySocket.set(socket, connection);
      socket.on("close", () => {
        clearTimeout(connection.idle);
        this.#bySocket.delete(socket);
      });
      this.#awaitHead(socket, connection, times.firstHeadMs);
      server.emit("connection", socket);
    });
  }

  /**
   * Listens and returns the port.
   * @throws {Error} With code `EADDRINUSE` when the port is taken; no other is tried.
   */
  async listen(host: string, port: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#listener.once("error", reject);
    this.#listener.listen(port, host, resolve);
    await promise;
    return (this.#listener.address() as AddressInfo).port;
  }

  /**
   * Notes a request.
   * @param isRefused Whether nobody knows where it ends.
   * @returns False for what comes after the last request: it is not a request, and gets no response.
   */
  begin(incoming: IncomingMessage, outgoing: ServerResponse, isRefused: boolean): boolean {
    const { socket } = incoming;
    const connection = this.#bySocket.get(socket);
    if (connection === undefined || connection.isLast) return false;
    connection.isLast = isRefused || !outgoing.shouldKeepAlive;
    connection.open.add(incoming);
    clearTimeout(connection.idle);
    outgoing.on("close", () => {
      connection.open.delete(incoming);
      if (connection.open.size > 0 || socket.destroyed) return;
      const next = () => {
        if (connection.isLast) socket.end(() => socket.destroy());
        else this.#awaitHead(socket, connection, this.#times.nextHeadMs);
      };
      if (incoming.complete || isRefused) next();
      else afterBody(incoming, this.#times.stallMs, next);
    });
    probeAtEnd(incoming, outgoing);
    // One that waits for the response before it is not the caller's to take.
    const isFirst = () => connection.open.values().next().value === incoming;
    endWhenStalled(socket, outgoing, isFirst, this.#times.stallMs);
    return true;
  }

  /**
   * Responds to what is not HTTP. Where whole requests stand before it, they have their responses first, and
   * it has none: theirs would be taken for its own.
   */
  refuse(socket: Socket, status: string): void {
    const connection = this.#bySocket.get(socket);
    const open = [...(connection?.open ?? [])];
    if (connection !== undefined && open.length > 0 && open.every(({ complete }) => complete)) {
      connection.isLast = true;
    } else if (socket.writable && connection?.isLast !== true) {
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    } else {
      socket.destroy();
    }
  }

  /** Closes all of them, and takes no more. */
  close(): void {
    this.#listener.close();
    for (const socket of this.#bySocket.keys()) socket.destroy();
  }

  #awaitHead(socket: Socket, connection: Connection, ms: number): void {
    clearTimeout(connection.idle);
    connection.idle = setTimeout(() => socket.destroy(), ms);
  }
}

/**
 * Finds out whether a caller that sends no more still reads. The kernel tells nothing of one that has
 * gone until something is sent to it: an interim response, which every client of HTTP/1.1 skips.
 */
function probeAtEnd({ socket, httpVersion }: IncomingMessage, outgoing: ServerResponse): void {
  if (httpVersion !== "1.1") return;
  let timer: NodeJS.Timeout | undefined;
  const probe = () => {
    timer = setTimeout(() => {
      if (!outgoing.headersSent && !outgoing.destroyed) outgoing.writeContinue();
    }, PROBE_MS);
  };
  if (socket.readableEnded) probe();
  else socket.once("end", probe);
  outgoing.on("close", () => {
    clearTimeout(timer);
    socket.off("end", probe);
  });
}

/**
 * Waits for the end of a request that has had its response before. What still comes of it is read for as long as it
 * comes: the kernel resets a connection that is closed with bytes unread, and a caller that sends everything before
 * it reads would lose the response.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.6
 */
function afterBody(incoming: IncomingMessage, stallMs: number, next: () => void): void {
  const { socket } = incoming;
  const idle = setTimeout(() => socket.destroy(), stallMs).unref();
  incoming.on("data", () => idle.refresh());
  incoming.on("end", () => {
    clearTimeout(idle);
    next();
  });
}

/** How often in that time it is looked whether a response is taken. */
const STALL_LOOKS = 4;

/** Closes the connection of a caller that takes nothing of a response that waits for it, for so long. */
function endWhenStalled(
  socket: Socket,
  outgoing: ServerResponse,
  isFirst: () => boolean,
  stallMs: number,
): void {
  let before = "";
  let sinceMs = performance.now();
  const look = () => {
    const waiting = isFirst() ? waitingBytes(socket, outgoing) : "";
    if (waiting === "" || waiting !== before) sinceMs = performance.now();
    else if (performance.now() - sinceMs >= stallMs) socket.destroy();
    before = waiting;
  };
  const timer = setInterval(look, stallMs / STALL_LOOKS).unref();
  outgoing.on("close", () => clearInterval(timer));
}

/** What waits for a caller, here and in the kernel, in a text that changes when it takes something; empty when nothing does. */
function waitingBytes(socket: Socket, outgoing: ServerResponse): string {
  const isWaiting = outgoing.writableEnded || outgoing.writableLength > 0;
  if (!isWaiting) return "";
  // Of a response that is written at once, Bun tells only when the kernel has taken the whole.
  return `${socket.bytesWritten} ${outgoing.writableLength} ${kernelQueue(socket)}`;
}

/**
 * The bytes that the kernel has for a caller: those that it has not been able to send, or that are not confirmed. It
 * takes more from here only when a third of its buffer is free, megabytes, for which a slow caller needs minutes.
 * @see https://docs.kernel.org/networking/proc_net_tcp.html
 */
function kernelQueue({ localPort = 0, remotePort = 0 }: Socket): string {
  const [here, there] = [localPort, remotePort].map((port) => port.toString(16).padStart(4, "0"));
  const line = RegExp(`:${here} [0-9a-f]+:${there} [0-9a-f]{2} ([0-9a-f]+):`, "gi");
  const tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(readTable);
  return tables.flatMap((text) => [...text.matchAll(line)].map(([, bytes]) => bytes)).join();
}

function readTable(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Of another system, or one without IPv6.
    return "";
  }
}
