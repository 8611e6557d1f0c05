/**
 * `--log json`: one JSON object a line, in the form of Lambda's Telemetry API.
 *
 * A line of the function that is a JSON object is its `record` as it stands. The tool's own
 * messages have the type `tool`; see `terminal.ts`.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
 * @module
 */

import type { HostObserver } from "../../host/function/function-pool.ts";
import { isJson } from "../../host/http/json-text.ts";
import type { InvocationReport } from "../../host/invocation/outcome.ts";
import { exitReason } from "../../host/invocation/platform-error.ts";
import { EnvironmentLines } from "../../host/sandbox/log.ts";
import { warn } from "../cli/terminal.ts";

/** Forms of the log of `serve` and `dev`. */
export const LOG_FORMS = ["text", "json"] as const;

/** One of {@link LOG_FORMS}. */
export type LogForm = (typeof LOG_FORMS)[number];

/**
 * Prints what a function does, for programs.
 * @param quiet Whether the platform's own lines are left out.
 */
export function jsonObserver(functionName: string, quiet: boolean): HostObserver {
  const lines = new EnvironmentLines((line, environment) =>
    print("function", environment, functionRecord(line)),
  );
  const print = (type: string, environment: number, record: string) => {
    const head = { time: new Date().toISOString(), type, functionName, environment };
    process.stderr.write(`${JSON.stringify(head).slice(0, -1)},"record":${record}}\n`);
  };
  const platform = (type: string, environment: number, record: unknown) => {
    if (!quiet) print(`platform.${type}`, environment, JSON.stringify(record));
  };
  return {
    onLog: (chunk, environment) => lines.add(chunk, environment),
    onDelivered: ({ requestId }, environment) =>
      platform("start", environment, { requestId, version: "$LATEST" }),
    onAnswered: (report, status) => {
      lines.flush(report.environment);
      platform("report", report.environment, reportRecord(report, status));
    },
    onReady: ({ index, initMs, served }) => {
      if (served > 0 || initMs === undefined) return;
      const metrics = { durationMs: rounded(initMs) };
      const initializationType = "on-demand";
      platform("initReport", index, { initializationType, phase: "init", metrics });
    },
    onEnd: (environment, end, failed) => {
      lines.flush(environment);
      if (failed) warn(`error: environment ${environment} failed to start: ${exitReason(end)}`);
    },
  };
}

function functionRecord(line: string): string {
  return line.startsWith("{") && isJson(Buffer.from(line)) ? line.trim() : JSON.stringify(line);
}

function reportRecord(report: InvocationReport, status: string): unknown {
  const { requestId, durationMs, initDurationMs, memorySizeMb, maxMemoryUsedMb } = report;
  return {
    requestId,
    metrics: {
      durationMs: rounded(durationMs),
      billedDurationMs: Math.ceil(durationMs),
      memorySizeMB: memorySizeMb,
      maxMemoryUsedMB: maxMemoryUsedMb,
      ...(initDurationMs === undefined ? {} : { initDurationMs: rounded(initDurationMs) }),
    },
    status: status === "success" || status === "timeout" ? status : "error",
  };
}

/** Milliseconds with Lambda's three digits behind the point at most. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
