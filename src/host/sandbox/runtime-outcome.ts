/**
 * What a runtime's answer is to the caller of the function.
 *
 * @module
 */

import type { UnreportedOutcome } from "../invocation/outcome.ts";
import {
  errorOutcome,
  invalidModeError,
  responseTooLargeError,
} from "../invocation/platform-error.ts";
import type { RuntimeAnswer } from "./runtime-answer.ts";

/** The outcome of an answer that arrived whole. */
export function answerOutcome(
  answer: Exclude<RuntimeAnswer, { kind: "truncated" | "stream" }>,
): UnreportedOutcome {
  switch (answer.kind) {
    case "response":
      return { kind: "response", body: answer.body, contentType: answer.contentType };
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
