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
/** Longest error message, in UTF-16 units. */
const MESSAGE_LENGTH_MAX = 2048;

const SIGKILL = 9;
const EXIT_HINTS: Readonly<Record<number, string>> = {
  126: " (a command was not executable)",
  127: " (a command was not found)",
};

/** Linux's signals, the first being number 1. */
const signalNames = lazy(() =>
  (
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP " +
    "TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
  ).split(" "),
);

/** Reads a shell's `$?`, in which an exit status and a signal share one number. */
export function exitStatusOf(shellStatus: number): ExitStatus {
  const signal = shellStatus - SIGNAL_STATUS_BASE;
  return signal >= 1 && signal <= signalNames().length
    ? { kind: "signaled", signal }
    : { kind: "exited", status: shellStatus };
}

/**
 * The error of a handler that ended as given.
 * @param who What ended, as the beginning of a sentence.
 * @param lastLines The end of its standard error, oldest line first.
 */
export function exitError(
  who: string,
  end: ExitStatus,
  lastLines: readonly string[],
): FunctionError {
  const lastLine = lastLines.at(-1) ?? "";
  // A last line that names the error itself, so that callers can catch it.
  const named = /^([A-Za-z][A-Za-z0-9_.]*(?:Error|Exception)): (.+)$/s.exec(lastLine);
  if (named !== null) {
    const [, errorType = "", errorMessage = ""] = named;
    return { errorMessage: bounded(errorMessage), errorType, stackTrace: lastLines };
  }
  const errorMessage = bounded(
    lastLine === "" ? describeEnd(who, end) : `${describeEnd(who, end)}: ${lastLine}`,
  );
  const errorType: InvocationErrorType =
    end.kind === "exited" ? "Function.ExitError" : "Function.KilledBySignal";
  return { errorMessage, errorType, stackTrace: lastLines };
}

/** Says in words how something ended, with what is likely behind it. */
export function describeEnd(who: string, end: ExitStatus): string {
  if (end.kind === "exited") {
    return `${who} exited with status ${end.status}${EXIT_HINTS[end.status] ?? ""}`;
  }
  const shortName = signalNames()[end.signal - 1];
  const name = shortName === undefined ? "a signal" : `SIG${shortName}`;
  const hint = end.signal === SIGKILL ? ": if it was out of memory, raise the memory size" : "";
  const status = SIGNAL_STATUS_BASE + end.signal;
  return `${who} was killed by ${name} (signal ${end.signal}, exit status ${status})${hint}`;
}

function bounded(message: string): string {
  return message.length <= MESSAGE_LENGTH_MAX
    ? message
    : `${message.slice(0, MESSAGE_LENGTH_MAX)}…`;
}
