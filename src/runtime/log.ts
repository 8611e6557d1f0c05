/**
 * The runtime's own lines on standard error, and the frame that handlers' lines get in JSON.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
 * @module
 */

import { latin1Bytes } from "./bytes.ts";
import { sleep, tryLock, unlock, writeAll } from "./libc.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Lambda's log levels, least important first. */
const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"] as const;
export type LogLevel = (typeof LEVELS)[number];

/** What AWS's advanced logging controls set. */
export interface LogSettings {
  /** AWS_LAMBDA_LOG_FORMAT: JSON, else text. */
  readonly json: boolean;
  /** AWS_LAMBDA_LOG_LEVEL: lines below it are left out. */
  readonly level: LogLevel;
}

const STDERR = 2;
/** Longest wait for another process that is writing to the log, in milliseconds. */
const LOCK_WAIT_MS = 5000;
export const LINE_FEED = 0x0a;

export function parseLogLevel(text: string): LogLevel {
  return LEVELS[LEVELS.indexOf(text.toUpperCase() as LogLevel)] ?? "INFO";
}

/** Writes log lines, each with the request id of the event that is being handled. */
export class Log {
  readonly settings: LogSettings;
  /** The event that is being handled, if any. */
  requestId: string | undefined;

  /** A file that the processes which write to this log lock meanwhile; undefined if there is one only. */
  #lock: number | undefined;
  #lockWaitMs = LOCK_WAIT_MS;

  constructor(settings: LogSettings) {
    this.settings = settings;
  }

  /**
   * From now on, what this process writes at once does not mix with what others do: the system keeps only
   * writes of up to 4 KiB together when a log is not read as fast as it is written.
   * @param lock The descriptor of a file that all of them have open.
   */
  shareBy(lock: number): void {
    this.#lock = lock;
  }

  /** Writes a line of the runtime's own. */
  write(level: LogLevel, message: string): void {
    if (!this.#isWanted(level)) return;
    const line = this.settings.json
      ? this.#record(level, { message })
      : `[${level}] ${this.requestId === undefined ? "" : `${this.requestId} `}${message}`;
    this.writeBytes(encodeUtf8(`${line}\n`));
  }

  /** Writes a record of the runtime's own that has fields instead of a message. */
  writeRecord(level: LogLevel, fields: Readonly<Record<string, string | number>>): void {
    if (!this.#isWanted(level)) return;
    const line = this.settings.json
      ? this.#record(level, fields)
      : `[${level}] ${JSON.stringify(fields)}`;
    this.writeBytes(encodeUtf8(`${line}\n`));
  }

  /** Writes bytes as they are; a log that is gone must not end the runtime. */
  writeBytes(bytes: Uint8Array): void {
    try {
      if (this.#lock === undefined) writeAll(STDERR, bytes);
      else this.#writeLocked(this.#lock, bytes);
    } catch {
      // There is nowhere left to say so.
    }
  }

  /** Writes lines of a handler's. */
  writeLines(bytes: Buffer): void {
    const { lines, rest } = splitLines(bytes);
    if (rest.length > 0) lines.push(rest);
    for (const line of lines) {
      // An empty line is not a record.
      if (this.settings.json && line.length === 0) continue;
      const written = this.settings.json ? this.framed(line) : line;
      this.writeBytes(Buffer.concat([written, latin1Bytes("\n")]));
    }
  }

  /** Frames a handler's line for the JSON format; one that is a JSON object already stays as it is. */
  framed(line: Uint8Array): Uint8Array {
    const text = decodeUtf8(line);
    if (isJsonObject(text)) return line;
    return encodeUtf8(this.#record("INFO", { message: text }));
  }

  #writeLocked(lock: number, bytes: Uint8Array): void {
    let isLocked = tryLock(lock);
    for (let waitedMs = 0; !isLocked && waitedMs < this.#lockWaitMs; waitedMs += 1) {
      sleep(1);
      isLocked = tryLock(lock);
    }
    // Whoever has it may have been stopped: that is waited for once.
    this.#lockWaitMs = isLocked ? LOCK_WAIT_MS : 0;
    writeAll(STDERR, bytes);
    if (isLocked) unlock(lock);
  }

  #isWanted(level: LogLevel): boolean {
    return LEVELS.indexOf(level) >= LEVELS.indexOf(this.settings.level);
  }

  #record(level: LogLevel, fields: Readonly<Record<string, string | number>>): string {
    const timestamp = new Date().toISOString();
    return JSON.stringify({ timestamp, level, ...fields, requestId: this.requestId });
  }
}

function isJsonObject(text: string): boolean {
  if (!text.trimStart().startsWith("{")) return false;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object";
  } catch {
    return false;
  }
}

/** Splits off the complete lines of a buffer; the rest begins an unfinished one. */
export function splitLines(bytes: Buffer): { readonly lines: Buffer[]; readonly rest: Buffer } {
  const lines: Buffer[] = [];
  let start = 0;
  for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return { lines, rest: bytes.subarray(start) };
}
