/**
 * The Runtime API of one execution environment: a routing table and one short method per route.
 *
 * On `node:http`, since `Bun.serve` responds twice when a chunked request carries trailers (measured
 * on 1.4.5). Every environment has a port of its own, so a late response of a killed runtime cannot
 * reach the event of another. Checks come in this order: id, state, mode, size.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

import {
  CONCURRENCY_MAX,
  HEADER,
  PATH,
  RESPONSE_BYTES_MAX,
  RESPONSE_MODE_STREAMING,
  STATUS,
  STREAMED_RESPONSE_BYTES_MAX,
} from "../../runtime-api/contract.ts";
import type { RefusalType } from "../../runtime-api/function-error.ts";
import {
  LABEL,
  type NodeRoute,
  nodeRoute,
  PLAIN,
  readBody,
  type RequestBody,
  respond,
  respondJson,
  serveByRoute,
} from "../http/node-http.ts";
import type { PendingInvocation } from "../invocation/invocation.ts";
import {
  type ErrorReading,
  type PlatformError,
  type PostedError,
  readPostedError,
} from "../invocation/platform-error.ts";
import { ExtensionRegistry } from "./extensions.ts";
import { isStreamed, type PostedResult, PostedStream } from "./posted-result.ts";
import {
  nextState,
  refusalMessage,
  type RuntimeEvent,
  RuntimeLoop,
  type RuntimeState,
} from "./runtime-loop.ts";

/** Largest request line with headers, in bytes: the X-Ray cause alone may have 1 MiB. */
const HEADER_BYTES_MAX = 1024 * 1024 + 64 * 1024;

/** Polls of further loops that wait for their turn, at most: as many as a runtime may have loops. */
const HELD_POLLS_MAX = CONCURRENCY_MAX;

/** What the environment wants to know of its runtime. */
export interface RuntimeListener {
  /**
   * A loop asks for an event and waits.
   * @param finished The invocation that ends with it.
   */
  onNext(finished: PendingInvocation | undefined): void;
  /** The runtime has responded, or begins to. */
  onPosted(invocation: PendingInvocation, result: PostedResult): void;
  onInitError(error: PlatformError): void;
  /** It is ready for its snapshot, and waits for the restore. */
  onSnapshot?(): void;
  /** It has failed after the restore. */
  onRestoreError?(error: PlatformError): void;
}

/** How the API is served. */
interface RuntimeApiOptions {
  /** Loops that the runtime may run, 1 unless it was told otherwise. */
  readonly concurrency: number;
  /** What is made of the errors that it posts. */
  readonly readError?: ((posted: PostedError) => ErrorReading) | undefined;
  /** Whether there are the paths of SnapStart. */
  readonly snapStart?: boolean;
  /** The platform's other endpoints on this port. */
  readonly routes?: readonly NodeRoute[];
}

/** Serves the Runtime API to one runtime process. */
export class RuntimeApiServer {
  readonly extensions: ExtensionRegistry;
  readonly #server: Server;
  readonly #loops: RuntimeLoop[];
  readonly #listener: RuntimeListener;
  readonly #readError: (posted: PostedError) => ErrorReading;
  /** Request ids of events whose time was up, by their attempts. */
  readonly #expired = new Map<string, string>();
  /** Polls of loops beyond those that were asked for: each gets an event of its own, in its turn. */
  readonly #held = new Set<ServerResponse>();
  /** Connections whose end is listened to already. */
  readonly #watched = new WeakSet<Socket>();
  /** What waits for the restore. */
  #restore: ServerResponse | undefined;

  constructor(listener: RuntimeListener, options: RuntimeApiOptions) {
    const { concurrency, readError = readPostedError, snapStart = false, routes = [] } = options;
    this.#listener = listener;
    this.#readError = readError;
    this.extensions = new ExtensionRegistry(() => this.#loops.every((l) => l.state === "Started"));
    this.#loops = Array.from({ length: concurrency }, () => new RuntimeLoop());
    const all = [
      nodeRoute("GET", PATH.next, (_request, response) => this.#takePoll(response)),
      nodeRoute("POST", PATH.response(LABEL), (request, response, id) => {
        void this.#takeResponse(id, request, response);
      }),
      nodeRoute("POST", PATH.error(LABEL), (request, response, id) => {
        void this.#takeError(id, request, response);
      }),
      nodeRoute("POST", PATH.initError, (request, response) => {
        void this.#takeInitError(request, response);
      }),
      nodeRoute(undefined, PATH.ping, (_request, response) => {
        respond(response, STATUS.ok, "pong", PLAIN);
      }),
      ...(snapStart ? this.#snapStartRoutes() : []),
      ...this.extensions.routes,
      ...routes,
    ];
    this.#server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
      serveByRoute(all, request, response);
    });
    // The environment may wait for hours between two events.
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
    this.#server.timeout = 0;
    this.#server.keepAliveTimeout = 0;
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  /**
   * Starts to listen and returns `host:port` for `AWS_LAMBDA_RUNTIME_API`.
   * @param wanted Port, 0 for any free one.
   */
  async listen(wanted = 0): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(wanted, "127.0.0.1", resolve);
    await promise;
    const { port } = this.#server.address() as AddressInfo;
    return `127.0.0.1:${port}`;
  }

  /** True when a loop waits for an event on an open connection. */
  get ready(): boolean {
    return this.#loops.some((loop) => loop.poll !== undefined);
  }

  /** Loops that wait for an event, or will soon: those that have responded have only to ask. */
  get free(): number {
    return this.#loops.filter(({ state }) => /^(?:Ready|Invocation|RuntimeResponse)/.test(state))
      .length;
  }

  /** Loops that have not asked for an event yet; a runtime may have fewer than it was told to. */
  get unseen(): number {
    return this.#loops.filter(({ state }) => state === "Started").length;
  }

  /** Hands an invocation to a loop that waits; false when none does. */
  deliver(invocation: PendingInvocation, headers: Record<string, string>): boolean {
    const loop = this.#loops.find((candidate) => candidate.poll !== undefined);
    const poll = loop?.poll;
    if (loop === undefined || poll === undefined) return false;
    loop.poll = undefined;
    if (poll.destroyed || poll.socket?.destroyed === true) {
      loop.move("disconnect");
      return this.deliver(invocation, headers);
    }
    loop.move("deliver");
    loop.invocation = invocation;
    loop.headers = headers;
    this.#writeEvent(loop, poll);
    return true;
  }

  /** Leaves the runtime alone with an event whose time is up: its response is refused, once with 410. */
  expire(invocation: PendingInvocation): void {
    const loop = this.#loops.find((candidate) => candidate.invocation === invocation);
    if (loop === undefined || !loop.move("expire")) return;
    loop.invocation = undefined;
    this.#expired.set(invocation.attemptId, invocation.requestId);
    this.#serveHeld();
  }

  /** Responds to the runtime that waits for its restore, on a connection that does not outlive it. */
  restore(): void {
    const response = this.#restore;
    this.#restore = undefined;
    if (response === undefined || this.#loops[0]?.move("restored") !== true) return;
    // Said in the response: a client that sends the next request at once must not use it again.
    respond(response, STATUS.ok, "", { ...PLAIN, Connection: "close" });
  }

  /** From now on everything is refused; an id that timed out gets status 410. */
  terminate(): void {
    for (const loop of this.#loops) {
      const { invocation } = loop;
      if (invocation !== undefined) this.#expired.set(invocation.attemptId, invocation.requestId);
      loop.terminate();
    }
    for (const response of [...this.#held, this.#restore]) response?.destroy();
    this.#held.clear();
    this.#restore = undefined;
  }

  /**
   * Refuses everything from now on, and closes the port and every connection after a while.
   * @param lateResponseMs How long late responses are still told that they are late, in milliseconds.
   */
  closeAfter(lateResponseMs: number): void {
    this.terminate();
    if (!this.#server.listening) return;
    this.#server.unref();
    const close = () => {
      this.#server.close();
      this.#server.closeAllConnections();
    };
    if (lateResponseMs === 0) close();
    else setTimeout(close, lateResponseMs).unref();
  }

  #takePoll(response: ServerResponse): void {
    const free = this.#freeLoop();
    if (free !== undefined) return this.#park(free, response);
    const again = this.#loops.find(
      (loop) => loop.state === "Running" && this.#asksAgain(loop, response),
    );
    if (again !== undefined) return this.#writeEvent(again, response);
    const { state } =
      this.#loops.find((loop) => isServing(loop.state)) ?? this.#loops[0] ?? TERMINATED;
    if (!isServing(state) || this.#held.size >= HELD_POLLS_MAX) {
      return refuseTransition(response, state, "next");
    }
    this.#held.add(response);
    response.on("close", () => this.#held.delete(response));
  }

  /** A loop that may be given a poll. */
  #freeLoop(): RuntimeLoop | undefined {
    return this.#loops.find(({ state }) => nextState(state, "next") === "Ready");
  }

  /**
   * Whether a poll is by the loop that has the event already, and gets it again. One on another
   * connection is another loop's, unless the first connection has gone.
   */
  #asksAgain({ connection }: RuntimeLoop, { socket }: ServerResponse): boolean {
    if (connection === socket) return true;
    return this.#loops.length === 1 && connection?.destroyed !== false;
  }

  #park(loop: RuntimeLoop, response: ServerResponse): void {
    const finished = loop.invocation;
    loop.move("next");
    loop.invocation = undefined;
    loop.connection = undefined;
    loop.poll = response;
    response.on("close", () => {
      if (loop.poll !== response) return;
      loop.poll = undefined;
      loop.move("disconnect");
      this.#serveHeld();
    });
    this.#listener.onNext(finished);
  }

  /** Gives polls that wait for their turn to loops that have become free. */
  #serveHeld(): void {
    for (const response of this.#held) {
      const free = this.#freeLoop();
      if (free === undefined) return;
      this.#held.delete(response);
      this.#park(free, response);
    }
  }

  #writeEvent(loop: RuntimeLoop, response: ServerResponse): void {
    const { socket } = response;
    loop.connection = socket ?? undefined;
    if (socket !== null && !this.#watched.has(socket)) {
      this.#watched.add(socket);
      socket.once("close", () => this.#giveAgain(socket));
    }
    response.writeHead(STATUS.ok, loop.headers);
    response.end(loop.invocation?.request.event);
  }

  /**
   * Gives the event of a connection that has gone to the poll that waits: a runtime that has dropped its
   * connection may have asked again before that was seen here.
   */
  #giveAgain(socket: Socket): void {
    const loop = this.#loops.find(
      ({ state, connection }) => state === "Running" && connection === socket,
    );
    if (loop === undefined) return;
    for (const response of this.#held) {
      if (!this.#asksAgain(loop, response)) continue;
      this.#held.delete(response);
      return this.#writeEvent(loop, response);
    }
  }

  #snapStartRoutes(): readonly NodeRoute[] {
    return [
      nodeRoute("GET", PATH.restoreNext, (_request, response) => {
        const [loop = TERMINATED] = this.#loops;
        if (!loop.move("restoreNext")) return refuseTransition(response, loop.state, "restoreNext");
        this.#restore = response;
        response.on("close", () => {
          if (this.#restore !== response) return;
          this.#restore = undefined;
          loop.move("disconnect");
        });
        this.#listener.onSnapshot?.();
      }),
      nodeRoute("POST", PATH.restoreError, (request, response) => {
        void this.#takeStartError("restoreError", request, response);
      }),
    ];
  }

  /**
   * The loop with an event. Callers may choose equal ids, and one that fails is tried again with its own: the attempt
   * tells them apart, and where a runtime does not name it, the connection.
   */
  #loopWith(id: string, attempt: string | undefined, socket: Socket): RuntimeLoop | undefined {
    const loops = this.#loops.filter(({ invocation }) => invocation?.requestId === id);
    if (attempt !== undefined) return loops.find((each) => each.invocation?.attemptId === attempt);
    return (
      loops.find(({ connection }) => connection === socket) ??
      loops.find(({ state }) => state === "Running") ??
      loops[0]
    );
  }

  /** Whether what comes is for an event whose time was up; that is told once, and then its id is unknown. */
  #isLate(id: string, attempt: string | undefined): boolean {
    const late = [...this.#expired].find(([each, of]) => of === id && (attempt ?? each) === each);
    if (late !== undefined) return this.#expired.delete(late[0]);
    return attempt !== undefined && this.#loops.some((each) => each.invocation?.requestId === id);
  }

  /** Checks id and state; responds with the refusal and returns nothing when one of them is wrong. */
  #loopFor(
    id: string,
    event: "response" | "error",
    request: IncomingMessage,
    response: ServerResponse,
  ): RuntimeLoop | undefined {
    const named = request.headers[HEADER.invocationId.toLowerCase()];
    const attempt = typeof named === "string" ? named : undefined;
    const loop = this.#loopWith(id, attempt, request.socket);
    const isSure = attempt !== undefined || loop?.connection === request.socket;
    if ((loop === undefined || !isSure) && this.#isLate(id, attempt)) {
      refuse(response, STATUS.gone, "InvokeTimeout", "Invoke timeout");
    } else if (loop === undefined) {
      refuse(response, STATUS.badRequest, "InvalidRequestID", "Invalid request ID");
    } else if (!loop.move(event)) {
      refuseTransition(response, loop.state, event);
    } else {
      return loop;
    }
    request.resume();
    return undefined;
  }

  async #takeResponse(id: string, request: IncomingMessage, response: ServerResponse) {
    const loop = this.#loopFor(id, "response", request, response);
    const invocation = loop?.invocation;
    if (loop === undefined || invocation === undefined) return;
    const contentType = request.headers["content-type"];
    const typed = contentType === undefined ? {} : { contentType };
    const mode = request.headers[HEADER.responseMode.toLowerCase()] ?? "";
    if (mode !== "" && mode !== RESPONSE_MODE_STREAMING) {
      request.resume();
      this.#sent(loop);
      this.#listener.onPosted(invocation, { kind: "invalid-mode" });
      const words = "Invalid function response mode";
      return refuse(response, STATUS.badRequest, "InvalidFunctionResponseMode", words);
    }
    if (isStreamed(mode, contentType, request, invocation)) {
      const stream = new PostedStream(request, STREAMED_RESPONSE_BYTES_MAX);
      this.#listener.onPosted(invocation, { kind: "stream", stream, ...typed });
      await stream.end;
      this.#sent(loop);
      return respondJson(response, STATUS.accepted, { status: "OK" });
    }
    const body = await readBody(request, RESPONSE_BYTES_MAX);
    if (!this.#sent(loop)) return refuseTransition(response, loop.state, "response");
    if (body.kind === "complete") {
      this.#listener.onPosted(invocation, { kind: "response", body: body.bytes, ...typed });
      return respondJson(response, STATUS.accepted, { status: "OK" });
    }
    this.#listener.onPosted(invocation, body);
    refuseBody(response, body);
  }

  async #takeError(id: string, request: IncomingMessage, response: ServerResponse) {
    const loop = this.#loopFor(id, "error", request, response);
    const invocation = loop?.invocation;
    if (loop === undefined || invocation === undefined) return;
    const body = await readBody(request, RESPONSE_BYTES_MAX);
    if (!this.#sent(loop)) return refuseTransition(response, loop.state, "error");
    if (body.kind === "complete") {
      const { error, acknowledgement } = this.#readError(postedError(request, body.bytes));
      this.#listener.onPosted(invocation, { kind: "error", ...error });
      return respond(
        response,
        acknowledgement.status,
        acknowledgement.body,
        acknowledgement.headers,
      );
    }
    this.#listener.onPosted(invocation, body);
    refuseBody(response, body);
  }

  /** The body of a response has been read, or broken off; false when its time was up before. */
  #sent(loop: RuntimeLoop): boolean {
    const moved = loop.move("sent");
    // What the response is becomes known first: a poll that waits ends the invocation.
    queueMicrotask(() => this.#serveHeld());
    return moved;
  }

  async #takeInitError(request: IncomingMessage, response: ServerResponse) {
    // After a restore it is the restore's, as for AWS's emulator.
    const isRestored = this.#loops[0]?.state === "Restoring";
    await this.#takeStartError(isRestored ? "restoreError" : "initError", request, response);
  }

  async #takeStartError(
    event: "initError" | "restoreError",
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await readBody(request, RESPONSE_BYTES_MAX);
    const refusing = this.#loops.find(({ state }) => nextState(state, event) === undefined);
    if (refusing !== undefined) return refuseTransition(response, refusing.state, event);
    for (const each of this.#loops) each.move(event);
    if (body.kind !== "complete") return refuseBody(response, body);
    const { error, acknowledgement } = this.#readError(postedError(request, body.bytes));
    if (event === "initError") this.#listener.onInitError(error);
    else this.#listener.onRestoreError?.(error);
    respond(response, acknowledgement.status, acknowledgement.body, acknowledgement.headers);
  }
}

/** Stands for a loop where there is none. */
const TERMINATED = new RuntimeLoop();
TERMINATED.terminate();

/** True for a loop that serves events, so that another one may wait for its turn. */
function isServing(state: RuntimeState): boolean {
  return /^(?:Ready|Running|Invocation(?:Error)?Response)$/.test(state);
}

function postedError({ headers }: IncomingMessage, body: Uint8Array): PostedError {
  const named = headers[HEADER.errorType.toLowerCase()];
  const errorType = typeof named === "string" ? named : "";
  return { body, contentType: headers["content-type"], errorType };
}

/** Refuses in the form that every refusal has. */
function refuse(
  response: ServerResponse,
  status: number,
  errorType: RefusalType,
  errorMessage: string,
): void {
  respondJson(response, status, { errorMessage, errorType });
}

/** Refuses what the state table does not allow. */
function refuseTransition(
  response: ServerResponse,
  state: RuntimeState,
  event: RuntimeEvent,
): void {
  refuse(response, STATUS.forbidden, "InvalidStateTransition", refusalMessage(state, event));
}

/** Refuses a body that is too large; one that was broken off has nobody to be told. */
function refuseBody(response: ServerResponse, body: Exclude<RequestBody, { kind: "complete" }>) {
  if (body.kind === "truncated") return void response.destroy();
  const words = `Exceeded maximum allowed payload size (${RESPONSE_BYTES_MAX} bytes).`;
  refuse(response, STATUS.payloadTooLarge, "RequestEntityTooLarge", words);
}
