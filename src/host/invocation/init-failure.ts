/**
 * What a caller gets when no execution environment could begin its work.
 *
 * @module
 */

import type { InitFailure } from "../sandbox/environment-listener.ts";
import type { FunctionErrorOutcome } from "./outcome.ts";
import { exitError, initTimeoutError, type PlatformError } from "./platform-error.ts";
import type { FunctionSettings } from "./settings.ts";

/** The outcome of an event that no environment has begun. */
export function initFailureOutcome(
  requestId: string,
  failure: InitFailure,
  settings: Pick<FunctionSettings, "memoryMb" | "initTimeoutMs">,
): FunctionErrorOutcome {
  return {
    kind: "function-error",
    origin: "init",
    ...initFailureError(requestId, failure, settings.initTimeoutMs),
    stillRunning: [],
    report: {
      requestId,
      durationMs: 0,
      initDurationMs: undefined,
      memorySizeMb: settings.memoryMb,
      maxMemoryUsedMb: 0,
      environment: 0,
      log: new Uint8Array(0),
    },
  };
}

function initFailureError(
  requestId: string,
  failure: InitFailure,
  initTimeoutMs: number,
): PlatformError {
  switch (failure.kind) {
    case "reported": {
      const { body, contentType, errorType } = failure.error;
      return { body, contentType, errorType };
    }
    case "ended":
      return exitError(requestId, failure.end);
    case "timed-out":
      return initTimeoutError(requestId, initTimeoutMs);
  }
}
