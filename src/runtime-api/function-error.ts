/**
 * What goes wrong, in the words of the Runtime API: error types, the error body, the X-Ray cause.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror
 * @module
 */

/** Types that our runtime reports while it loads the handler. */
export type InitErrorType =
  | "Runtime.MalformedHandlerName"
  | "Runtime.NoSuchHandler"
  | "Runtime.InvalidEntrypoint"
  | "Runtime.UserCodeSyntaxError"
  | "Runtime.InitError"
  | "Runtime.HandlerNotFound"
  | "Runtime.BeforeSnapshotError"
  | "Runtime.AfterRestoreError";

/** Types that our runtime reports for an event whose handler did not name one of its own. */
export type InvocationErrorType = "Function.ExitError" | "Function.KilledBySignal";

/** Types that our runtime reports in the platform's place, where that may not have done so. */
export type ReportedPlatformErrorType = "Runtime.ExitError" | "Sandbox.Timedout";

/** Types that the platform itself reports to the caller of an invocation. */
export type PlatformErrorType =
  | "Extension.Crash"
  | "Extension.ExitError"
  | "Extension.InitError"
  | "Extension.LaunchError"
  | "Function.ResponseSizeTooLarge"
  | "Runtime.ExitError"
  | "Runtime.InvalidEntrypoint"
  | "Runtime.InvalidResponseModeHeader"
  | "Runtime.TruncatedResponse"
  | "Runtime.Unknown"
  | "Sandbox.Timedout";

/** Types of the bodies with which the Runtime API refuses a request. */
export type RefusalType =
  | "InvalidFunctionResponseMode"
  | "InvalidRequestID"
  | "InvalidStateTransition"
  | "InvokeTimeout"
  | "RequestEntityTooLarge"
  | "InternalServerError";

/** The JSON body of `/error` and `/init/error`. */
export interface FunctionError {
  readonly errorMessage: string;
  readonly errorType: string;
  readonly stackTrace: readonly string[];
}

/** Error types that the platform keeps as they are; it records any other as `…Unknown`. */
const KEPT_ERROR_TYPE = /^(Runtime|Function)\.[A-Z][a-zA-Z]+$/;
/** The platform's own type, which it knows. */
const TIMED_OUT: ReportedPlatformErrorType = "Sandbox.Timedout";

/** What the platform keeps of a type in its own records; unanchored, as the platform has it. */
export function recordedErrorType(errorType: string): string {
  if (/(Runtime|Function)\.[A-Z][a-zA-Z]+/.test(errorType)) return errorType;
  return errorType.startsWith("Function.") ? "Function.Unknown" : "Runtime.Unknown";
}

/**
 * Names an error in the form that the platform keeps, for the header `Lambda-Runtime-Function-Error-Type`.
 *
 * A handler's own type keeps its letters after `Function.`: `ValidationError` becomes
 * `Function.ValidationError`; one with nothing left of it becomes `Function.ExitError`.
 */
export function headerErrorType(errorType: string): string {
  if (errorType === TIMED_OUT || KEPT_ERROR_TYPE.test(errorType)) return errorType;
  const letters = errorType.replace(/[^a-zA-Z]/g, "");
  const named = `Function.${letters.charAt(0).toUpperCase()}${letters.slice(1)}`;
  return KEPT_ERROR_TYPE.test(named) ? named : "Function.ExitError";
}

/** Longest message in an X-Ray cause, in UTF-16 units: HTTP servers take some kilobytes of headers. */
const CAUSE_MESSAGE_LENGTH_MAX = 512;

/** Serializes an error body; a lone surrogate or control character cannot make it invalid. */
export function errorBody(error: FunctionError): string {
  const { errorMessage, errorType, stackTrace } = error;
  return JSON.stringify({ errorMessage, errorType, stackTrace });
}

/**
 * Serializes the X-Ray cause of an error, in ASCII since it is a header's value.
 * @see https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
 */
export function xrayErrorCause(error: FunctionError, workingDirectory: string): string {
  const message = error.errorMessage.slice(0, CAUSE_MESSAGE_LENGTH_MAX);
  const cause = {
    working_directory: workingDirectory,
    exceptions: [{ type: error.errorType, message, stack: [] }],
    paths: [],
    message,
  };
  return JSON.stringify(cause).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
