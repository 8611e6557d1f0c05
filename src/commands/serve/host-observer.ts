/**
 * What `serve` prints of the engine's work.
 *
 * @module
 */

import type { HostObserver } from "../../host/function/function-pool.ts";
import { exitReason } from "../../host/invocation/platform-error.ts";
import { endLines, startLine } from "../../host/invocation/platform-log.ts";
import { warn } from "../cli/terminal.ts";

/** Where lines go; standard output is only ever for payloads. */
export interface PlatformLog {
  /** No lines of the platform's own. */
  readonly quiet: boolean;
  readonly message: (text: string) => void;
  readonly platform: (text: string) => void;
  readonly output: (chunk: Uint8Array) => void;
}

/** Lambda's own lines and the function's, on standard error. */
export function platformLog(quiet: boolean): PlatformLog {
  return {
    quiet,
    message: warn,
    platform: (text) => {
      if (!quiet) process.stderr.write(text);
    },
    output: (chunk) => void process.stderr.write(chunk),
  };
}

/** Statuses that a REPORT line has besides success. */
const REPORT_STATUS: Readonly<Record<string, string>> = {
  timeout: "timeout",
  exit: "error",
  init: "error",
};

/** Prints Lambda's lines. */
export function hostObserver(log: PlatformLog): HostObserver {
  return {
    onLog: log.output,
    onDelivered: ({ requestId }) => log.platform(startLine(requestId)),
    onAnswered: (report, status) => {
      if (!log.quiet) log.platform(endLines(report, REPORT_STATUS[status]));
    },
    onEnd: (environment, end, failed) => {
      if (failed) log.message(`environment ${environment} failed to start: ${exitReason(end)}`);
    },
  };
}
