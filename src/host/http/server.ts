/**
 * HTTP from outside: reads a request, lets a handler respond, writes the response; drains on demand.
 *
 * On `node:http`, since raw header names, repeated headers and the untouched target matter to the
 * forms of API Gateway.
 * @module
 */

import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

import { newTraceId } from "../invocation/invocation.ts";
import { StreamFailure } from "../invocation/outcome.ts";
import { errorWords } from "../invocation/platform-error.ts";
import type { HostLog } from "../invocation/platform-log.ts";
import { BYTES_PER_MB } from "../invocation/settings.ts";
import { Connections } from "./connections.ts";
import { type HttpRequest, type HttpResponse, isStream, parseTarget } from "./message.ts";
import { letGo, readBody, writeResponse } from "./node-http.ts";

/** A request whose body is not read yet. */
export type RequestHead = Omit<HttpRequest, "body">;

/** What becomes of a request: the size its body may have, then the response. */
export interface HttpHandler {
  /** Chooses by the head alone. */
  route(head: RequestHead): HttpRoute;
  /** Takes what the person at the terminal should know. */
  readonly log: HostLog;
}

/** Who waits for a response. */
export interface Caller {
  /** Fires when the caller has closed the connection. */
  readonly gone: AbortSignal;
  /**
   * Counts so many bytes that are kept, besides those of the request, until there is a response: whether the caller
   * is still there or not.
   */
  readonly hold: (byteLength: number) => void;
}

/** Reads at most so much and then responds. */
export interface HttpRoute {
  readonly bodyBytesMax: number;
  readonly tooLarge: HttpResponse;
  /** What a caller gets for whose body there is no room now. */
  readonly noRoom: () => HttpResponse | Promise<HttpResponse>;
  respond(request: HttpRequest, caller: Caller): HttpResponse | Promise<HttpResponse>;
}

/** Largest request line with headers, in bytes; Lambda and API Gateway allow less. */
const HEADER_BYTES_MAX = 64 * 1024;

/** How long a new connection may take for the head of its first request, in milliseconds. */
const FIRST_HEAD_MS = 60_000;

/**
 * How long an idle connection is kept, in milliseconds: longer than the minute of common proxies
 * and SDKs, which would otherwise send a request into a connection that is being closed, and send
 * it again.
 */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/**
 * Bytes of requests and of whole responses that are held at the same time where nothing else is said. The
 * host needs some eight times as much for them: the body, the event that is made of it, what waits in
 * sockets.
 */
export const HELD_BYTES_MAX = 32 * 1024 * 1024;

/**
 * How long a caller may send nothing of a body that it has begun, or take nothing of a response that waits for
 * it, in milliseconds; as in other servers.
 */
export const STALL_MS = 60_000;

/** How the server is bounded. */
export interface HttpServerLimits {
  /** See {@link HELD_BYTES_MAX}; a single request always has room. */
  readonly heldBytesMax?: number | undefined;
  /** See {@link STALL_MS}. */
  readonly stallMs?: number | undefined;
  /** See {@link FIRST_HEAD_MS}. */
  readonly firstHeadMs?: number | undefined;
}

/** The HTTP server of `serve` and `dev`. */
export class HttpServer {
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #handler: HttpHandler;
  readonly #heldBytesMax: number;
  readonly #stallMs: number;
  #heldBytes = 0;
  #isFull = false;
  /** Responses whose request has been read and whose last byte has not been taken. */
  readonly #owed = new Set<ServerResponse>();
  #onNoneOwed: (() => void) | undefined;

  constructor(
    handler: HttpHandler,
    {
      heldBytesMax = HELD_BYTES_MAX,
      stallMs = STALL_MS,
      firstHeadMs = FIRST_HEAD_MS,
    }: HttpServerLimits = {},
  ) {
    this.#handler = handler;
    this.#heldBytesMax = heldBytesMax;
    this.#stallMs = stallMs;
    this.#server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, outgoing) => {
      void this.#serve(request, outgoing);
    });
    this.#server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
    this.#connections = new Connections(this.#server, {
      firstHeadMs,
      // What comes just as the time that callers are told has passed still has its response.
      nextHeadMs: KEEP_ALIVE_TIMEOUT_MS + 1000,
      stallMs,
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      const status =
        error.code === "HPE_HEADER_OVERFLOW"
          ? "431 Request Header Fields Too Large"
          : "400 Bad Request";
      this.#connections.refuse(socket as Socket, status);
    });
  }

  /**
   * Listens and returns the port.
   * @throws {Error} With code `EADDRINUSE` when the port is taken; no other is tried.
   */
  listen(host: string, port: number): Promise<number> {
    return this.#connections.listen(host, port);
  }

  /**
   * Waits until every caller has taken the last byte of its response, or has gone.
   * @param waitMs Longest wait, in milliseconds.
   */
  async responsesTaken(waitMs: number): Promise<void> {
    if (this.#owed.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onNoneOwed = resolve;
    const timer = setTimeout(resolve, waitMs);
    await promise;
    clearTimeout(timer);
  }

  /** Closes everything. */
  close(): void {
    this.#connections.close();
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const refusal = refusalOf(incoming);
    if (!this.#connections.begin(incoming, outgoing, refusal !== undefined)) return;
    if (refusal !== undefined) {
      // What follows may be a body, or a request: nobody knows.
      outgoing.writeHead(refusal, { Connection: "close" });
      outgoing.end();
      return;
    }
    const head = requestHead(incoming);
    const gone = new AbortController();
    const share = new Share(this.#count);
    outgoing.on("close", () => {
      letGo(share.bytes);
      share.end();
      if (!outgoing.writableFinished) gone.abort();
      this.#owed.delete(outgoing);
      if (this.#owed.size === 0) this.#onNoneOwed?.();
    });
    try {
      const route = this.#handler.route(head);
      const response = await this.#respond(incoming, outgoing, { head, route, share, gone });
      if (response === undefined) return;
      // The request is let go of, and the response waits for its caller to take it.
      letGo(share.bytes);
      share.set(heldBytes(response));
      await writeResponse(outgoing, response, head.method, this.#handler.log);
    } catch (error) {
      const hasBegun = outgoing.headersSent;
      // A response that broke off must not look complete.
      if (hasBegun) outgoing.destroy();
      if (hasBegun && error instanceof StreamFailure) {
        const why = errorWords(error.end);
        this.#handler.log(
          "error",
          `the response to ${head.method} ${head.rawPath} broke off: ${why}`,
        );
        return;
      }
      // Internal error: respond with 500 and log the reason.
      this.#handler.log("error", `failed to respond to ${head.method} ${head.rawPath}: ${error}`);
      if (hasBegun) return;
      outgoing.writeHead(500, { "Content-Type": "text/plain" });
      outgoing.end();
    }
  }

  /** Reads the body and returns the response to it; nothing when the caller has gone. */
  async #respond(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    { head, route, share, gone }: OpenRequest,
  ): Promise<HttpResponse | undefined> {
    const declared = Number(head.headers["content-length"] ?? 0);
    // Of one that is too large nothing is kept.
    let isRefused = !this.#takeRoom(share, declared > route.bodyBytesMax ? 0 : declared);
    const hasRoom = (byteLength: number) => {
      if (declared === 0) isRefused ||= !this.#takeRoom(share, byteLength);
      return !isRefused;
    };
    const idle = setTimeout(() => incoming.socket.destroy(), this.#stallMs);
    incoming.on("data", () => idle.refresh());
    const body = await readBody(incoming, route.bodyBytesMax, { hasRoom, isToldEarly: true });
    clearTimeout(idle);
    if (body.kind === "truncated") return undefined;
    if (!gone.signal.aborted) this.#owed.add(outgoing);
    if (isRefused) return route.noRoom();
    if (body.kind === "too-large") return route.tooLarge;
    const kept = new Share(this.#count);
    const caller = { gone: gone.signal, hold: (byteLength: number) => kept.set(byteLength) };
    let response: HttpResponse;
    try {
      response = await route.respond({ ...head, body: body.bytes }, caller);
    } finally {
      letGo(kept.bytes);
      kept.end();
    }
    if (response.requestDone !== undefined) {
      void this.#hold(body.bytes.byteLength, response.requestDone);
    }
    return response;
  }

  readonly #count = (byteLength: number): void => {
    this.#heldBytes += byteLength;
  };

  /** Counts the bytes of a request that is needed after its response, whether its caller is still there or not. */
  async #hold(byteLength: number, done: Promise<void>): Promise<void> {
    this.#heldBytes += byteLength;
    await done;
    this.#heldBytes -= byteLength;
    letGo(byteLength);
  }

  /** Takes room for bytes of a request; one that is alone always has it. */
  #takeRoom(share: Share, byteLength: number): boolean {
    const others = this.#heldBytes - share.bytes;
    const isFull = others > 0 && this.#heldBytes + byteLength > this.#heldBytesMax;
    if (isFull && !this.#isFull) {
      const most = Math.floor(this.#heldBytesMax / BYTES_PER_MB);
      const message =
        `requests and responses of more than ${most} MB at the same time: callers get 429\n` +
        "  more may be held with --held-memory MB";
      this.#handler.log("warning", message);
    }
    this.#isFull = isFull;
    if (isFull) share.set(0);
    else share.set(share.bytes + byteLength);
    return !isFull;
  }
}

interface OpenRequest {
  readonly head: RequestHead;
  readonly route: HttpRoute;
  readonly share: Share;
  readonly gone: AbortController;
}

/** What one request holds of the memory for all. */
class Share {
  readonly #add: (bytes: number) => void;
  #bytes = 0;
  #isOver = false;

  /** @param add Counts more, or less, of what is held by all. */
  constructor(add: (bytes: number) => void) {
    this.#add = add;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Holds so many bytes from now on. */
  set(bytes: number): void {
    if (this.#isOver) return;
    this.#add(bytes - this.#bytes);
    this.#bytes = bytes;
  }

  /** Holds nothing any more. */
  end(): void {
    this.set(0);
    this.#isOver = true;
  }
}

function heldBytes({ body }: HttpResponse): number {
  return isStream(body) ? 0 : Buffer.byteLength(body);
}

/**
 * The status for a request of which servers may disagree for whom it is, or where it ends.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-6.1
 */
function refusalOf({ headersDistinct, httpVersion }: IncomingMessage): number | undefined {
  const hosts = headersDistinct["host"]?.length ?? 0;
  if (hosts > 1 || (hosts === 0 && httpVersion === "1.1")) return 400;
  const codings = headersDistinct["transfer-encoding"] ?? [];
  return codings.length === 0 || codings.join().toLowerCase() === "chunked" ? undefined : 501;
}

function requestHead(incoming: IncomingMessage): RequestHead {
  const { rawPath, rawQuery, host } = parseTarget(incoming.url ?? "/");
  const { rawHeaders } = incoming;
  const headerLines: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const isReplaced = host !== undefined && name.toLowerCase() === "host";
    headerLines.push([name, isReplaced ? host : (rawHeaders[i + 1] ?? "")]);
  }
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of headerLines) headers[name.toLowerCase()] ??= value;
  return {
    method: incoming.method ?? "GET",
    rawPath,
    rawQuery,
    headerLines,
    headers,
    sourceIp: incoming.socket.remoteAddress ?? "127.0.0.1",
    receivedAtMs: Date.now(),
    requestId: randomUUID(),
    traceId: headers["x-amzn-trace-id"] ?? newTraceId(),
  };
}
