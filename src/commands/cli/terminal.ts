/**
 * Lines for the person at the terminal: on standard error, coloured only where that is seen.
 *
 * @module
 */

import { dlopen } from "bun:ffi";
import { closeSync, constants, openSync } from "node:fs";
import { isatty } from "node:tty";
import { styleText } from "node:util";

import type { LogLevel } from "../../host/invocation/platform-log.ts";

let asJson = false;

/** From now on messages are JSON, one a line, as all of the log is. */
export function printMessagesAsJson(): void {
  asJson = true;
}

/** Prints a message after its level; one that only informs stands alone. */
export function say(level: LogLevel, message: string): void {
  void logOut(`${asJson ? jsonMessage(level, message) : labelled(level, message)}\n`);
}

let taken: Promise<void> = Promise.resolve();

/** Writes to standard error; see {@link logTaken}. */
export function logOut(text: string | Uint8Array): Promise<void> {
  taken = written(process.stderr, text);
  return taken;
}

/**
 * Fulfilled when all that was written there has been taken, or cannot be. A function writes its log faster than
 * a terminal shows it, and what waits for that would be in memory.
 */
export function logTaken(): Promise<void> {
  return taken;
}

/** What waits for a stream to take what was written, and how much that has taken. */
interface Output {
  readonly waiting: Set<() => void>;
  writesTaken: number;
  /** True when nobody reads it, and nothing more is written. */
  isAbandoned: boolean;
  hasFailed: boolean;
}

const outputs = new Map<NodeJS.WriteStream, Output>();

function outputOf(stream: NodeJS.WriteStream): Output {
  const known = outputs.get(stream);
  if (known !== undefined) return known;
  const made: Output = { waiting: new Set(), writesTaken: 0, isAbandoned: false, hasFailed: false };
  outputs.set(stream, made);
  return made;
}

/** Writes to a stream; fulfilled when that has been taken, or cannot be. */
export function written(stream: NodeJS.WriteStream, bytes: string | Uint8Array): Promise<void> {
  return whenTaken(stream, (taken) => void stream.write(bytes, taken));
}

/** Closes a stream; fulfilled when all that was written there has been taken, or cannot be. */
export function closed(stream: NodeJS.WriteStream): Promise<void> {
  return whenTaken(stream, (taken) => {
    // Bun calls nobody back of one that has had an error.
    if (outputOf(stream).hasFailed) taken();
    // The event of an error comes after this call, and guardOutput() speaks then.
    else stream.end(() => setImmediate(taken));
  });
}

/** Notes that a stream could not be written once; it may be again, as a disk that was full. */
export function noteFailure(stream: NodeJS.WriteStream): void {
  outputOf(stream).hasFailed = true;
}

function whenTaken(stream: NodeJS.WriteStream, write: (taken: () => void) => void): Promise<void> {
  const output = outputOf(stream);
  const { promise, resolve } = Promise.withResolvers<void>();
  if (output.isAbandoned) {
    resolve();
    return promise;
  }
  output.waiting.add(resolve);
  write(() => {
    output.writesTaken += 1;
    output.waiting.delete(resolve);
    resolve();
  });
  return promise;
}

/** fcntl(2)'s command that sets the flags of open(2). */
const F_SETFL = 4;

/**
 * Has this process never wait for a terminal. One that is stopped (Ctrl-S), or whose connection hangs, takes nothing;
 * in a write(2) that waits for it no signal reaches us, and no caller gets a response. To be called before anything
 * uses the streams.
 *
 * The flag for that is shared with all that have the terminal by the same open(2), such as the shell, so it is opened
 * again. Bun clears the flag when it makes a stream, and keeps what is not taken when it is set after that (measured).
 */
export function neverWaitForTerminal(): void {
  const terminals = ([1, 2] as const).filter((descriptor) => isatty(descriptor));
  if (process.platform !== "linux" || terminals.length === 0) return;
  const { symbols } = dlopen("libc.so.6", {
    dup2: { args: ["i32", "i32"], returns: "i32" },
    fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  });
  const flags = constants.O_WRONLY | constants.O_NONBLOCK;
  for (const descriptor of terminals) {
    try {
      const again = openSync(`/proc/self/fd/${descriptor}`, flags | constants.O_NOCTTY);
      symbols.dup2(again, descriptor);
      closeSync(again);
    } catch {
      // It is another user's, as after su: it is waited for.
      continue;
    }
    const stream = descriptor === 1 ? process.stdout : process.stderr;
    symbols.fcntl(stream.fd, F_SETFL, flags);
  }
}

/** How long a command that is told to end waits for somebody to read on, in milliseconds, and how often it looks. */
const UNREAD_MS = 3_000;
const LOOK_MS = 500;

/**
 * From now on a stream of which nothing is taken for a while is given up, with all that it has not taken: a command
 * that somebody wants to end must not wait for a reader that has stopped.
 */
export function abandonUnread(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const output = outputOf(stream);
    let taken = output.writesTaken;
    let sinceMs = performance.now();
    const look = () => {
      // Bun tells of a pipe only what is taken whole, and not how much waits for it.
      if (output.waiting.size === 0 || output.writesTaken !== taken) sinceMs = performance.now();
      else if (performance.now() - sinceMs >= UNREAD_MS) abandon(output);
      taken = output.writesTaken;
    };
    setInterval(look, LOOK_MS).unref();
  }
}

/** Whether a stream has been given up with what it had not taken. */
export function isAbandoned(stream: NodeJS.WriteStream): boolean {
  return outputOf(stream).isAbandoned;
}

function abandon(output: Output): void {
  output.isAbandoned = true;
  for (const resolve of output.waiting) resolve();
  output.waiting.clear();
}

const COLOURS = { error: "red", warning: "yellow", hint: "cyan" } as const;

function labelled(level: LogLevel, message: string): string {
  if (level === "info") return message;
  return `${styleText([COLOURS[level]], `${level}:`, { stream: process.stderr })} ${message}`;
}

function jsonMessage(level: LogLevel, message: string): string {
  const record = { level, message: message.trim() };
  return JSON.stringify({ time: new Date().toISOString(), type: "tool", record });
}
