/**
 * The variables that AWS defines for a runtime, read once; and the environment that handlers get.
 *
 * The runtime has no setting of its own: this list is all that it reads.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 * @module
 */

import { cString, fileType, isAllowed, MAY_WRITE, readFile } from "./libc.ts";
import { type LogSettings, parseLogLevel } from "./log.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** What the runtime knows of its surroundings. */
export interface Environment {
  /** AWS_LAMBDA_RUNTIME_API: `host:port`. */
  readonly runtimeApi: string;
  /** _HANDLER, as configured. */
  readonly handler: string;
  /** LAMBDA_TASK_ROOT: the folder of the function's code. */
  readonly taskRoot: string;
  readonly log: LogSettings;
  /** AWS_LAMBDA_MAX_CONCURRENCY: how many events are handled at once; 1 if it is not set. */
  readonly concurrency: number;
  /** Whether the platform leaves it to us to end events at their deadlines: on managed instances. */
  readonly endsEvents: boolean;
  /** Whether a snapshot is taken of the environment before its first event (SnapStart). */
  readonly isSnapshot: boolean;
}

const DEFAULT_TASK_ROOT = "/var/task";
const LAYER_PROGRAMS = "/opt/bin";
const DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin";
const EQUALS = 0x3d;
const WRITABLE_FOLDER = "/tmp";

/** This process's environment as it was started with. */
export interface InheritedEnvironment {
  /** NUL-terminated `NAME=value` entries, as bytes: process.env would not keep what is not UTF-8. */
  readonly entries: readonly Uint8Array[];
  /** The same as text, a NUL in front of each: one search in it is faster than a walk of the entries. */
  readonly text: string;
}

/** Reads the process's own record of its environment. */
export function inheritedEnvironment(): InheritedEnvironment {
  const block = readFile("/proc/self/environ");
  const entries: Uint8Array[] = [];
  for (let start = 0, end = block.indexOf(0); end >= 0; end = block.indexOf(0, start)) {
    entries.push(block.slice(start, end + 1));
    start = end + 1;
  }
  return { entries, text: `\0${decodeUtf8(block)}` };
}

/** A variable's value; empty if it is unset. */
function variable({ text }: InheritedEnvironment, name: string): string {
  const beginning = `\0${name}=`;
  const at = text.indexOf(beginning);
  if (at < 0) return "";
  const start = at + beginning.length;
  return text.slice(start, text.indexOf("\0", start));
}

/** Whether an entry is the one of a variable. */
function isOf(name: string, entry: Uint8Array): boolean {
  for (let index = 0; index < name.length; index += 1) {
    if (entry[index] !== name.charCodeAt(index)) return false;
  }
  return entry[name.length] === EQUALS;
}

/** The value that a variable has in a handler's environment, as bytes; undefined if it is unset. */
export function variableBytes(
  entries: readonly Uint8Array[],
  name: string,
): Uint8Array | undefined {
  for (const entry of entries) {
    if (isOf(name, entry)) return entry.slice(name.length + 1, -1);
  }
  return undefined;
}

/** The same as text; empty if it is unset. */
export function variableText(entries: readonly Uint8Array[], name: string): string {
  return decodeUtf8(variableBytes(entries, name) ?? new Uint8Array(0));
}

/** Reads the variables; what is unset gets Lambda's default. */
export function readEnvironment(inherited: InheritedEnvironment): Environment {
  const maxConcurrency = variable(inherited, "AWS_LAMBDA_MAX_CONCURRENCY");
  const concurrency = parseConcurrency(maxConcurrency);
  const initializationType = variable(inherited, "AWS_LAMBDA_INITIALIZATION_TYPE");
  const logFormat = variable(inherited, "AWS_LAMBDA_LOG_FORMAT").toUpperCase();
  return {
    runtimeApi: variable(inherited, "AWS_LAMBDA_RUNTIME_API"),
    handler: variable(inherited, "_HANDLER"),
    taskRoot: absolute(variable(inherited, "LAMBDA_TASK_ROOT") || DEFAULT_TASK_ROOT),
    log: {
      // Managed instances, where events are handled at once, take nothing else.
      json: logFormat === "JSON" || (logFormat === "" && concurrency > 1),
      level: parseLogLevel(variable(inherited, "AWS_LAMBDA_LOG_LEVEL")),
    },
    concurrency,
    isSnapshot: initializationType === "snap-start",
    endsEvents: maxConcurrency !== "" || initializationType === "lambda-managed-instances",
  };
}

/** A path that means the same after a change of folders: handlers run in the one that it names. */
function absolute(path: string): string {
  return path.startsWith("/") ? path : `${process.cwd()}/${path}`;
}

function parseConcurrency(text: string): number {
  if (text === "") return 1;
  return /^\d+$/.test(text) && Number(text) > 1 ? Number(text) : 1;
}

/**
 * The environment of handlers: the inherited one but for a PATH that has `/opt/bin`, a HOME that can
 * be written to, and no trace id of a former event.
 */
export function handlerEnvironment(inherited: InheritedEnvironment): Uint8Array[] {
  const home = variable(inherited, "HOME");
  const isHome = home !== "" && fileType(home) === "folder" && isAllowed(home, MAY_WRITE);
  const path = variable(inherited, "PATH");
  const hasPath = `:${path}:`.includes(`:${LAYER_PROGRAMS}:`);
  const entries: Uint8Array[] = [];
  for (const entry of inherited.entries) {
    const isReplaced = (!hasPath && isOf("PATH", entry)) || (!isHome && isOf("HOME", entry));
    if (!isReplaced && !isOf("_X_AMZN_TRACE_ID", entry)) entries.push(entry);
  }
  if (!hasPath) entries.push(withLayerPrograms(variableBytes(inherited.entries, "PATH")));
  if (!isHome) entries.push(cString(`HOME=${WRITABLE_FOLDER}`));
  return entries;
}

/** The entry of a PATH that begins with the layer's programs. */
function withLayerPrograms(path: Uint8Array | undefined): Uint8Array {
  if (path === undefined || path.length === 0) {
    return cString(`PATH=${LAYER_PROGRAMS}:${DEFAULT_PATH}`);
  }
  const prefix = encodeUtf8(`PATH=${LAYER_PROGRAMS}:`);
  const entry = new Uint8Array(prefix.length + path.length + 1);
  entry.set(prefix);
  entry.set(path, prefix.length);
  return entry;
}
