/**
 * A function error in words for the person who wrote the function.
 *
 * @module
 */

import { LAMBDA_PATH } from "../host/function-environment.ts";
import type { FunctionSettings } from "../host/function-settings.ts";
import type { InvocationOutcome } from "../host/outcome.ts";

/** Lines of the log that are shown again. */
const LOG_LINES_MAX = 5;

type FunctionErrorOutcome = Extract<InvocationOutcome, { kind: "function-error" }>;

/** What went wrong, the last lines of the log, and a hint where one is known. */
export function errorSummary(outcome: FunctionErrorOutcome, settings: FunctionSettings): string {
  const { report } = outcome;
  const { errorType, errorMessage } = errorMembers(outcome);
  if (outcome.origin === "timeout") return timeoutSummary(settings);
  const after = report.durationMs > 0 ? ` after ${Math.round(report.durationMs)} ms` : "";
  const message = errorMessage.replace(/^RequestId: \S+ Error: (Runtime exited with error: )?/, "");
  const lines = [`error: ${errorType}${after}: ${message}`, ...logLines(report.log)];
  const status = /exit status (\d+)/.exec(errorMessage)?.[1];
  const hint = status === undefined ? undefined : STATUS_HINTS[status];
  if (hint !== undefined) lines.push(`  ${hint(settings)}`);
  return lines.join("\n");
}

/** What to do about an exit status that has a meaning to every shell. */
const STATUS_HINTS: Readonly<Record<string, (settings: FunctionSettings) => string>> = {
  "126": () => "126 means a command is not executable: chmod +x it",
  "127": ({ variables }) =>
    "127 means a command was not found; " +
    `PATH inside the function: ${variables["PATH"] ?? LAMBDA_PATH}`,
};

function timeoutSummary(settings: FunctionSettings): string {
  const seconds = (settings.timeoutMs / 1000).toFixed(2);
  return `error: function timed out after ${seconds} s (Sandbox.Timedout)`;
}

function logLines(log: Uint8Array): readonly string[] {
  const text = new TextDecoder().decode(log).trimEnd();
  if (text === "") return [];
  const lines = text.split("\n").slice(-LOG_LINES_MAX);
  return ["  last lines on stderr:", ...lines.map((line) => `    ${line}`)];
}

function errorMembers(outcome: FunctionErrorOutcome): { errorType: string; errorMessage: string } {
  try {
    const error: unknown = JSON.parse(new TextDecoder().decode(outcome.body));
    if (typeof error === "object" && error !== null) {
      const type = "errorType" in error ? String(error.errorType) : outcome.errorType;
      const message = "errorMessage" in error ? String(error.errorMessage) : "";
      return { errorType: type, errorMessage: message };
    }
  } catch {
    // Not JSON: the type that the platform recorded is all there is.
  }
  return { errorType: outcome.errorType, errorMessage: new TextDecoder().decode(outcome.body) };
}
