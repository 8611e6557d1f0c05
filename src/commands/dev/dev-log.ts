/**
 * The log of `dev`: short ids, the function's lines indented, one line of time and memory.
 *
 * @module
 */

import type { HostObserver } from "../../host/function/function-pool.ts";
import { exitReason } from "../../host/invocation/platform-error.ts";
import { EnvironmentLines } from "../../host/sandbox/log.ts";
import { warn } from "../cli/terminal.ts";

/** Letters of a request id that are shown. */
const ID_LENGTH = 4;

/** Prints what a function does, for a person who watches. */
export function devObserver(): HostObserver {
  const served = new Set<number>();
  let several = false;
  const lines = new EnvironmentLines((line, environment) => {
    // Whose line it is matters from the second worker on.
    warn(`${several ? `  ${environment + 1} | ` : "  | "}${line}`);
  });
  return {
    onLog: (chunk, environment) => lines.add(chunk, environment),
    onDelivered: ({ requestId }, environment) => {
      const cold = served.has(environment) ? "" : " cold";
      served.add(environment);
      warn(`START ${short(requestId)} worker ${environment + 1}${cold}`);
    },
    onAnswered: (report, status) => {
      lines.flush(report.environment);
      const memory = `${report.maxMemoryUsedMb}/${report.memorySizeMb} MB`;
      const failed = status === "success" ? "" : `  ${status}`;
      warn(
        `END   ${short(report.requestId)} ${report.durationMs.toFixed(1)} ms  ${memory}${failed}`,
      );
    },
    onReady: (environment) => {
      several ||= environment.index > 0;
    },
    onEnd: (environment, end, failed) => {
      served.delete(environment);
      lines.flush(environment);
      if (failed) warn(`error: worker ${environment + 1} failed to start: ${exitReason(end)}`);
    },
  };
}

function short(requestId: string): string {
  return `${requestId.slice(0, ID_LENGTH)}…`;
}
