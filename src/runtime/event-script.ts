/**
 * Writes the few lines of shell that a fork runs for one event.
 *
 * Every value is quoted (quote.ts), so that a shell evaluates nothing in it; every command is a special
 * builtin with a backslash, which neither an alias nor a function can replace. Text is latin1, one
 * character a byte, so that values arrive as they came.
 *
 * @module
 */

import { HEADER, INVOCATION_HEADER_PREFIX } from "../runtime-api/contract.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { latin1Bytes, latin1Of, utf8Bytes } from "./bytes.ts";
import { callOf, SENT_BYTES_MAX } from "./fork-server-protocol.ts";
import { lazy } from "./lazy.ts";
import { isPlain, quote } from "./quote.ts";

/** Where the event's data is, as paths that the shell can open. */
export interface EventPaths {
  /** The event's bytes: the handler's standard input. */
  readonly input: string;
  /** The pipe of the handler's standard output. */
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
  /** Traps that the loaded shell was relieved of, each as the words after `trap --`. */
  readonly traps: readonly string[];
  /** Whether it may have a variable that an event sets: by the script, or by its environment. */
  readonly mayHaveEventVariables: boolean;
  /** Of the variables that an event sets, those that the script has made readonly. */
  readonly readonlyNames: readonly string[];
  /** Of the handler and the builtins that are used for an event, those that are functions, where it is known. */
  readonly functionNames: readonly string[];
  /** Builtins of bash that the script has disabled, where it is known. */
  readonly disabledBuiltins: readonly string[];
}

/** Most header names that are remembered. */
const VARIABLE_NAMES_MAX = 64;
const HEADER_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-";
const TRACE_HEADER = HEADER.traceId.toLowerCase();
const TRACE_VARIABLE = "_X_AMZN_TRACE_ID";
/** Options that the fork server turns off for itself, but for x, which traces what follows. */
const RESTORED_FLAGS = ["a", "b", "C", "e", "k", "m", "u", "v"];
/** The option that it turns on: an event is not a pattern, and bash looks at each of its bytes for one. */
const NO_PATTERNS = "f";
/**
 * Longest event, in bytes, that always becomes a positional parameter before the call. A longer one may
 * stand in the call itself, although messages of some shells then name our file: expanding one of 6 MB takes a
 * sixth of the time that reading it takes bash, three quarters of what it takes dash (measured).
 */
const PARAMETER_BYTES_MAX = 32 * 1024;
/** Bash's options that POSIX mode turns on, with how leaving the mode leaves them. */
const POSIX_MODE_OPTIONS = [
  ["expand_aliases", false],
  ["inherit_errexit", true],
  ["interactive_comments", true],
  ["shift_verbose", false],
  ["sourcepath", true],
] as const;

/**
 * Ends with the handler's status in ksh93, which has 256 and its number for a signal: of that exit would keep the
 * number alone. A function may have returned more.
 */
const EXIT_AS_SHELL = 'exit "$(($? > 256 && $? < 321 ? $? - 128 : $?))"';

/** What shells say of a function; mksh says more of one that has been marked by typeset. */
export const SAID_OF_FUNCTIONS = [
  "a function",
  "a shell function",
  "a traced function",
  "an exported function",
  "an exported traced function",
];

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
/** The variables of the known headers: a script, or an event before, may have set what an invocation has not. */
const knownVariables = lazy(() => [
  ...upperName(KNOWN_HEADERS.join(" ")).split(" "),
  TRACE_VARIABLE,
]);
/** The known headers in lower case, each between line ends, which no header has in its name. */
const knownLines = lazy(() => `\r\n${KNOWN_HEADERS.join("\r\n")}\r\n`.toLowerCase());
/** Headers, in lower case, with their variables, if any: a dozen come with every event. */
const variableNames = lazy(() => new Map<string, string | undefined>());

/** Writes the scripts of a loaded shell's events. */
export class EventScripts {
  readonly #state: ShellState;
  /** A function's call, up to its argument. */
  readonly #call: string;
  /** What gives the handler the state that the script has left. */
  readonly #restoration: string;
  /** The same without what reports an event's last command. */
  readonly #hookRestoration: string;
  /** What ends a fork with the status of what was run last. */
  readonly #exit: string;
  /** The same after a call in a file. */
  readonly #end: string;
  readonly #trapsErrors: boolean;
  readonly #unset: string;
  /** Whether every event is a positional parameter; found out when a long one comes, not while the start waits. */
  readonly #isCalledAfterFile: () => boolean;

  /**
   * @param functionName The handler; undefined if it is a file.
   * @param exitReport A command that is run before what restores the script's state; empty for none.
   * @param seesCall Whether the script may see from where its function is called: by a trap, FUNCNAME, or set -v.
   * @param trapsErrors Whether the handler may set an ERR trap of its own.
   */
  constructor(
    functionName: string | undefined,
    state: ShellState,
    exitReport: string,
    seesCall = () => false,
    trapsErrors = false,
  ) {
    this.#trapsErrors = trapsErrors;
    // Of a call in a file the report would tell the file, not the command in it.
    this.#isCalledAfterFile = lazy(() => exitReport !== "" || seesCall());
    this.#state = state;
    this.#call = functionName === undefined ? "" : callOf(latin1Of(functionName));
    this.#hookRestoration = restoration(state);
    this.#restoration = `${exitReport}${exitReport === "" ? "" : "; "}${this.#hookRestoration}`;
    // Of all shells but bash, ksh93 and mksh have the option h.
    this.#exit = !state.isBash && state.flags.includes("h") ? EXIT_AS_SHELL : "exit";
    this.#end = `{ ${escapedBuiltin(state)}${this.#exit}; } 2>/dev/null\n`;
    // Bash takes 50 µs for it (measured).
    this.#unset = state.mayHaveEventVariables ? unsetting(state.readonlyNames) : "";
  }

  /** The call of a handler function, with the event as its only argument. */
  callFunction(invocation: Invocation, paths: EventPaths): readonly Uint8Array[] {
    const lines = this.#prologue(invocation, paths);
    const { event } = invocation;
    if (event.length > PARAMETER_BYTES_MAX && !this.#isCalledAfterFile()) {
      // After the handler has returned the file is at its end, and nothing after it may be run.
      const after = `\n${this.#end}`;
      return joined(`${lines}${this.#restoration}${this.#call} `, event, after);
    }
    // The fork server's text calls it, so that BASH_COMMAND is what fails in it. But mksh, which has the option h,
    // runs no ERR trap for the last command of a fork.
    const { isBash, flags } = this.#state;
    const mayTrap = this.#trapsErrors || this.#restoration.includes(" ERR; ");
    const isLast = isBash || !flags.includes("h") || !mayTrap;
    const call = isLast ? "" : `${this.#call} "$@"; \\${this.#exit}`;
    const commands = quote(`\\shift; ${this.#restoration}${call}`);
    return joined(`${lines}\\set -- ${commands} `, event, "\n");
  }

  /** The replacement of the fork by a handler file. */
  execFile(
    invocation: Invocation,
    paths: EventPaths,
    command: readonly string[],
  ): readonly Uint8Array[] {
    const call = utf8Bytes(`\\exec ${command.map(quote).join(" ")}\n`);
    return [Buffer.concat([latin1Bytes(this.#prologue(invocation, paths)), call])];
  }

  /**
   * Has the loaded shell itself call a function, if it has one of that name; in any case with the state that the
   * script has left, since the shell reports it again.
   */
  callHook(name: string): Buffer {
    const words = SAID_OF_FUNCTIONS.map((said) => quote(`${name} is ${said}`));
    const restored = `\\set --; ${this.#hookRestoration}`;
    // In the background, which is a process of its own also in ksh93: there command may be unset.
    const asked = `\\unset -f command; \\command unalias ${name}; \\command -V ${name}`;
    const description = `$({ ${asked}; } 2>/dev/null &)`;
    // The function's text may come after the words.
    const cases = `${words.join("*|")}*) ${restored}\\${name} ;; *) ${restored};;`;
    const commands = quote(`case ${description} in ${cases} esac`);
    return latin1Bytes(`\\set -- ${commands}\n`);
  }

  /** The lines that prepare a fork, in latin1. */
  #prologue({ headers }: Invocation, { input, output }: EventPaths): string {
    const { readonlyNames } = this.#state;
    let exports = "";
    const add = (name: string, value: string) => {
      if (!readonlyNames.includes(name)) exports += ` ${name}=${quote(value)}`;
    };
    for (const [header, value] of headers) {
      const name = variableName(header);
      if (name === undefined || value === "") continue;
      add(name, value);
      if (header === TRACE_HEADER) add(TRACE_VARIABLE, value);
    }
    // Without a name it would list what is exported.
    const exported = exports === "" ? "" : `\\export${exports}\n`;
    return `\\exec <${input} >${output}\n${this.#unset}${exported}`;
  }
}

/** Text, an event in quotes, and text: a long event as it is between them, since it may be a good part of the memory. */
function joined(before: string, event: Uint8Array, after: string): readonly Uint8Array[] {
  if (!isPlain(event)) {
    const bytes = Buffer.from(event.buffer, event.byteOffset, event.byteLength);
    // NUL is what no shell can hold.
    const quoted = quote(bytes.toString("latin1").replaceAll("\0", ""));
    return [latin1Bytes(before + quoted + after)];
  }
  const pieces = [latin1Bytes(`${before}'`), event, latin1Bytes(`'${after}`)];
  return event.length > SENT_BYTES_MAX ? pieces : [Buffer.concat(pieces)];
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

/** The command by which nothing is left of a known variable that an event does not have. */
function unsetting(readonlyNames: readonly string[]): string {
  let names = "";
  for (const name of knownVariables()) if (!readonlyNames.includes(name)) names += ` ${name}`;
  return names === "" ? "" : `\\unset${names}\n`;
}

/**
 * Commands by which a fork undoes what the fork server has changed for itself, each with a `;` after it.
 *
 * The last ones are what the script would see the others by: a DEBUG trap, and tracing.
 */
function restoration(state: ShellState): string {
  const { flags, isBash, isPosix, traps } = state;
  let letters = "";
  for (const letter of RESTORED_FLAGS) if (flags.includes(letter)) letters += letter;
  const on = letters === "" ? "" : ` -${letters}`;
  const off = flags.includes(NO_PATTERNS) ? "" : ` +${NO_PATTERNS}`;
  const isInherited = flags.includes("T");
  const isSeen = (trap: string) => !trap.endsWith(" ERR");
  let commands = "";
  for (const trap of traps) if (!isSeen(trap)) commands += `\\trap -- ${trap}; `;
  if (on !== "" || off !== "") commands += `\\set${on}${off}; `;
  if (isBash && !isPosix) commands += leavePosixMode(state);
  const escaped = escapedBuiltin(state);
  // A fork has no DEBUG trap, and no RETURN trap, unless it inherits it, by `set -T`.
  for (const trap of traps)
    if (isInherited && isSeen(trap)) commands += `${escaped}trap -- ${trap}; `;
  return flags.includes("x") ? `${commands}${escaped}set -x; ` : commands;
}

/** What leaves POSIX mode, which the fork server has turned on, and the options that it changes. */
function leavePosixMode(state: ShellState): string {
  let on = "";
  let off = "";
  for (const [name, isLeftOn] of POSIX_MODE_OPTIONS) {
    const isWanted = state.bashOptions.includes(name);
    if (isWanted === isLeftOn) continue;
    if (isWanted) on += ` ${name}`;
    else off += ` ${name}`;
  }
  // Without shopt what POSIX mode has changed stays so.
  if (state.disabledBuiltins.includes("shopt")) return "\\set +o posix; ";
  const escaped = escapedBuiltin(state);
  const restoredOn = on === "" ? "" : `${escaped}shopt -s${on}; `;
  const restoredOff = off === "" ? "" : `${escaped}shopt -u${off}; `;
  return `\\set +o posix; ${restoredOn}${restoredOff}`;
}

/**
 * What stands in front of a builtin so that it is not a function: a backslash where only special ones are
 * called and they come first, else another builtin, of which a script has a function more rarely.
 */
function escapedBuiltin({ isBash, isPosix, functionNames, disabledBuiltins }: ShellState): string {
  if (!isBash || isPosix) return "\\";
  const taken = [...functionNames, ...disabledBuiltins];
  if (!taken.includes("command")) return "\\command ";
  return taken.includes("builtin") ? "\\" : "\\builtin ";
}
