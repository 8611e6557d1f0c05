/**
 * What `serve` and `dev` print of a function's work: Lambda's own lines, JSON for programs, or short
 * lines for a person who watches. Each can be counted besides.
 *
 * `--log json` is one JSON object a line, in the form of Lambda's Telemetry API. A line of the
 * function that is a JSON object is its `record` as it stands. The tool's own messages have the type
 * `tool`; see `terminal.ts`.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
 * @module
 */

import type { FailedStart, PoolObserver } from "../../host/function/function-pool.ts";
import type { Metrics } from "../../host/function/metrics.ts";
import { isJson } from "../../host/http/json-text.ts";
import type { InvocationReport } from "../../host/invocation/outcome.ts";
import { exitReason, type ProcessEnd } from "../../host/invocation/platform-error.ts";
import {
  endLines,
  type LogLevel,
  restoreReportLine,
  restoreStartLine,
  startLine,
} from "../../host/invocation/platform-log.ts";
import { EnvironmentLines, type LogSink } from "../../host/sandbox/log.ts";
import { programFix } from "../../program.ts";
import { logOut, logTaken, say } from "../cli/terminal.ts";

/** Hands a log on by lines, and reads no more of it than standard error has taken. */
function byLines(lines: EnvironmentLines): LogSink {
  return (chunk, environment) => {
    lines.add(chunk, environment);
    return logTaken();
  };
}

/** Forms of the log of `serve` and `dev`. */
export const LOG_FORMS = ["text", "json"] as const;

/** One of {@link LOG_FORMS}. */
export type LogForm = (typeof LOG_FORMS)[number];

/**
 * Prints what a function does, for programs.
 * @param quiet Whether the platform's own lines are left out.
 */
export function jsonObserver(functionName: string, quiet: boolean): PoolObserver {
  const lines = new EnvironmentLines((line, environment) =>
    print("function", environment, functionRecord(line)),
  );
  const print = (type: string, environment: number, record: string) => {
    const head = { time: new Date().toISOString(), type, functionName, environment };
    void logOut(`${JSON.stringify(head).slice(0, -1)},"record":${record}}\n`);
  };
  const platform = (type: string, environment: number, record: unknown) => {
    if (!quiet) print(`platform.${type}`, environment, JSON.stringify(record));
  };
  return {
    onLog: byLines(lines),
    onDelivered: ({ requestId }, environment) =>
      platform("start", environment, { requestId, version: "$LATEST" }),
    onOutcome: (report, status) => {
      lines.flush(report.environment);
      platform("report", report.environment, reportRecord(report, status));
    },
    onRestore: ({ index }) => platform("restoreStart", index, {}),
    onStarted: ({ index, initMs = 0, restoreMs, initializationType }) => {
      const metrics = (ms: number) => ({ durationMs: rounded(ms) });
      // One that has failed does not get here.
      const status = "success";
      const init = { initializationType, phase: "init", status, metrics: metrics(initMs) };
      platform("initReport", index, init);
      if (restoreMs !== undefined)
        platform("restoreReport", index, { status, metrics: metrics(restoreMs) });
    },
    onEnd: (environment, end, failed) => {
      lines.flush(environment);
      sayFailed("error", `environment ${environment}`, end, failed);
    },
  };
}

/** Says that a start has failed, with what helps and what follows; not again of each that fails as the one before. */
function sayFailed(
  level: LogLevel,
  who: string,
  end: ProcessEnd,
  failed: FailedStart | undefined,
): void {
  if (failed === undefined || failed.isRepeated) return;
  const fix = end.kind === "not-started" ? programFix(end.program) : undefined;
  const next = failed.awaitsFiles
    ? "it is started again when its files change, and for a request"
    : "it is started again after longer and longer pauses, and for a request; the same error is told once";
  const lines = [
    `${who} failed to start: ${failed.words}`,
    ...(fix === undefined ? [] : [fix]),
    next,
  ];
  say(level, lines.join("\n  "));
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

/** Milliseconds with at most three digits after the point, as Lambda writes them. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** An observer that hands on everything to another one, and counts it. */
export function countedObserver(log: PoolObserver, metrics: Metrics): PoolObserver {
  return {
    ...log,
    onOutcome: (report, status) => {
      metrics.countInvocation(report.durationMs);
      log.onOutcome?.(report, status);
    },
    onStarted: (environment) => {
      metrics.countColdStart();
      log.onStarted?.(environment);
    },
    onEnd: (environment, end, failed) => {
      metrics.countExit(end.kind === "exited" ? `status ${end.status}` : exitReason(end));
      log.onEnd?.(environment, end, failed);
    },
    onRejected: (reason) => {
      metrics.countRejection();
      log.onRejected?.(reason);
    },
  };
}

/** Where lines go; standard output is only ever for payloads. */
interface PlatformLog {
  /** No lines of the platform's own. */
  readonly quiet: boolean;
  readonly platform: (text: string) => void;
  readonly output: (chunk: Uint8Array) => Promise<void>;
}

/** Lambda's own lines and the function's, on standard error. */
export function platformLog(quiet: boolean): PlatformLog {
  return {
    quiet,
    platform: (text) => {
      if (!quiet) void logOut(text);
    },
    output: logOut,
  };
}

/** Statuses that a REPORT line has besides success. */
const REPORT_STATUS: Readonly<Record<string, string>> = {
  timeout: "timeout",
  exit: "error",
  init: "error",
};

/** Prints Lambda's lines. */
export function hostObserver(log: PlatformLog): PoolObserver {
  const sayUnrestored = unrestoredNote();
  return {
    onLog: log.output,
    onDelivered: ({ requestId }) => log.platform(startLine(requestId)),
    onOutcome: (report, status) => {
      if (!log.quiet) log.platform(endLines(report, REPORT_STATUS[status]));
    },
    onRestore: () => log.platform(restoreStartLine()),
    onStarted: (environment) => {
      const { restoreMs } = environment;
      if (restoreMs !== undefined) log.platform(restoreReportLine(restoreMs));
      sayUnrestored(environment);
    },
    onEnd: (environment, end, failed) =>
      sayFailed("info", `environment ${environment}`, end, failed),
  };
}

/** Says once that a runtime is started from its snapshot without waiting for that, as Lambda allows. */
function unrestoredNote(): NonNullable<PoolObserver["onStarted"]> {
  let isSaid = false;
  return ({ initializationType, restoreMs }) => {
    if (isSaid || initializationType !== "snap-start" || restoreMs !== undefined) return;
    isSaid = true;
    say(
      "info",
      "the runtime asked for an event without GET /restore/next: it has no restore hooks",
    );
  };
}

/** Letters of a request id that `dev` shows. */
const ID_LENGTH = 4;

/** Prints what a function does, for a person who watches. */
export function devObserver(): PoolObserver {
  const served = new Set<number>();
  const sayUnrestored = unrestoredNote();
  let several = false;
  const lines = new EnvironmentLines((line, environment) => {
    // Whose line it is matters from the second worker on.
    say("info", `${several ? `  ${environment + 1} | ` : "  | "}${line}`);
  });
  return {
    onLog: byLines(lines),
    onDelivered: ({ requestId }, environment) => {
      const cold = served.has(environment) ? "" : " cold";
      served.add(environment);
      say("info", `START ${short(requestId)} worker ${environment + 1}${cold}`);
    },
    onOutcome: (report, status) => {
      lines.flush(report.environment);
      const memory = `${report.maxMemoryUsedMb}/${report.memorySizeMb} MB`;
      const failed = status === "success" ? "" : `  ${status}`;
      say(
        "info",
        `END   ${short(report.requestId)} ${report.durationMs.toFixed(1)} ms  ${memory}${failed}`,
      );
    },
    onStarted: (environment) => {
      const { index, restoreMs } = environment;
      several ||= index > 0;
      sayUnrestored(environment);
      if (restoreMs === undefined) return;
      say("info", `RESTORED worker ${index + 1} ${restoreMs.toFixed(1)} ms`);
    },
    onEnd: (environment, end, failed) => {
      served.delete(environment);
      lines.flush(environment);
      sayFailed("error", `worker ${environment + 1}`, end, failed);
    },
  };
}

function short(requestId: string): string {
  return `${requestId.slice(0, ID_LENGTH)}…`;
}
