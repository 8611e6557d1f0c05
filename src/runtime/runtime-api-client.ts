/**
 * The runtime's calls of the Runtime API, over one kept-alive connection.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 * @module
 */

import {
  CONTENT_TYPE,
  HEADER,
  PATH,
  RESPONSE_MODE_STREAMING,
  STATUS,
} from "../runtime-api/contract.ts";
import {
  errorBody,
  type FunctionError,
  headerErrorType,
  type ReportedPlatformErrorType,
  xrayErrorCause,
} from "../runtime-api/function-error.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { utf8Bytes } from "./bytes.ts";
import { type GetWatch, headerLine, type HttpAddress, HttpConnection } from "./http-connection.ts";
import { ConnectionError, type ReceivedResponse } from "./http-response-reader.ts";
import type { Log, LogLevel } from "./log.ts";
import { LOOP_STATE, type LoopSlot } from "./loop-board.ts";
import type { Loop } from "./loop.ts";
import type { Poller } from "./poller.ts";
import { ResponseStream } from "./response-stream.ts";
import { decodeUtf8 } from "./utf8.ts";

/** The Runtime API refused what a runtime cannot do without: the process has to end. */
export class RuntimeApiError extends Error {
  override readonly name = "RuntimeApiError";
}

/** What the runtime calls itself. */
const USER_AGENT = headerLine("User-Agent", "lambda-shell-runtime");
const JSON_BODY = headerLine("Content-Type", CONTENT_TYPE.json);
const STREAMED_BODY =
  headerLine(HEADER.responseMode, RESPONSE_MODE_STREAMING) +
  headerLine("Content-Type", CONTENT_TYPE.httpIntegrationResponse) +
  // Trailers have to be announced, whether they come or not.
  headerLine("Trailer", `${HEADER.errorType}, ${HEADER.errorBody}`);
const REQUEST_ID = HEADER.requestId.toLowerCase();
const INVOCATION_ID = HEADER.invocationId.toLowerCase();
/**
 * How often an unreachable Runtime API is tried: at once after the first time, since a kept connection
 * may just have been closed, then after pauses that grow by so many milliseconds.
 */
const ATTEMPTS_MAX = 4;
const RETRY_MS = 50;

/** Longest response that is quoted in a log line, in characters. */
const QUOTED_LENGTH_MAX = 200;

export class RuntimeApiClient {
  readonly #address: HttpAddress;
  readonly #poller: Poller;
  readonly #connection: HttpConnection;
  readonly #nextRequest: Uint8Array;
  readonly #log: Log;
  readonly #workingDirectory: string;
  readonly #slot: LoopSlot | undefined;
  #isRestored = false;
  /** How one of several loops says that it waits for an event, and that it has one. */
  readonly #nextWatch: GetWatch | undefined;

  /** @param loop One of several loops, that of this process. */
  constructor(
    address: HttpAddress,
    poller: Poller,
    log: Log,
    workingDirectory: string,
    loop?: Loop,
  ) {
    this.#connection = new HttpConnection(address, poller, loop?.connection);
    this.#address = address;
    this.#poller = poller;
    this.#nextRequest = this.#connection.getRequest(PATH.next, USER_AGENT);
    this.#log = log;
    this.#workingDirectory = workingDirectory;
    const slot = loop?.slot;
    this.#slot = slot;
    this.#nextWatch = slot && {
      onAsked: () => slot.set(LOOP_STATE.waiting),
      onHead: (status, headers) => {
        const invocation = invocationOf(headers);
        if (invocation !== undefined) slot.begin(invocation);
        // The next life of a loop that ends at a refusal must not wait for what has come.
        else if (status >= STATUS.ok) slot.set(LOOP_STATE.settled);
      },
    };
  }

  /** Connects ahead of the first call. */
  prepare(): void {
    this.#connection.prepare();
  }

  /**
   * Waits for the next event, for as long as it takes: a frozen environment may wait for hours.
   * @throws {RuntimeApiError} When the response is anything but an event.
   * @throws {ConnectionError} When the Runtime API stays unreachable.
   */
  next(): Invocation {
    const request = this.#nextRequest;
    const what = `GET ${PATH.next}`;
    const get = () => this.#connection.get(request, this.#nextWatch);
    const response = this.#attempt(what, get, true);
    if (response.status !== STATUS.ok) throw refusal(what, response);
    const { headers, body } = response;
    const invocation = invocationOf(headers);
    if (invocation === undefined) {
      throw new RuntimeApiError(`failed to get an event: the response has no ${HEADER.requestId}`);
    }
    invocation.event = body;
    return invocation;
  }

  /**
   * Waits while a snapshot of the environment is taken (SnapStart); comes back in each environment
   * that is restored from it, with no connection: none outlives a snapshot.
   * @throws {RuntimeApiError} When the response is anything but 200.
   * @throws {ConnectionError} When the Runtime API stays unreachable.
   * @see https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-custom.html
   */
  waitForRestore(): void {
    const request = this.#connection.getRequest(PATH.restoreNext, USER_AGENT);
    const what = `GET ${PATH.restoreNext}`;
    const response = this.#attempt(what, () => this.#connection.get(request), true);
    if (response.status !== STATUS.ok) throw refusal(what, response);
    this.#connection.close();
    this.#isRestored = true;
  }

  /** Posts a handler's whole response. */
  respond(invocation: Invocation, body: Uint8Array): void {
    const path = PATH.response(invocation.requestId);
    this.#postResult(path, JSON_BODY + invocationId(invocation), body, "ERROR");
  }

  /** Posts a function error for an event. */
  reportError(invocation: Invocation, error: FunctionError): void {
    this.#postError(invocation, error, "ERROR");
  }

  /** Posts the error of an event that was ended at its deadline: it may have its result by now. */
  reportTimeout(invocation: Invocation, error: FunctionError): void {
    this.#postError(invocation, error, "DEBUG");
  }

  /**
   * Reports the event of a loop that has ended without a response; nothing here can fail, since other
   * loops go on.
   * @param reason What became of the loop, as a sentence.
   */
  reportLostEvent(invocation: Invocation, reason: string): void {
    const errorMessage = `RequestId: ${invocation.requestId} Error: ${reason}`;
    const errorType: ReportedPlatformErrorType = "Runtime.ExitError";
    const error = { errorMessage, errorType, stackTrace: [] };
    try {
      // It may be refused: when the loop had just responded, or the platform has seen it break off.
      this.#postError(invocation, error, "DEBUG");
    } catch (failure) {
      this.#log.write(
        "ERROR",
        `failed to report the event of a loop that ended: ${reasonOf(failure)}`,
      );
    }
  }

  /**
   * Posts an initialization error, or one after a restore; the process must end after it, so nothing here
   * can fail.
   */
  reportInitError(error: FunctionError): void {
    const path = this.#isRestored ? PATH.restoreError : PATH.initError;
    const body = utf8Bytes(errorBody(error));
    try {
      const response = this.#attempt(
        `POST ${path}`,
        () => this.#post(path, this.#errorHeaders(error), body, () => undefined),
        false,
      );
      if (response.status !== STATUS.accepted) {
        this.#log.write("WARN", refusal(`POST ${path}`, response).message);
      }
    } catch (failure) {
      this.#log.write("ERROR", `failed to report the initialization error: ${reasonOf(failure)}`);
    }
  }

  /** Begins a streamed HTTP response: what is written from now on is on the wire at once. */
  beginStream(invocation: Invocation): ResponseStream {
    const path = PATH.response(invocation.requestId);
    const headers = USER_AGENT + STREAMED_BODY + invocationId(invocation);
    // What was sent of a stream is gone: it gets a connection that the server has not begun to close.
    const connection = new HttpConnection(this.#address, this.#poller);
    this.#attempt(`POST ${path}`, () => connection.beginChunks(path, headers), false);
    this.#slot?.set(LOOP_STATE.settled);
    return new ResponseStream(connection);
  }

  /** Ends a streamed response, with the error trailers if the handler failed. */
  endStream(
    stream: ResponseStream,
    { requestId }: Invocation,
    error: FunctionError | undefined,
  ): void {
    const trailers =
      error === undefined
        ? ""
        : headerLine(HEADER.errorType, headerErrorType(error.errorType)) +
          headerLine(HEADER.errorBody, utf8Bytes(errorBody(error)).toString("base64"));
    const response = stream.end(trailers);
    stream.close();
    if (response instanceof ConnectionError) {
      this.#log.write("ERROR", `the streamed response was cut off: ${response.message}`);
    } else {
      this.#settle(PATH.response(requestId), response, "ERROR");
    }
  }

  #postError(invocation: Invocation, error: FunctionError, refusalLevel: LogLevel): void {
    const headers = this.#errorHeaders(error) + invocationId(invocation);
    const body = utf8Bytes(errorBody(error));
    this.#postResult(PATH.error(invocation.requestId), headers, body, refusalLevel);
  }

  #postResult(path: string, headers: string, body: Uint8Array, refusalLevel: LogLevel): void {
    this.#slot?.set(LOOP_STATE.posting);
    const onSent = () => this.#slot?.set(LOOP_STATE.settled);
    const post = () => this.#post(path, headers, body, onSent);
    const response = this.#attempt(`POST ${path}`, post, false);
    this.#settle(path, response, refusalLevel);
  }

  #post(path: string, headers: string, body: Uint8Array, onSent: () => void): ReceivedResponse {
    return this.#connection.post(path, USER_AGENT + headers, body, onSent);
  }

  #errorHeaders(error: FunctionError): string {
    return (
      JSON_BODY +
      headerLine(HEADER.errorType, headerErrorType(error.errorType)) +
      headerLine(HEADER.xrayErrorCause, xrayErrorCause(error, this.#workingDirectory))
    );
  }

  /**
   * Tries again when the Runtime API was not reached.
   * @param what The request, for the words of an error.
   * @param isSafeToRepeat Whether it may also be sent again when it may have arrived.
   */
  #attempt<Result>(what: string, request: () => Result, isSafeToRepeat: boolean): Result {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return request();
      } catch (error) {
        if (!(error instanceof ConnectionError)) throw error;
        if (attempt === ATTEMPTS_MAX || (error.mayHaveArrived && !isSafeToRepeat)) {
          throw error.mayHaveArrived ? withoutResponse(what, error) : error;
        }
        if (attempt > 1) Bun.sleepSync(RETRY_MS * (attempt - 1));
      }
    }
  }

  /** A response to a post: accepted, or refused in a way that ends the event but not the loop. */
  #settle(path: string, response: ReceivedResponse, refusalLevel: LogLevel): void {
    if (response.status === STATUS.accepted) return;
    const error = refusal(`POST ${path}`, response);
    if (response.status >= STATUS.internalServerError) throw error;
    this.#log.write(refusalLevel, error.message);
  }
}

/** The invocation that the head of a response to `/next` tells of, without its event. */
export function invocationOf(headers: ReadonlyMap<string, string>): Invocation | undefined {
  const requestId = headers.get(REQUEST_ID) ?? "";
  return requestId === "" ? undefined : { requestId, headers, event: new Uint8Array(0) };
}

/** Echoed if and only if it was given, so that a late response cannot meet another attempt's event. */
function invocationId({ headers }: Invocation): string {
  const id = headers.get(INVOCATION_ID) ?? "";
  return id === "" ? "" : headerLine(HEADER.invocationId, id);
}

function reasonOf(failure: unknown): string {
  return failure instanceof Error ? failure.message : String(failure);
}

/** Of a handler's response and of that to a request the words would be the same. */
function withoutResponse(request: string, cause: ConnectionError): ConnectionError {
  const message = `the Runtime API has not responded to ${request}: ${cause.message}`;
  return new ConnectionError(message, true, { cause });
}

function refusal(request: string, { status, body }: ReceivedResponse): RuntimeApiError {
  const text = decodeUtf8(body).trim().slice(0, QUOTED_LENGTH_MAX);
  return new RuntimeApiError(`the Runtime API responded to ${request} with ${status}: ${text}`);
}
