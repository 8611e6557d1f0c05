/**
 * The variables that AWS defines for a runtime, read once; and the environment that handlers get.
 *
 * The runtime has no setting of its own: this list is all that it reads.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 * @module
 */

import { fileType, isAllowed, MAY_WRITE, readFile } from "./libc.ts";
import { type LogSettings, parseLogLevel } from "./log.ts";

/** What the runtime knows of its surroundings. */
export interface Environment {
  /** AWS_LAMBDA_RUNTIME_API: `host:port`. */
  readonly runtimeApi: string;
  /** _HANDLER, as configured. */
  readonly handler: string;
  /** LAMBDA_TASK_ROOT: the folder of the function's code. */
  readonly taskRoot: string;
  readonly log: LogSettings;
  /** AWS_LAMBDA_MAX_CONCURRENCY: how many events may be handled at once. */
  readonly concurrency: number;
}

const DEFAULT_TASK_ROOT = "/var/task";
const LAYER_PROGRAMS = "/opt/bin";
const DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin";
const WRITABLE_FOLDER = "/tmp";
/** Most loops at once: far above what a managed instance is given. */
const CONCURRENCY_MAX = 1024;

/** Reads the variables; what is unset gets Lambda's default. */
export function readEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
): Environment {
  return {
    runtimeApi: variables["AWS_LAMBDA_RUNTIME_API"] ?? "",
    handler: variables["_HANDLER"] ?? "",
    taskRoot: variables["LAMBDA_TASK_ROOT"] || DEFAULT_TASK_ROOT,
    log: {
      json: variables["AWS_LAMBDA_LOG_FORMAT"]?.toUpperCase() === "JSON",
      level: parseLogLevel(variables["AWS_LAMBDA_LOG_LEVEL"]),
    },
    concurrency: parseConcurrency(variables["AWS_LAMBDA_MAX_CONCURRENCY"]),
  };
}

function parseConcurrency(text: string | undefined): number {
  const count = Number(text);
  return Number.isInteger(count) && count > 1 ? Math.min(count, CONCURRENCY_MAX) : 1;
}

/**
 * This process's environment as it was started with, as `NAME=value` strings whose characters are
 * bytes: the process's own record keeps values that are not UTF-8, which process.env would not.
 */
export function inheritedEnvironment(): string[] {
  return readFile("/proc/self/environ").toString("latin1").split("\0").slice(0, -1);
}

/**
 * The environment of handlers: the inherited one but for a PATH that has `/opt/bin`, a HOME that can
 * be written to, and no trace id of a former event.
 */
export function handlerEnvironment(): string[] {
  const variables = new Map<string, string>();
  for (const entry of inheritedEnvironment()) {
    const equals = entry.indexOf("=", 1);
    if (equals > 0) variables.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  variables.set("PATH", withLayerPrograms(variables.get("PATH") || DEFAULT_PATH));
  const home = variables.get("HOME");
  if (!home || fileType(home) !== "folder" || !isAllowed(home, MAY_WRITE)) {
    variables.set("HOME", WRITABLE_FOLDER);
  }
  variables.delete("_X_AMZN_TRACE_ID");
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

function withLayerPrograms(path: string): string {
  return path.split(":").includes(LAYER_PROGRAMS) ? path : `${LAYER_PROGRAMS}:${path}`;
}
