/**
 * Writes the few lines of shell that a forked shell sources for one event.
 *
 * Every value stands in single quotes, in which a shell evaluates nothing; every command is a special
 * builtin with a backslash, which neither an alias nor a function can replace. Text is latin1, one
 * character a byte, so that values arrive as they came.
 *
 * @module
 */

import { HEADER, INVOCATION_HEADER_PREFIX } from "../runtime-api/contract.ts";
import type { Invocation } from "../runtime-api/invocation.ts";

/** Where the event's data is to be found, as paths that the shell can open. */
export interface EventPaths {
  /** The event's bytes: the handler's standard input. */
  readonly input: string;
  /** The pipe behind the handler's standard output. */
  readonly output: string;
}

/** How the loaded shell stood when the script had been sourced. */
export interface ShellState {
  /** `$-`: the option letters. */
  readonly flags: string;
  readonly isBash: boolean;
  /** Whether it is a bash in POSIX mode. */
  readonly isPosix: boolean;
  /** Whether it is a bash whose command substitutions inherit `set -e`. */
  readonly inheritsErrexit: boolean;
  /** POSIXLY_CORRECT as the shell inherited it. */
  readonly posixlyCorrect: string | undefined;
}

const QUOTE = 0x27;
const NUL = 0;
const SHELL_NAME = /^[a-z][a-z0-9-]*$/;
const TRACE_VARIABLE = "_X_AMZN_TRACE_ID";
/** Options that the fork server turns off for itself; x last, since it traces what follows. */
const RESTORED_FLAGS = "abCefmuvx";

/** The variables that any invocation may have: those that it has not are unset. */
const KNOWN_VARIABLES = [
  HEADER.requestId,
  HEADER.deadlineMs,
  HEADER.invokedFunctionArn,
  HEADER.traceId,
  HEADER.clientContext,
  HEADER.cognitoIdentity,
  HEADER.tenantId,
  HEADER.invocationId,
].map(variableName);

/** Puts text between single quotes, for any POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The lines that prepare a forked shell; a call of the handler is to follow. */
export function prologue(invocation: Invocation, paths: EventPaths, state: ShellState): string {
  const variables = invocationVariables(invocation);
  const absent = [...KNOWN_VARIABLES, TRACE_VARIABLE].filter((name) => !variables.has(name));
  const exported = [...variables].map(([name, value]) => `${name}=${quote(value)}`);
  return [
    `\\exec <${paths.input} >${paths.output}`,
    `\\unset ${absent.join(" ")}`,
    `\\export ${exported.join(" ")}`,
    restoreOptions(state),
    "",
  ].join("\n");
}

/** The call of a handler function, with the event as its only argument. */
export function callFunction(name: string, event: Uint8Array): Uint8Array[] {
  return [Buffer.from(`\\${name} '`), quotable(event), Buffer.from("'\n")];
}

/** The replacement of the forked shell by a handler file. */
export function execFile(command: readonly string[]): Uint8Array[] {
  return [Buffer.from(`\\exec ${command.map(quote).join(" ")}\n`)];
}

/** `Lambda-Runtime-Trace-Id` is exported as `LAMBDA_RUNTIME_TRACE_ID`. */
function variableName(header: string): string {
  return header.toUpperCase().replaceAll("-", "_");
}

function invocationVariables({ metadata }: Invocation): Map<string, string> {
  const variables = new Map<string, string>();
  for (const [header, value] of metadata) {
    if (header.startsWith(INVOCATION_HEADER_PREFIX) && SHELL_NAME.test(header)) {
      variables.set(variableName(header), value);
    }
  }
  const traceId = metadata.get(HEADER.traceId.toLowerCase());
  if (traceId !== undefined) variables.set(TRACE_VARIABLE, traceId);
  return variables;
}

/** Undoes what the fork server has changed for itself. */
function restoreOptions(state: ShellState): string {
  const { flags, isBash, isPosix, inheritsErrexit, posixlyCorrect } = state;
  const letters = [...RESTORED_FLAGS].filter((letter) => flags.includes(letter)).join("");
  const commands = [
    ...(letters === "" ? [] : [`\\set -${letters}`]),
    // Bash turns this on with POSIX mode, and leaves it on.
    ...(isBash && !inheritsErrexit ? ["\\command shopt -u inherit_errexit"] : []),
    posixlyCorrect === undefined
      ? "\\unset POSIXLY_CORRECT"
      : `\\export POSIXLY_CORRECT=${quote(posixlyCorrect)}`,
    // A bash that runs as `sh` was in POSIX mode without the variable.
    ...(isPosix && posixlyCorrect === undefined ? ["\\set -o posix"] : []),
  ].join("; ");
  // A script that traces (set -x) has not asked to see this line.
  return letters.includes("x") ? `{ ${commands}; } 2>/dev/null` : commands;
}

/** What stands between single quotes: a quote becomes '\'', and NUL, which no shell holds, is left out. */
function quotable(event: Uint8Array): Uint8Array {
  const bytes = Buffer.from(event.buffer, event.byteOffset, event.byteLength);
  if (!bytes.includes(QUOTE) && !bytes.includes(NUL)) return bytes;
  const text = bytes.toString("latin1").replaceAll("\0", "").replaceAll("'", "'\\''");
  return Buffer.from(text, "latin1");
}
