/**
 * Errors in the platform's own words: time-out, exit, response too large, and the like.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 * @module
 */

import { parsedObject } from "../../json-object.ts";
import { CONTENT_TYPE, STATUS } from "../../runtime-api/contract.ts";
import { type PlatformErrorType, recordedErrorType } from "../../runtime-api/function-error.ts";
import type { FunctionErrorOrigin, FunctionErrorOutcome, UnreportedError } from "./outcome.ts";

/** How a process ended. */
export type ProcessEnd =
  | { readonly kind: "exited"; readonly status: number }
  | { readonly kind: "signalled"; readonly signal: string }
  | {
      readonly kind: "not-started";
      readonly program: string;
      readonly reason: string;
      /** Whether it is its file that must change; other reasons pass, as that it is being written. */
      readonly isOfFile: boolean;
    };

/** An error with its type, before it is put into an outcome. */
export interface PlatformError {
  readonly errorType: string;
  readonly body: Uint8Array;
  readonly contentType: string;
  /** What happened, where the platform itself says it; the body has it too, for the caller. */
  readonly words?: string;
  /** Of the bootstrap, where it has exited. */
  readonly exitStatus?: number;
}

/** An error as a runtime posts it to `/error` or `/init/error`. */
export interface PostedError {
  readonly body: Uint8Array;
  readonly contentType: string | undefined;
  /** Of its header; empty when there is none. */
  readonly errorType: string;
}

/** What the caller gets of a posted error, and what the runtime is told of it. */
export interface ErrorReading {
  readonly error: PlatformError;
  readonly acknowledgement: {
    readonly status: number;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  };
}

/** Reads a posted error as Lambda does. */
export function readPostedError(posted: PostedError): ErrorReading {
  const headers = { "Content-Type": CONTENT_TYPE.json };
  const acknowledgement = { status: STATUS.accepted, headers, body: '{"status":"OK"}\n' };
  return { error: reportedError(posted), acknowledgement };
}

/**
 * A posted error as its caller gets it, and the type that the platform records. It is passed on
 * verbatim, but for one with an X-Ray cause inside, of which the caller gets the three members that
 * are meant for it.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror
 */
function reportedError({ body, contentType, errorType: named }: PostedError): PlatformError {
  const errorType = recordedErrorType(named);
  if (contentType?.startsWith(CONTENT_TYPE.errorCause) !== true) {
    return { errorType, body, contentType: contentType ?? CONTENT_TYPE.json };
  }
  try {
    const cause = JSON.parse(Buffer.from(body).toString("utf8"));
    const { errorMessage, stackTrace } = cause;
    const error = JSON.stringify({ errorMessage, errorType: cause.errorType, stackTrace });
    return { errorType, body: Buffer.from(error), contentType: CONTENT_TYPE.json };
  } catch {
    return {
      errorType,
      body: Buffer.from('"Invalid error body"'),
      contentType: CONTENT_TYPE.octetStream,
    };
  }
}

/** An error as an outcome. */
export function errorOutcome(
  origin: FunctionErrorOrigin,
  error: PlatformError,
  stillRunning: readonly string[] = [],
): UnreportedError {
  return { kind: "function-error", origin, ...error, stillRunning };
}

/** The function took longer than it may. */
export function timeoutError(requestId: string, timeoutMs: number): PlatformError {
  const seconds = (timeoutMs / 1000).toFixed(2);
  return platformError("Sandbox.Timedout", requestId, `Task timed out after ${seconds} seconds`);
}

/** The runtime's process ended before it responded. */
export function processEndError(requestId: string, end: ProcessEnd): PlatformError {
  if (end.kind === "not-started") {
    return platformError("Runtime.InvalidEntrypoint", requestId, end.reason);
  }
  const error = platformError("Runtime.ExitError", requestId, exitReason(end));
  const exitStatus = end.kind === "exited" ? { exitStatus: end.status } : {};
  return { ...error, words: exitWords(end), ...exitStatus };
}

/** Why a process ended, as Lambda says it. */
export function exitReason(end: ProcessEnd): string {
  const isPlain = end.kind === "not-started" || (end.kind === "exited" && end.status === 0);
  return isPlain ? exitWords(end) : `Runtime exited with error: ${exitWords(end)}`;
}

/** How a process ended, in the words of Lambda's supervisor. */
export function exitWords(end: ProcessEnd): string {
  switch (end.kind) {
    case "exited":
      return end.status === 0
        ? "Runtime exited without providing a reason"
        : `exit status ${end.status}`;
    case "signalled":
      return `signal: ${SIGNAL_WORDS[end.signal] ?? end.signal}`;
    case "not-started":
      return end.reason;
  }
}

/** A streamed response is larger than a caller may be sent. */
export function streamTooLargeError(bytesMax: number): PlatformError {
  const errorType: PlatformErrorType = "Function.ResponseSizeTooLarge";
  const errorMessage = `Response exceeded the maximum of ${bytesMax} bytes`;
  return jsonError(errorType, { errorType, errorMessage });
}

/** The runtime named a response mode that does not exist; Lambda gives the caller nothing else. */
export function invalidModeError(): PlatformError {
  return {
    errorType: "Runtime.InvalidResponseModeHeader" satisfies PlatformErrorType,
    body: new Uint8Array(0),
    contentType: CONTENT_TYPE.json,
  };
}

/** The runtime broke off while it sent its response. */
export function truncatedError(requestId: string): PlatformError {
  return platformError("Runtime.TruncatedResponse", requestId, "The response was truncated");
}

/** An extension has ended, or has said that it cannot go on; the environment goes with it. */
export interface ExtensionFailure {
  readonly kind: "extension";
  readonly errorType: PlatformErrorType;
  /** Which one, and why. */
  readonly words: string;
}

/** The error of an event, or of a start, that ends with an extension. */
export function extensionError(requestId: string, failure: ExtensionFailure): PlatformError {
  const { errorType, words } = failure;
  return { ...platformError(errorType, requestId, words), words };
}

/** Why an environment could not begin its work. */
export type StartFailure =
  | { readonly kind: "reported"; readonly error: PlatformError }
  | { readonly kind: "ended"; readonly end: ProcessEnd }
  | { readonly kind: "timed-out"; readonly phase: "Init" | "Restore"; readonly limitMs: number }
  | ExtensionFailure;

/** A failure to start in one line, for the log. */
export function startFailureWords(failure: StartFailure): string {
  switch (failure.kind) {
    case "reported":
      return errorWords(failure.error);
    case "ended":
      return exitReason(failure.end);
    case "timed-out":
      return timeoutWords(failure);
    case "extension":
      return `${failure.errorType}: ${failure.words}`;
  }
}

/** An error in one line, for the log: its type, and its message as far as it is of the usual form. */
export function errorWords({
  errorType,
  words,
  body,
}: Pick<PlatformError, "errorType" | "words" | "body">): string {
  if (words !== undefined) return `${errorType}: ${words}`;
  const errorMessage = parsedObject(Buffer.from(body).toString("utf8"))?.["errorMessage"];
  return typeof errorMessage === "string" ? `${errorType}: ${errorMessage}` : errorType;
}

function timeoutWords({ phase, limitMs }: StartFailure & { kind: "timed-out" }): string {
  return `${phase} timed out after ${(limitMs / 1000).toFixed(2)} seconds`;
}

/** The outcome of an event that no environment has begun. */
export function startFailureOutcome(
  requestId: string,
  failure: StartFailure,
  memoryMb: number,
): FunctionErrorOutcome {
  return {
    kind: "function-error",
    origin: "init",
    ...startFailureError(requestId, failure),
    stillRunning: [],
    report: {
      requestId,
      durationMs: 0,
      initDurationMs: undefined,
      memorySizeMb: memoryMb,
      maxMemoryUsedMb: 0,
      environment: 0,
      log: new Uint8Array(0),
    },
  };
}

function startFailureError(requestId: string, failure: StartFailure): PlatformError {
  switch (failure.kind) {
    case "reported": {
      const { body, contentType, errorType } = failure.error;
      return { body, contentType, errorType };
    }
    case "ended":
      return processEndError(requestId, failure.end);
    case "timed-out":
      return platformError("Sandbox.Timedout", requestId, timeoutWords(failure));
    case "extension":
      return extensionError(requestId, failure);
  }
}

function platformError(
  errorType: PlatformErrorType,
  requestId: string,
  words: string,
): PlatformError {
  const errorMessage = `RequestId: ${requestId} Error: ${words}`;
  return { ...jsonError(errorType, { errorType, errorMessage }), words };
}

function jsonError(errorType: string, value: unknown): PlatformError {
  return {
    errorType,
    body: Buffer.from(JSON.stringify(value)),
    contentType: CONTENT_TYPE.json,
  };
}

/** Signals as Go, in which Lambda's supervisor is written, words them. */
const SIGNAL_WORDS: Readonly<Record<string, string>> = {
  SIGABRT: "aborted",
  SIGALRM: "alarm clock",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGHUP: "hangup",
  SIGILL: "illegal instruction",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGPIPE: "broken pipe",
  SIGQUIT: "quit",
  SIGSEGV: "segmentation fault",
  SIGTERM: "terminated",
  SIGTRAP: "trace/breakpoint trap",
  SIGUSR1: "user defined signal 1",
  SIGUSR2: "user defined signal 2",
};
