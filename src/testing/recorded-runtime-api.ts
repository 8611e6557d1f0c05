/**
 * A real HTTP Runtime API in the test process: hands out scripted events, records every request.
 *
 * It keeps Lambda's rules of the game, so that a runtime that breaks them is seen: an unknown
 * request id is 400, a second post for an event is 403, a response that is too large is 413.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import { CONTENT_TYPE, HEADER, PATH, RESPONSE_BYTES_MAX, STATUS } from "../runtime-api/contract.ts";
import { RecordedRequest } from "./recorded-request.ts";
import {
  type EventScript,
  ScriptedInvocation,
  type ScriptedResponse,
} from "./scripted-invocation.ts";

/** What a GET /next gets instead of an event. */
type NextFailure =
  { readonly kind: "status"; readonly status: number } | { readonly kind: "reset" };

/** What a GET /restore/next gets, once `until` has resolved. */
type RestoreResponse = (
  | { readonly kind: "status"; readonly status: number; readonly thenReset?: true }
  | { readonly kind: "reset" }
) & { readonly until?: Promise<void> };

type NextItem = { readonly kind: "event"; readonly invocation: ScriptedInvocation } | NextFailure;

interface WaitingNext {
  readonly response: ServerResponse;
  readonly request: RecordedRequest;
}

/** The Runtime API of one runtime under test. */
export class RecordedRuntimeApi {
  /** Every request in order of arrival. */
  readonly requests: RecordedRequest[] = [];
  /** Every event that was ever queued, in that order. */
  readonly invocations: ScriptedInvocation[] = [];
  /** Posts to /init/error. */
  readonly initErrors: RecordedRequest[] = [];
  /** GET /restore/next, and the responses that they get; without one there is no such path. */
  readonly restores: RecordedRequest[] = [];
  readonly restoreResponses: RestoreResponse[] = [];
  /** Posts to /restore/error. */
  readonly restoreErrors: RecordedRequest[] = [];
  /** How many TCP connections the runtime has opened. */
  connections = 0;
  /** The status that posts to /init/error get. */
  initErrorStatus: number = STATUS.accepted;

  readonly #server: Server;
  readonly #queue: NextItem[] = [];
  readonly #waiting: WaitingNext[] = [];
  readonly #sockets = new Map<Socket, number>();
  #watchers: (() => void)[] = [];

  private constructor() {
    this.#server = createServer((message, response) => void this.#serve(message, response));
    // Lambda's side never closes an idle connection and never times a request out.
    this.#server.keepAliveTimeout = 0;
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
    this.#server.timeout = 0;
    this.#server.on("connection", (socket: Socket) => {
      this.connections += 1;
      this.#sockets.set(socket, this.connections);
    });
  }

  /** Starts a server on a free port of 127.0.0.1. */
  static async start(): Promise<RecordedRuntimeApi> {
    const api = new RecordedRuntimeApi();
    await new Promise<void>((resolve) => api.#server.listen(0, "127.0.0.1", resolve));
    return api;
  }

  /** The value of AWS_LAMBDA_RUNTIME_API: `127.0.0.1:PORT`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many GET /next wait for an event at this moment. */
  get waitingNexts(): number {
    return this.#waiting.length;
  }

  /** Queues one event and returns it, later with its responses. */
  enqueue(script: EventScript = {}): ScriptedInvocation {
    const invocation = new ScriptedInvocation(script);
    this.invocations.push(invocation);
    this.#offer({ kind: "event", invocation });
    return invocation;
  }

  /** Queues an event and resolves with its first post, once that has got a response. */
  invoke(script: EventScript = {}): Promise<RecordedRequest> {
    return this.enqueue(script).posted;
  }

  /** Lets the next GET /next fail. */
  failNext(failure: NextFailure): void {
    this.#offer(failure);
  }

  /** Resolves when `count` GET /next wait at the same time. */
  async idle(count = 1): Promise<void> {
    await this.until(() => this.#waiting.length >= count);
  }

  /** Resolves when `condition` holds after a request or response; the test's time limit bounds it. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Drops the record of what is over, so that long tests do not grow. */
  forget(): void {
    this.requests.length = 0;
    this.invocations.length = 0;
  }

  /** Stops listening and drops every connection. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const wake of watchers) wake();
  }

  #offer(item: NextItem): void {
    this.#queue.push(item);
    this.#deliver();
  }

  #deliver(): void {
    while (this.#queue.length > 0 && this.#waiting.length > 0) {
      const waiting = this.#waiting.shift();
      const item = this.#queue.shift();
      if (waiting === undefined || item === undefined) return;
      switch (item.kind) {
        case "event":
          deliverEvent(waiting, item.invocation);
          break;
        case "status":
          waiting.request.responseStatus = item.status;
          respondWithStatus(waiting.response, item.status);
          break;
        case "reset":
          waiting.response.socket?.destroy();
          break;
      }
    }
    this.#changed();
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = new RecordedRequest(message, this.#sockets.get(message.socket) ?? 0);
    this.requests.push(request);
    if (request.method === "GET" && request.path === PATH.next) {
      const waiting = { response, request };
      this.#waiting.push(waiting);
      // A caller that has gone away must not get an event.
      response.on("close", () => {
        const index = this.#waiting.indexOf(waiting);
        if (index >= 0) this.#waiting.splice(index, 1);
        this.#changed();
      });
      this.#deliver();
    } else if (request.method === "GET" && request.path === PATH.restoreNext) {
      await this.#serveRestore(request, response);
    } else if (request.method === "POST" && request.path === PATH.initError) {
      this.initErrors.push(request);
      await request.ended;
      request.responseStatus = this.initErrorStatus;
      respondWithStatus(response, this.initErrorStatus);
    } else if (request.method === "POST" && request.path === PATH.restoreError) {
      this.restoreErrors.push(request);
      await request.ended;
      request.responseStatus = STATUS.accepted;
      respondWithStatus(response, STATUS.accepted);
    } else {
      await this.#servePost(request, message, response);
    }
    this.#changed();
  }

  async #serveRestore(request: RecordedRequest, response: ServerResponse): Promise<void> {
    this.restores.push(request);
    this.#changed();
    const scripted = this.restoreResponses.shift() ?? { kind: "status", status: STATUS.notFound };
    await scripted.until;
    const { socket } = response;
    if (scripted.kind === "reset") {
      socket?.destroy();
      return;
    }
    request.responseStatus = scripted.status;
    if (scripted.status === STATUS.ok) response.writeHead(STATUS.ok, { "Content-Length": 0 }).end();
    else respondWithStatus(response, scripted.status);
    if (scripted.thenReset === true) response.on("finish", () => socket?.resetAndDestroy());
  }

  async #servePost(
    request: RecordedRequest,
    message: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const invocation = this.invocations.find(
      ({ requestId }) =>
        request.method === "POST" &&
        (request.path === PATH.response(requestId) || request.path === PATH.error(requestId)),
    );
    if (invocation === undefined) {
      await request.ended;
      request.responseStatus = STATUS.badRequest;
      respondWithStatus(response, STATUS.badRequest);
      return;
    }
    invocation.posts.push(request);
    invocation.settle.begun(request);
    this.#changed();
    const scripted: ScriptedResponse =
      invocation.posts.length > 1
        ? { kind: "status", status: STATUS.forbidden }
        : invocation.postResponse;
    if (scripted.kind === "reset-at-head") response.socket?.destroy();
    if (scripted.kind === "slow-read") {
      message.pause();
      await Bun.sleep(scripted.delayMs);
      message.resume();
    }
    await request.ended;
    if (scripted.kind === "reset-after-body") response.socket?.destroy();
    if (scripted.kind === "status" || scripted.kind === "slow-read") {
      const { status, delayMs = 0 } =
        scripted.kind === "status" ? scripted : { status: STATUS.accepted };
      await Bun.sleep(delayMs);
      request.responseStatus = isTooLarge(request) ? STATUS.payloadTooLarge : status;
      respondWithStatus(response, request.responseStatus);
    }
    invocation.settle.posted(request);
  }
}

/** Whether a post is a buffered response above the limit. */
function isTooLarge(request: RecordedRequest): boolean {
  if (request.header(HEADER.responseMode) !== undefined) return false;
  return request.chunks.reduce((sum, { bytes }) => sum + bytes.length, 0) > RESPONSE_BYTES_MAX;
}

function respondWithStatus(response: ServerResponse, status: number): void {
  if (response.socket?.destroyed === true) return;
  const body =
    status === STATUS.accepted
      ? { status: "OK" }
      : { errorMessage: `scripted ${status}`, errorType: "Scripted" };
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    "Content-Type": CONTENT_TYPE.json,
    "Content-Length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Writes one event as the response of a waiting GET /next. */
function deliverEvent({ response, request }: WaitingNext, invocation: ScriptedInvocation): void {
  const { body, chunkBytes } = invocation;
  const headers: Record<string, string> = {};
  for (const [name, value] of invocation.headers) {
    // A header's text is sent one byte per character: make the characters its UTF-8 bytes.
    headers[name] = Buffer.from(value, "utf8").toString("latin1");
  }
  if (chunkBytes === undefined) headers["Content-Length"] = String(body.length);
  request.responseStatus = STATUS.ok;
  invocation.deliveredAtMs = performance.now();
  response.writeHead(STATUS.ok, headers);
  if (chunkBytes === undefined) {
    response.end(body);
    return;
  }
  for (let at = 0; at < body.length; at += chunkBytes) {
    response.write(body.subarray(at, at + chunkBytes));
  }
  response.end();
}
