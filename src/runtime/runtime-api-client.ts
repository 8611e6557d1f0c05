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
  xrayErrorCause,
} from "../runtime-api/function-error.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { ConnectionError, type HttpResponse } from "./http-answer-reader.ts";
import { headerLine, HttpConnection } from "./http-connection.ts";
import type { Log } from "./log.ts";
import type { Poller } from "./poller.ts";

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
/** How often an unreachable Runtime API is tried, and how long between, in milliseconds. */
const ATTEMPTS_MAX = 3;
const RETRY_MS = 50;

/** Longest answer that is quoted in a log line, in characters. */
const QUOTED_LENGTH_MAX = 200;

export class RuntimeApiClient {
  readonly #connection: HttpConnection;
  readonly #nextRequest: Uint8Array;
  readonly #log: Log;
  readonly #workingDirectory: string;

  /** @param address `host:port`, as in AWS_LAMBDA_RUNTIME_API. */
  constructor(address: string, poller: Poller, log: Log, workingDirectory: string) {
    this.#connection = new HttpConnection(address, poller);
    this.#nextRequest = this.#connection.getRequest(PATH.next, USER_AGENT);
    this.#log = log;
    this.#workingDirectory = workingDirectory;
  }

  /** Connects ahead of the first call. */
  prepare(): void {
    this.#connection.prepare();
  }

  /**
   * Waits for the next event, for as long as it takes: a frozen environment may wait for hours.
   * @throws {RuntimeApiError} When the answer is anything but an event.
   * @throws {ConnectionError} When the Runtime API stays unreachable.
   */
  next(): Invocation {
    const answer = this.#attempt(() => this.#connection.get(this.#nextRequest), true);
    if (answer.status !== STATUS.ok) throw refusal(`GET ${PATH.next}`, answer);
    const { headers, body } = answer;
    const requestId = headers.get(REQUEST_ID) ?? "";
    if (requestId === "") {
      throw new RuntimeApiError(`failed to get an event: the answer has no ${HEADER.requestId}`);
    }
    return { requestId, headers, event: body };
  }

  /** Posts a handler's whole response. */
  respond(invocation: Invocation, body: Uint8Array): void {
    const path = PATH.response(invocation.requestId);
    const headers = JSON_BODY + invocationId(invocation);
    this.#settle(
      path,
      this.#attempt(() => this.#post(path, headers, body), false),
    );
  }

  /** Posts a function error for an event. */
  reportError(invocation: Invocation, error: FunctionError): void {
    const path = PATH.error(invocation.requestId);
    const headers = this.#errorHeaders(error) + invocationId(invocation);
    const body = Buffer.from(errorBody(error));
    this.#settle(
      path,
      this.#attempt(() => this.#post(path, headers, body), false),
    );
  }

  /** Posts an initialization error; the process is to end behind it, so nothing here can fail. */
  reportInitError(error: FunctionError): void {
    const body = Buffer.from(errorBody(error));
    try {
      const answer = this.#attempt(
        () => this.#post(PATH.initError, this.#errorHeaders(error), body),
        false,
      );
      if (answer.status !== STATUS.accepted) {
        this.#log.write("WARN", refusal(`POST ${PATH.initError}`, answer).message);
      }
    } catch (failure) {
      const reason = failure instanceof Error ? failure.message : String(failure);
      this.#log.write("ERROR", `failed to report the initialization error: ${reason}`);
    }
  }

  /** Begins a streamed HTTP response: what is written from now on is on the wire at once. */
  beginStream(invocation: Invocation): ResponseStream {
    const path = PATH.response(invocation.requestId);
    const connection = this.#connection;
    const headers = USER_AGENT + STREAMED_BODY + invocationId(invocation);
    this.#attempt(() => connection.beginChunks(path, headers), false);
    return {
      write: (bytes) => connection.sendChunk(bytes),
      end: (error) => {
        const trailers =
          error === undefined
            ? ""
            : headerLine(HEADER.errorType, headerErrorType(error.errorType)) +
              headerLine(HEADER.errorBody, Buffer.from(errorBody(error)).toString("base64"));
        this.#settle(path, connection.endChunks(trailers));
      },
    };
  }

  #post(path: string, headers: string, body: Uint8Array): HttpResponse {
    return this.#connection.post(path, USER_AGENT + headers, body);
  }

  #errorHeaders(error: FunctionError): string {
    return (
      JSON_BODY +
      headerLine(HEADER.errorType, headerErrorType(error.errorType)) +
      headerLine(HEADER.xrayErrorCause, xrayErrorCause(error, this.#workingDirectory))
    );
  }

  /** Tries again when the Runtime API was not reached; what may have arrived only if that is safe. */
  #attempt<Result>(request: () => Result, isSafeToRepeat: boolean): Result {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return request();
      } catch (error) {
        if (!(error instanceof ConnectionError) || attempt === ATTEMPTS_MAX) throw error;
        if (error.mayHaveArrived && !isSafeToRepeat) throw error;
        Bun.sleepSync(RETRY_MS * attempt);
      }
    }
  }

  /** An answer to a post: accepted, or refused in a way that ends the event but not the loop. */
  #settle(path: string, answer: HttpResponse): void {
    if (answer.status === STATUS.accepted) return;
    const error = refusal(`POST ${path}`, answer);
    if (answer.status >= STATUS.internalServerError) throw error;
    this.#log.write("ERROR", error.message);
  }
}

/** A streamed response in the making. */
export interface ResponseStream {
  /** Sends bytes at once. */
  write(bytes: Uint8Array): void;
  /** Ends the stream, with the error trailers if the handler failed. */
  end(error: FunctionError | undefined): void;
}

/** Echoed if and only if it was given, so that a late answer cannot meet another attempt's event. */
function invocationId({ headers }: Invocation): string {
  const id = headers.get(INVOCATION_ID) ?? "";
  return id === "" ? "" : headerLine(HEADER.invocationId, id);
}

function refusal(request: string, { status, body }: HttpResponse): RuntimeApiError {
  const text = Buffer.from(body).toString("utf8").trim().slice(0, QUOTED_LENGTH_MAX);
  return new RuntimeApiError(`the Runtime API answered ${request} with ${status}: ${text}`);
}
