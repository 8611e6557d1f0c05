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
/** What a shell says that another than bash does not know. */
const FOR_BASH = "only bash knows that: begin the file with #!/bin/bash";
/** Longest error message, in UTF-16 units. */
const MESSAGE_LENGTH_MAX = 2048;

const SIGKILL = 9;
/** A command that could not be executed, or was not found. */
const NOT_EXECUTED = 126;
const NOT_FOUND = 127;
/** With this status bash ends in POSIX mode at a name that it would take, or pass over, elsewhere. */
const POSIX_MODE_FAULT = 2;
/** The status of timeout(1), which says nothing. */
const TIMED_OUT = 124;
/** Why, by the words of a shell, most specific first. */
const reasons = lazy((): readonly (readonly [RegExp, string])[] => [
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
]);

/** What to do about what shells say, whatever their status then is. */
const advice = lazy((): readonly (readonly [RegExp, string])[] => [
  [
    /(?:\r|\\r'): .*(?:not found|No such file)|\r'$/,
    "a script has CRLF line ends: convert it to LF, for example with sed -i 's/\\r$//'",
  ],
  [
    /: (?:\.|source): (?:line \d+: )?[^/: ]+: (?:file not found|not found|No such file|cannot open \[No such)/,
    "a file's name without a slash is looked for in PATH: write ./ before it",
  ],
  [
    /: (?:\[\[|compgen|declare|function|let|mapfile|popd|pushd|readarray|shopt|source|typeset): not found$/,
    FOR_BASH,
  ],
  [
    /: set: (?:line \d+: )?[Ii]llegal option -(?:[BEHPTkt]|o (?:errtrace|functrace|pipefail|posix))$/,
    FOR_BASH,
  ],
  [/: read: (?:line \d+: )?[Ii]llegal option -[adeinNpstu]$|: Bad substitution$/, FOR_BASH],
]);

/** How bash begins what it says. It ends with 127 for more than these reasons: for `${NAME:?}`, and in POSIX mode for 1/0. */
const BASH_MESSAGE = /: line \d+: /;

/** Linux's signals, the first being number 1. */
const signalNames = lazy(() =>
  (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP " +
    "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
  ).split(" "),
);

/** Why a script has the status of a signal, which may be that of a command in it, by the signal's number. */
const causes = lazy(
  () =>
    new Map([
      [1, "or a program ended with this status, as git does when its arguments are wrong"],
      [4, "a program may be built for another processor"],
      [11, "a program has a fault, or a function calls itself without end"],
      [
        13,
        "a program wrote to a pipe that nobody reads any more, as in yes | head -1 with pipefail",
      ],
    ]),
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
  /** How to find out more where all of these are empty. */
  readonly remedy: string;
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
  const { lines } = lastWords;
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
    errorMessage: bounded(`${how}${reasonOf(lastLine, lastWords)}`),
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

/** What a handler said last, and did last if it said nothing of that. */
function reasonOf(lastLine: string, { output, command, remedy }: LastWords): string {
  if (lastLine !== "") return `: ${lastLine}`;
  // By these it has ended itself, after it had said why.
  const isExplained = output !== "" && /^(?:exit|return)\b/.test(command);
  const did = command === "" || isExplained ? "" : `; its last command: ${command}`;
  if (output !== "") return `: ${output}${did}`;
  return did === "" && remedy !== "" ? `; ${remedy}` : did;
}

/**
 * Says in words how something ended, with its likely cause.
 * @param lastLine The last line of a script's standard error; undefined of what is not a script.
 */
export function describeEnd(who: string, end: ExitStatus | LostStatus, lastLine?: string): string {
  if (end.kind === "lost") {
    return (
      `${who} has ended, but a program that reads from its standard output ` +
      "(/dev/stdout, /proc/self/fd/1) has read its exit status, too: it must only write there"
    );
  }
  if (end.kind === "exited")
    return `${who} exited with status ${end.status}${hint(end.status, lastLine ?? "")}`;
  const shortName = signalNames()[end.signal - 1];
  const name = shortName === undefined ? "a signal" : `SIG${shortName}`;
  const status = SIGNAL_STATUS_BASE + end.signal;
  const cause = causeOf(end.signal, lastLine !== undefined);
  return `${who} was killed by ${name} (signal ${end.signal}, exit status ${status})${cause}`;
}

function causeOf(signal: number, isOfScript: boolean): string {
  if (signal === SIGKILL) return ": if it was out of memory, raise the memory size";
  const cause = isOfScript ? causes().get(signal) : undefined;
  return cause === undefined ? "" : `: ${cause}`;
}

function hint(status: number, lastLine: string): string {
  const todo = advice().find(([words]) => words.test(lastLine))?.[1];
  if (todo !== undefined) return ` (${todo})`;
  if (status === POSIX_MODE_FAULT && / line \d+: `[^']*': not a valid identifier$/.test(lastLine))
    return " (only bash has functions of such a name: begin the file with #!/bin/bash)";
  if (status === TIMED_OUT) return " (the status of timeout, when its time is over)";
  if (status !== NOT_EXECUTED && status !== NOT_FOUND) return "";
  const reason = reasons().find(([words]) => words.test(lastLine))?.[1];
  if (reason !== undefined) return ` (${reason})`;
  if (BASH_MESSAGE.test(lastLine)) return "";
  return status === NOT_FOUND
    ? " (which shells use for a command that was not found)"
    : " (which shells use for a command that could not be executed)";
}

/** A message, cut where it is too long for one. */
export function bounded(message: string): string {
  if (message.length <= MESSAGE_LENGTH_MAX) return message;
  // A character of two units is not cut: strict readers of JSON refuse a half.
  const kept = message.slice(0, MESSAGE_LENGTH_MAX).replace(/[\ud800-\udbff]$/, "");
  return `${kept}…`;
}
