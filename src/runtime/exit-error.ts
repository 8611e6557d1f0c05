/**
 * Turns the end of a handler into the error that its caller sees, most specific cause first.
 *
 * @module
 */

import type { FunctionError, InvocationErrorType } from "../runtime-api/function-error.ts";
import { lazy } from "./lazy.ts";
import type { ExitStatus } from "./process.ts";

/** Shells report death by signal N as exit status 128 + N. */
const SIGNAL_STATUS_BASE = 128;
/** Above all exit statuses: ksh93 reports it as 256 + N. */
const KSH93_STATUS_BASE = 256;
/** Longest error message, in UTF-16 units. */
const MESSAGE_LENGTH_MAX = 2048;

const SIGKILL = 9;
/** A command that could not be executed, or was not found. */
const NOT_EXECUTED = 126;
const NOT_FOUND = 127;
/** Why, by the words of a shell, most specific first. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /Argument list too long/,
    "an argument, or the environment, was too long for a program: give it on standard input",
  ],
  [
    /Exec format error|cannot execute binary file|not executable: .*ELF/,
    "a program for another processor, or a script without a #! line",
  ],
  [/required file not found|bad interpreter/, "the interpreter of a script was not found"],
  [/Is a directory/, "a folder is not a command"],
  [/Not a directory/, "a command was not found: a part of its path is not a folder"],
  [/Text file busy/, "a program was still open for writing"],
  [/Permission denied|cannot execute/, "a command was not executable"],
  [
    /\/[^:]*: (?:inaccessible or )?(?:not found|No such file)/,
    "a command, or the interpreter of a script, was not found",
  ],
  [/not found|No such file/, "a command was not found"],
  // Bash ends with 127 then while it loads a file.
  [/unbound variable$/, "an unset variable, under set -u"],
];

/** How bash begins what it says. It ends with 127 for more than these reasons: for `${NAME:?}`, and in POSIX mode for 1/0. */
const BASH_MESSAGE = /: line \d+: /;

/** What shells say of a script that was saved on Windows, whatever their status then is. */
const CARRIAGE_RETURN = /(?:\r|\\r'): .*(?:not found|No such file)|\r'$/;

/** Linux's signals, the first being number 1. */
const signalNames = lazy(() =>
  (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP " +
    "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
  ).split(" "),
);

/** The end of a handler whose status another program has read from the pipe of its output. */
export interface LostStatus {
  readonly kind: "lost";
}

/** Reads a shell's `$?`, in which an exit status and a signal share one number. */
export function exitStatusOf(shellStatus: number): ExitStatus {
  if (shellStatus > KSH93_STATUS_BASE) {
    return { kind: "signaled", signal: shellStatus - KSH93_STATUS_BASE };
  }
  const signal = shellStatus - SIGNAL_STATUS_BASE;
  return signal >= 1 && signal <= signalNames().length
    ? { kind: "signaled", signal }
    : { kind: "exited", status: shellStatus };
}

/** What is known of the end of a handler besides its status. */
export interface LastWords {
  /** The end of its standard error, oldest line first. */
  readonly lines: readonly string[];
  /** The last line of its standard output; empty if there is none. */
  readonly output: string;
  /** The last command that its shell began, with the function; empty if it is not known. */
  readonly command: string;
}

/**
 * The error of a handler that ended as given.
 * @param who What ended, as the beginning of a sentence.
 */
export function exitError(
  who: string,
  end: ExitStatus | LostStatus,
  lastWords: LastWords,
): FunctionError {
  const { lines, output, command } = lastWords;
  const lastLine = lastLineOf(lines);
  // A last line that names the error itself, so that callers can catch it.
  const named = /^([A-Za-z][A-Za-z0-9_.]*(?:Error|Exception)): (.+)$/s.exec(lastLine);
  if (named !== null) {
    const [, errorType = "", errorMessage = ""] = named;
    return { errorMessage: bounded(errorMessage), errorType, stackTrace: lines };
  }
  const how = describeEnd(who, end, lastLine);
  const errorType: InvocationErrorType =
    end.kind === "signaled" ? "Function.KilledBySignal" : "Function.ExitError";
  return {
    errorMessage: bounded(`${how}${reasonOf(lastLine, output, command)}`),
    errorType,
    stackTrace: lines,
  };
}

/** The last line; but after the reason why exec cannot run a program some versions of bash add "Success". */
function lastLineOf(lines: readonly string[]): string {
  const last = lines.at(-1) ?? "";
  const before = lines.at(-2) ?? "";
  return last.endsWith(": Success") && before.startsWith(last.slice(0, -"Success".length))
    ? before
    : last;
}

/** What a handler said last, or did last if it said nothing. */
function reasonOf(lastLine: string, output: string, command: string): string {
  if (lastLine !== "") return `: ${lastLine}`;
  if (output !== "") return `: ${output}`;
  return command === "" ? "" : `; its last command: ${command}`;
}

/**
 * Says in words how something ended, with its likely cause.
 * @param lastLine The last line of its standard error.
 */
export function describeEnd(who: string, end: ExitStatus | LostStatus, lastLine = ""): string {
  if (end.kind === "lost") {
    return (
      `${who} has ended, but a program that reads from its standard output ` +
      "(/dev/stdout, /proc/self/fd/1) has read its exit status, too: it must only write there"
    );
  }
  if (end.kind === "exited")
    return `${who} exited with status ${end.status}${hint(end.status, lastLine)}`;
  const shortName = signalNames()[end.signal - 1];
  const name = shortName === undefined ? "a signal" : `SIG${shortName}`;
  const cause = end.signal === SIGKILL ? ": if it was out of memory, raise the memory size" : "";
  const status = SIGNAL_STATUS_BASE + end.signal;
  return `${who} was killed by ${name} (signal ${end.signal}, exit status ${status})${cause}`;
}

function hint(status: number, lastLine: string): string {
  if (CARRIAGE_RETURN.test(lastLine)) {
    return " (a script has CRLF line ends: convert it to LF, for example with sed -i 's/\\r$//')";
  }
  if (status !== NOT_EXECUTED && status !== NOT_FOUND) return "";
  const reason = REASONS.find(([words]) => words.test(lastLine))?.[1];
  if (reason !== undefined) return ` (${reason})`;
  if (BASH_MESSAGE.test(lastLine)) return "";
  return status === NOT_FOUND
    ? " (which shells use for a command that was not found)"
    : " (which shells use for a command that could not be executed)";
}

function bounded(message: string): string {
  if (message.length <= MESSAGE_LENGTH_MAX) return message;
  // A character of two units is not cut: strict readers of JSON refuse a half.
  const kept = message.slice(0, MESSAGE_LENGTH_MAX).replace(/[\ud800-\udbff]$/, "");
  return `${kept}…`;
}
