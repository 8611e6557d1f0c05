/**
 * The Runtime API of one execution environment: a routing table and one short method per route.
 *
 * On `node:http`, since `Bun.serve` answers twice when a chunked request carries trailers (measured
 * on 1.4.5). Every environment has a port of its own, so a late answer of a killed runtime cannot
 * reach the event of another. Checks come in this order: id, state, mode, size.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import {
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

/** What the environment wants to know of its runtime. */
export interface RuntimeListener {
  /** A loop asks for an event and waits. */
  onNext(): void;
  /** The runtime has answered; it is told so when the promise is fulfilled. */
  onPosted(invocation: PendingInvocation, result: PostedResult): Promise<void>;
  onInitError(error: PlatformError): void;
}

/** Serves the Runtime API to one runtime process. */
export class RuntimeApiServer {
  readonly extensions: ExtensionRegistry;
  readonly #server: Server;
  readonly #loops: RuntimeLoop[];
  readonly #listener: RuntimeListener;
  readonly #readError: (posted: PostedError) => ErrorReading;
  readonly #expired = new Set<string>();

  /**
   * @param concurrency Loops that the runtime may run, 1 unless it was told otherwise.
   * @param readError What is made of the errors that it posts.
   */
  constructor(listener: RuntimeListener, concurrency: number, readError = readPostedError) {
    this.#listener = listener;
    this.#readError = readError;
    this.extensions = new ExtensionRegistry(() => this.#loops.every((l) => l.state === "Started"));
    this.#loops = Array.from({ length: concurrency }, () => new RuntimeLoop());
    const routes = [
      nodeRoute("GET", PATH.next, (_request, response) => this.#parkPoll(response)),
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
      ...this.extensions.routes,
    ];
    this.#server = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
      serveByRoute(routes, request, response);
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

  /** From now on everything is refused; an id that timed out is answered with 410. */
  terminate(): void {
    for (const loop of this.#loops) {
      if (loop.invocation !== undefined) this.#expired.add(loop.invocation.requestId);
      loop.terminate();
    }
  }

  /**
   * Refuses everything from now on, and closes the port and every connection after a while.
   * @param lateResponseMs How long late answers are still told that they are late, in milliseconds.
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

  #parkPoll(response: ServerResponse): void {
    const running = this.#loops.find((loop) => loop.state === "Running");
    const loop =
      this.#loops.find((candidate) => nextState(candidate.state, "next") === "Ready") ??
      (this.#loops.length === 1 ? running : undefined);
    if (loop === undefined && this.#deferPoll(response)) return;
    if (loop === undefined || !loop.move("next")) {
      return refuseTransition(response, this.#loops[0]?.state ?? "Terminated", "next");
    }
    if (loop.state === "Running") return this.#writeEvent(loop, response);
    loop.invocation = undefined;
    loop.poll = response;
    response.on("close", () => {
      if (loop.poll !== response) return;
      loop.poll = undefined;
      loop.move("disconnect");
    });
    this.#listener.onNext();
  }

  /** Lets a poll wait for an answer that is still being read; false when none is. */
  #deferPoll(response: ServerResponse): boolean {
    const reading = this.#loops.find((loop) => loop.readsBody);
    if (reading === undefined) return false;
    void reading.bodyRead().then(() => {
      if (reading.readsBody) refuseTransition(response, reading.state, "next");
      else this.#parkPoll(response);
    });
    return true;
  }

  #writeEvent(loop: RuntimeLoop, response: ServerResponse): void {
    response.writeHead(STATUS.ok, loop.headers);
    response.end(loop.invocation?.request.event);
  }

  /** Checks id and state; answers with the refusal and returns nothing when one of them is wrong. */
  #loopFor(
    id: string,
    event: "response" | "error",
    request: IncomingMessage,
    response: ServerResponse,
  ): RuntimeLoop | undefined {
    const loop = this.#loops.find((candidate) => candidate.invocation?.requestId === id);
    const attempt = request.headers[HEADER.invocationId.toLowerCase()];
    const stale = attempt !== undefined && attempt !== loop?.invocation?.attemptId;
    if (this.#expired.delete(id) || (loop !== undefined && stale)) {
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
      loop.move("sent");
      await this.#listener.onPosted(invocation, { kind: "invalid-mode" });
      const words = "Invalid function response mode";
      return refuse(response, STATUS.badRequest, "InvalidFunctionResponseMode", words);
    }
    if (isStreamed(mode, contentType, request, invocation)) {
      const stream = new PostedStream(request, STREAMED_RESPONSE_BYTES_MAX);
      const answered = this.#listener.onPosted(invocation, { kind: "stream", stream, ...typed });
      await stream.end;
      loop.move("sent");
      await answered;
      return respondJson(response, STATUS.accepted, { status: "OK" });
    }
    const body = await readBody(request, RESPONSE_BYTES_MAX);
    if (!loop.move("sent")) return refuseTransition(response, loop.state, "response");
    if (body.kind === "complete") {
      await this.#listener.onPosted(invocation, { kind: "response", body: body.bytes, ...typed });
      return respondJson(response, STATUS.accepted, { status: "OK" });
    }
    await this.#listener.onPosted(invocation, body);
    refuseBody(response, body);
  }

  async #takeError(id: string, request: IncomingMessage, response: ServerResponse) {
    const loop = this.#loopFor(id, "error", request, response);
    const invocation = loop?.invocation;
    if (loop === undefined || invocation === undefined) return;
    const body = await readBody(request, RESPONSE_BYTES_MAX);
    if (!loop.move("sent")) return refuseTransition(response, loop.state, "error");
    if (body.kind === "complete") {
      const { error, acknowledgement } = this.#readError(postedError(request, body.bytes));
      await this.#listener.onPosted(invocation, { kind: "error", ...error });
      return respond(
        response,
        acknowledgement.status,
        acknowledgement.body,
        acknowledgement.headers,
      );
    }
    await this.#listener.onPosted(invocation, body);
    refuseBody(response, body);
  }

  async #takeInitError(request: IncomingMessage, response: ServerResponse) {
    const loop = this.#loops[0];
    const body = await readBody(request, RESPONSE_BYTES_MAX);
    if (
      loop === undefined ||
      this.#loops.some((l) => nextState(l.state, "initError") === undefined)
    ) {
      return refuseTransition(response, loop?.state ?? "Terminated", "initError");
    }
    for (const each of this.#loops) each.move("initError");
    if (body.kind !== "complete") return refuseBody(response, body);
    const { error, acknowledgement } = this.#readError(postedError(request, body.bytes));
    this.#listener.onInitError(error);
    respond(response, acknowledgement.status, acknowledgement.body, acknowledgement.headers);
  }
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
