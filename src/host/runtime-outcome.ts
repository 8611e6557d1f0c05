/**
 * What a runtime's answer is to the caller of the function.
 *
 * @module
 */

import type { FunctionErrorOrigin, UnreportedOutcome } from "./outcome.ts";
import { invalidModeError, type PlatformError, responseTooLargeError } from "./platform-error.ts";
import type { RuntimeAnswer } from "./runtime-answer.ts";

/** The outcome of an answer that arrived whole. */
export function answerOutcome(
  answer: Exclude<RuntimeAnswer, { kind: "truncated" }>,
): UnreportedOutcome {
  switch (answer.kind) {
    case "response":
      return { kind: "response", body: answer.body, contentType: answer.contentType };
    case "stream": {
      const { stream, contentType } = answer;
      return { kind: "stream", chunks: stream, end: stream.end, contentType };
    }
    case "error": {
      const { body, contentType, errorType } = answer;
      return errorOutcome("reported", { body, contentType, errorType });
    }
    case "too-large":
      return errorOutcome("response-too-large", responseTooLargeError());
    case "invalid-mode":
      return errorOutcome("invalid-response", invalidModeError());
  }
}

/** An error as an outcome. */
export function errorOutcome(
  origin: FunctionErrorOrigin,
  error: PlatformError,
  stillRunning: readonly string[] = [],
): UnreportedOutcome {
  return { kind: "function-error", origin, ...error, stillRunning };
}
