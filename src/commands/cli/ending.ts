/**
 * How a command ends: by a failure, with one message and the status that the documents promise; when
 * its output takes nothing more; by a signal.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { constants } from "node:os";

import { CommanderError } from "commander";

import { CommandError, EXIT } from "./exit-status.ts";
import {
  abandonUnread,
  closed,
  isAbandoned,
  neverWaitForTerminal,
  noteFailure,
  say,
} from "./terminal.ts";

/**
 * Says what went wrong and returns the exit status.
 * @throws What is not the user's or the system's fault but a bug, as it came, so that its stack is seen.
 */
export function reportFailure(error: unknown): number {
  // Help and version come this way too; commander has said all.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CommandError) {
    say("error", `${error.message}`);
    return error.exitStatus;
  }
  const fault = systemFault(error);
  if (fault === undefined) throw error;
  say("error", `failed to ${attemptedCall(error)}: ${fault.fact}`);
  return faultStatus(fault.code);
}

/** The exit status for a refusal of the operating system. */
function faultStatus(code: string): number {
  if (code === "EPIPE") return EXIT.outputClosed;
  return NETWORK_CODES.has(code) ? EXIT.unreachable : EXIT.usage;
}

const NETWORK_CODES = new Set([
  "EADDRINUSE",
  "EADDRNOTAVAIL",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "ETIMEDOUT",
]);

/** A refusal of the operating system. */
interface SystemFault {
  /** Its name in errno(3), such as `ENOENT`. */
  readonly code: string;
  /** What is the matter, without the path. */
  readonly fact: string;
}

/** Where the system's own words would not help. */
const FACTS: Readonly<Record<string, string>> = {
  EISDIR: "it is a folder, not a file",
  ENOENT: "no such file or folder",
  ENOTDIR: "not a directory",
};

/** Reads a refusal from an error; nothing when the error is of another kind. */
export function systemFault(error: unknown): SystemFault | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const { code, message } = error;
  // `ERR_…` is what the libraries call misuse.
  if (typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return undefined;
  const words = message.replace(`${code}: `, "").replace(/, [a-z]+( '.*')?$/, "");
  return { code, fact: FACTS[code] ?? words };
}

/** What was being done, as far as the error tells: `open function.sh`. */
function attemptedCall(error: unknown): string {
  if (!(error instanceof Error)) return "go on";
  const syscall = "syscall" in error ? String(error.syscall) : "go on";
  const verb = syscall === "scandir" ? "list" : syscall;
  return "path" in error && error.path !== undefined ? `${verb} ${String(error.path)}` : verb;
}

const kills = new Set<() => void>();

/** Has something killed that runs, such as a host, when the output ends before the command does. */
export function endWithOutput(kill: () => void): void {
  kills.add(kill);
}

/**
 * From now on the command ends when its output cannot be written: without a word when nobody reads
 * it any more (`| head`), with one when it has no place (a full disk).
 */
export function guardOutput(): void {
  neverWaitForTerminal();
  if (isClosed(STDOUT)) {
    process.stdout.write = () => end(EXIT.usage, "failed to write standard output: it is closed");
  }
  process.stdout.on("error", (error: unknown) => {
    const { code, fact } = systemFault(error) ?? { code: "", fact: String(error) };
    end(faultStatus(code), `failed to write standard output: ${fact}`);
  });
  process.stderr.on("error", (error: unknown) => {
    noteFailure(process.stderr);
    // There is no place left to say anything else, and the payloads may still be wanted.
    if (systemFault(error)?.code === "EPIPE") end(EXIT.outputClosed, "");
  });
}

const STDOUT = 1;

/** Closed on the next exec(2), in the flags of /proc. */
const O_CLOEXEC = 0o2000000;

/** The bits of those flags that tell whether it is read or written, and how the latter alone is written. */
const O_ACCMODE = 0o3;
const O_WRONLY = 0o1;

/**
 * Whether this process was started with a descriptor closed (`>&-`). Bun opens /dev/null in its place, so
 * that what is written there would be lost without a word, and what is read would seem to be empty. No
 * descriptor that was inherited closes on exec.
 */
export function isClosed(descriptor: number): boolean {
  return (openFlags(descriptor) & O_CLOEXEC) !== 0;
}

/**
 * Whether a descriptor is open for writing alone, as the standard input of `nohup` at a terminal is. Some versions of
 * Bun try to read from it without end.
 */
export function isForWriting(descriptor: number): boolean {
  return (openFlags(descriptor) & O_ACCMODE) === O_WRONLY;
}

/** The flags of open(2) with which a descriptor was opened; 0 where there is no /proc. */
function openFlags(descriptor: number): number {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${descriptor}`, "utf8");
    return Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)?.[1] ?? "0", 8);
  } catch {
    return 0;
  }
}

function end(status: number, message: string): never {
  for (const kill of kills) kill();
  if (status !== EXIT.outputClosed) say("error", message);
  process.exit(status);
}

/**
 * Ends the process with a status as soon as what it has printed is written: a command that failed may have
 * left a server open, with which the process would live on, and say nothing. One that a signal has ended does
 * not wait for a reader that has stopped.
 */
export async function endAfterOutput(status: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr]) await closed(stream);
  for (const kill of kills) kill();
  // What standard output has lost is not a success.
  process.exit(isAbandoned(process.stdout) ? (signalStatus ?? status) : status);
}

/** Signals by which somebody ends a command: Ctrl-C, a closed terminal, a service manager. */
const ENDING_SIGNALS = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
] as const satisfies readonly NodeJS.Signals[];

/** 128 and the number of the first signal that came. */
let signalStatus: number | undefined;

/**
 * Calls back on the first signal of {@link ENDING_SIGNALS}; the second ends the process at once.
 * @returns A function that tells the exit status of the signal that came, 128 and its number, if one did.
 */
export function onInterrupt(stop: () => void, kill: () => void = stop): () => number | undefined {
  let status: number | undefined;
  for (const signal of ENDING_SIGNALS) {
    // Who starts us with `nohup` wants us to outlive the terminal.
    if (signal === "SIGHUP" && isIgnored(signal)) continue;
    process.on(signal, () => {
      const exitStatus = 128 + constants.signals[signal];
      if (status !== undefined) {
        kill();
        process.exit(exitStatus);
      }
      status = exitStatus;
      signalStatus ??= exitStatus;
      abandonUnread();
      stop();
    });
  }
  return () => status;
}

/** Whether this process was started with a signal ignored. */
function isIgnored(signal: NodeJS.Signals): boolean {
  try {
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    const bit = 1n << BigInt(constants.signals[signal] - 1);
    return (BigInt(`0x${mask ?? "0"}`) & bit) !== 0n;
  } catch {
    return false;
  }
}

/** The wish that a server ends. */
export interface StopSignal {
  /** Fulfilled when it has come. */
  readonly arrived: Promise<void>;
  readonly hasArrived: () => boolean;
}

/** Watches for the first signal that ends a command; the second kills and ends the process at once. */
export function stopSignal(kill: () => void): StopSignal {
  const { promise, resolve } = Promise.withResolvers<void>();
  const status = onInterrupt(resolve, kill);
  return { arrived: promise, hasArrived: () => status() !== undefined };
}
