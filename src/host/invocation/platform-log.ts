/**
 * What the host logs: messages of its own, and the lines that Lambda itself writes around a function's
 * log: START, END, REPORT.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 * @module
 */

import { type InvocationReport, LOG_TAIL_BYTES_MAX } from "./outcome.ts";

/** How much a message matters; a `hint` is what a developer may want to know of a response. */
export type LogLevel = "error" | "warning" | "hint" | "info";

/** What the host says for the person at the terminal. */
export interface LogMessage {
  readonly level: LogLevel;
  readonly message: string;
}

/** Takes what the host says. */
export type HostLog = (level: LogLevel, message: string) => void;

/** The line before an event. */
export function startLine(requestId: string): string {
  return `START RequestId: ${requestId} Version: $LATEST\n`;
}

/** The line at the restore of a snapshot. */
export function restoreStartLine(): string {
  return "RESTORE_START\n";
}

/** The line after the restore of a snapshot. */
export function restoreReportLine(restoreMs: number): string {
  return `RESTORE_REPORT Restore Duration: ${restoreMs.toFixed(2)} ms\n`;
}

/**
 * The two lines after an event; the time of the start comes last, and only with a first event.
 * @param status What follows `Status:`, nothing for success.
 */
export function endLines(report: InvocationReport, status?: string): string {
  const { requestId, durationMs, initDurationMs, memorySizeMb, maxMemoryUsedMb } = report;
  const columns = [
    `REPORT RequestId: ${requestId}`,
    `Duration: ${durationMs.toFixed(2)} ms`,
    `Billed Duration: ${Math.ceil(durationMs)} ms`,
    `Memory Size: ${memorySizeMb} MB`,
    `Max Memory Used: ${maxMemoryUsedMb} MB`,
    ...(initDurationMs === undefined ? [] : [`Init Duration: ${initDurationMs.toFixed(2)} ms`]),
    ...(status === undefined ? [] : [`Status: ${status}`]),
    "",
  ];
  return `END RequestId: ${requestId}\n${columns.join("\t")}\n`;
}

/** The last bytes of an invocation's log with Lambda's lines around it, as `Tail` returns them. */
export function reportLines(report: InvocationReport): Uint8Array {
  const log = Buffer.concat([
    Buffer.from(startLine(report.requestId)),
    withLineFeed(report.log),
    Buffer.from(endLines(report)),
  ]);
  return log.subarray(Math.max(0, log.byteLength - LOG_TAIL_BYTES_MAX));
}

const LINE_FEED = 0x0a;

function withLineFeed(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength === 0 || bytes.at(-1) === LINE_FEED) return bytes;
  return Buffer.concat([bytes, Uint8Array.of(LINE_FEED)]);
}
