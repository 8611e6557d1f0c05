/**
 * Writes the few lines of shell that a forked shell sources for one event.
 *
 * Every value is quoted (quote.ts), so that a shell evaluates nothing in it; every command is a special
 * builtin with a backslash, which neither an alias nor a function can replace. Text is latin1, one
 * character a byte, so that values arrive as they came.
 *
 * @module
 */

import { HEADER, INVOCATION_HEADER_PREFIX } from "../runtime-api/contract.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { lazy } from "./lazy.ts";
import { isPlain, quote } from "./quote.ts";

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
  /** BASHOPTS: bash's own options that are on. */
  readonly bashOptions: readonly string[];
  /** POSIXLY_CORRECT as the shell inherited it. */
  readonly posixlyCorrect: string | undefined;
  /** Traps that the loaded shell was relieved of, each as the words behind `trap --`. */
  readonly traps: readonly string[];
}

/** Most header names that are remembered. */
const VARIABLE_NAMES_MAX = 64;
const HEADER_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-";
const TRACE_HEADER = HEADER.traceId.toLowerCase();
const TRACE_VARIABLE = "_X_AMZN_TRACE_ID";
/** Options that the fork server turns off for itself, but for x, which traces what follows. */
const RESTORED_FLAGS = "abCefkmuv";
/** Bash's options that POSIX mode turns on, with how leaving the mode leaves them. */
const POSIX_MODE_OPTIONS = [
  ["expand_aliases", false],
  ["inherit_errexit", true],
  ["interactive_comments", true],
  ["shift_verbose", false],
  ["sourcepath", true],
] as const;

/** The headers that any invocation may have. */
const KNOWN_HEADERS = [
  HEADER.requestId,
  HEADER.deadlineMs,
  HEADER.invokedFunctionArn,
  HEADER.traceId,
  HEADER.clientContext,
  HEADER.cognitoIdentity,
  HEADER.tenantId,
  HEADER.invocationId,
];
/** A script, or an event before, may have set what an invocation does not have. */
const unsetKnown = lazy(() => `\\unset ${upperName(KNOWN_HEADERS.join(" "))} ${TRACE_VARIABLE}`);
/** The known headers in lower case, each between line ends, which no header has in its name. */
const knownLines = lazy(() => `\r\n${KNOWN_HEADERS.join("\r\n")}\r\n`.toLowerCase());
/** Headers, in lower case, with their variables, if any: a dozen come with every event. */
const variableNames = lazy(() => new Map<string, string | undefined>());

/**
 * The lines that prepare a forked shell, in latin1; a call of the handler is to follow.
 * @param restoration What {@link restoreOptions} says for the loaded shell.
 */
export function prologue(invocation: Invocation, paths: EventPaths, restoration: string): string {
  let exports = "";
  for (const [header, value] of invocation.headers) {
    const name = variableName(header);
    if (name === undefined || value === "") continue;
    const assigned = `=${quote(value)}`;
    exports += ` ${name}${assigned}`;
    if (header === TRACE_HEADER) exports += ` ${TRACE_VARIABLE}${assigned}`;
  }
  const redirections = `\\exec <${paths.input} >${paths.output}`;
  return `${redirections}\n${unsetKnown()}\n\\export${exports}\n${restoration}\n`;
}

/**
 * A prologue and the call of a handler function, with the event as its only argument: in one buffer,
 * since an event may be a good part of the memory.
 */
export function callFunction(lines: string, name: string, event: Uint8Array): Buffer {
  const before = `${lines}\\${name} `;
  const bytes = Buffer.from(event.buffer, event.byteOffset, event.byteLength);
  if (!isPlain(bytes)) {
    return Buffer.from(
      `${before}${quote(bytes.toString("latin1").replaceAll("\0", ""))}\n`,
      "latin1",
    );
  }
  const script = Buffer.allocUnsafe(before.length + bytes.length + "''\n".length);
  script.write(`${before}'`, 0, "latin1");
  bytes.copy(script, before.length + 1);
  script.write("'\n", script.length - 2, "latin1");
  return script;
}

/** A prologue and the replacement of the forked shell by a handler file. */
export function execFile(lines: string, command: readonly string[]): Buffer {
  const call = Buffer.from(`\\exec ${command.map(quote).join(" ")}\n`);
  return Buffer.concat([Buffer.from(lines, "latin1"), call]);
}

/** `lambda-runtime-trace-id` is exported as `LAMBDA_RUNTIME_TRACE_ID`; undefined if it is not to be. */
function variableName(header: string): string | undefined {
  const names = variableNames();
  let name = names.get(header);
  if (name === undefined && !names.has(header)) {
    name = isMetadata(header) ? upperName(header) : undefined;
    if (names.size < VARIABLE_NAMES_MAX) names.set(header, name);
  }
  return name;
}

function isMetadata(header: string): boolean {
  if (!header.startsWith(INVOCATION_HEADER_PREFIX)) return false;
  // One search instead of a look at each letter: the first event waits for this.
  if (knownLines().includes(`\r\n${header}\r\n`)) return true;
  for (let index = 0; index < header.length; index += 1) {
    if (!HEADER_LETTERS.includes(header.charAt(index))) return false;
  }
  return true;
}

function upperName(header: string): string {
  return header.toUpperCase().replaceAll("-", "_");
}

/** The command by which a fork undoes what the fork server has changed for itself. */
export function restoreOptions(state: ShellState): string {
  const { flags, isBash, isPosix, posixlyCorrect, traps } = state;
  let letters = "";
  for (const letter of RESTORED_FLAGS) if (flags.includes(letter)) letters += letter;
  let commands = letters === "" ? "" : `\\set -${letters}; `;
  if (posixlyCorrect === undefined) commands += "\\unset POSIXLY_CORRECT";
  else commands += `\\export POSIXLY_CORRECT=${quote(posixlyCorrect)}`;
  // A bash that runs as `sh` was in POSIX mode without the variable.
  if (isPosix && posixlyCorrect === undefined) commands += "; \\set -o posix";
  if (isBash) commands += restoreBashOptions(state);
  // A DEBUG trap sees each command behind it, and so does tracing.
  for (const trap of traps) commands += `; \\trap -- ${trap}`;
  return flags.includes("x") ? `${commands}; \\set -x` : commands;
}

/** Commands for what POSIX mode has changed, each behind a `;`: the fork server has turned it on. */
function restoreBashOptions({ bashOptions, isPosix }: ShellState): string {
  // In POSIX mode these three are on, but bash says so in BASHOPTS only after a first shopt.
  const isNoted = ["expand_aliases", "inherit_errexit", "shift_verbose"].some((name) =>
    bashOptions.includes(name),
  );
  if (isPosix && !isNoted) return "";
  let on = "";
  let off = "";
  for (const [name, isLeftOn] of POSIX_MODE_OPTIONS) {
    const isWanted = bashOptions.includes(name);
    if (isWanted === (isPosix || isLeftOn)) continue;
    if (isWanted) on += ` ${name}`;
    else off += ` ${name}`;
  }
  return `${on === "" ? "" : `; \\command shopt -s${on}`}${off === "" ? "" : `; \\command shopt -u${off}`}`;
}
