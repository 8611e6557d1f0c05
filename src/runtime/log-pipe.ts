/**
 * Passes what a handler writes beside its response on to the log, as it is written, and remembers the
 * last lines for an error report.
 *
 * @module
 */

import { lazy } from "./lazy.ts";
import { close, read, setBlocking, WOULD_BLOCK } from "./libc.ts";
import { LINE_FEED, type Log, splitLines, writeLog } from "./log.ts";
import type { Poller } from "./poller.ts";

/** How much of the end is kept for an error report, in bytes. */
const TAIL_BYTES_MAX = 8 * 1024;
/** How much of it is the beginning of a last line that is longer: an error's type and message. */
const LINE_HEAD_BYTES_MAX = 6 * 1024;
const OMISSION = " … ";
/** How many lines of it a report gets. */
const TAIL_LINES_MAX = 20;
/** Longest unfinished line that waits for its end before it is framed, in bytes: Lambda's record. */
const LINE_BYTES_MAX = 256 * 1024;
/** Most bytes that are read at once. */
const READ_BYTES = 64 * 1024;
/** Most reads at the end of an event: more than a pipe holds, so only a late writer gets there. */
const DRAIN_READS_MAX = 32;

/** Shared by all pipes: a read is passed on before the next one is made. */
const scratch = lazy(() => Buffer.allocUnsafeSlow(READ_BYTES));

/** What a pipe may be made with besides. */
export interface LogPipeOptions {
  /** Bytes that have been read from it before. */
  readonly first?: Buffer;
  /** Takes out what does not belong in the log. */
  readonly filter?: (bytes: Buffer) => Buffer;
}

/** The read end of a pipe whose bytes belong in the log; closed when its last writer is gone. */
export class LogPipe {
  readonly #descriptor: number;
  readonly #poller: Poller;
  readonly #log: Log;
  readonly #filter: (bytes: Buffer) => Buffer;
  #isOpen = true;
  #tail: Buffer = Buffer.alloc(0);
  #unfinished: Buffer = Buffer.alloc(0);

  /** Watches the pipe from now on; owns its descriptor. */
  constructor(descriptor: number, poller: Poller, log: Log, options: LogPipeOptions = {}) {
    this.#descriptor = descriptor;
    this.#poller = poller;
    this.#log = log;
    this.#filter = options.filter ?? ((bytes) => bytes);
    setBlocking(descriptor, false);
    poller.watch(descriptor, () => this.#pass());
    if (options.first !== undefined) this.#take(options.first);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Forgets the lines of the event before. */
  beginEvent(): void {
    if (this.#tail.length > 0) this.#tail = Buffer.alloc(0);
  }

  /** Takes what has been written up to now. */
  pass(): void {
    for (let reads = 0; reads < DRAIN_READS_MAX && this.#pass() > 0; reads += 1);
  }

  /** Takes what has been written up to now, and an unfinished last line as if it had ended. */
  drain(): void {
    this.pass();
    this.#flush();
  }

  /** The last lines, empty ones left out, oldest first. */
  lastLines(): string[] {
    const lines = this.#tail.toString("utf8").split(/\r?\n/);
    return lines.filter((line) => line.trim() !== "").slice(-TAIL_LINES_MAX);
  }

  /** Takes what has been written up to now, and stops watching. */
  finish(): void {
    this.pass();
    this.close();
  }

  /** Stops watching, whatever is still written. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#flush();
    this.#poller.unwatch(this.#descriptor);
    close(this.#descriptor);
  }

  /** Passes on one read; returns its bytes, 0 when there are none. */
  #pass(): number {
    if (!this.#isOpen) return 0;
    const count = read(this.#descriptor, scratch());
    if (count === WOULD_BLOCK) return 0;
    if (count === 0) {
      this.close();
      return 0;
    }
    this.#take(scratch().subarray(0, count));
    return count;
  }

  #take(read: Buffer): void {
    const bytes = this.#filter(read);
    if (bytes.length === 0) return;
    this.#tail = tailOf(Buffer.concat([this.#tail, bytes]));
    if (this.#log.settings.json) this.#frame(bytes);
    else writeLog(bytes);
  }

  #frame(bytes: Buffer): void {
    const { lines, rest } = splitLines(Buffer.concat([this.#unfinished, bytes]));
    for (const line of lines) this.#writeFramed(line);
    this.#unfinished = Buffer.from(rest);
    if (this.#unfinished.length > LINE_BYTES_MAX) this.#flush();
  }

  #flush(): void {
    if (this.#unfinished.length === 0) return;
    this.#writeFramed(this.#unfinished);
    this.#unfinished = Buffer.alloc(0);
  }

  #writeFramed(line: Buffer): void {
    if (line.length > 0) writeLog(Buffer.concat([this.#log.framed(line), Buffer.from("\n")]));
  }
}

/** The end of a log; of a last line that is longer than that the beginning, too. */
function tailOf(log: Buffer): Buffer {
  const excess = log.length - TAIL_BYTES_MAX;
  if (excess <= 0) return log;
  // A line end behind the last line is not the one in front of it.
  const lineStart = log.lastIndexOf(LINE_FEED, log.length - 2) + 1;
  if (lineStart >= excess) return log.subarray(characterFrom(log, excess));
  const head = log.subarray(lineStart, characterFrom(log, lineStart + LINE_HEAD_BYTES_MAX));
  const end = log.subarray(characterFrom(log, excess + head.length));
  return Buffer.concat([head, Buffer.from(OMISSION), end]);
}

/** Where, at an index or behind it, a character of UTF-8 begins. */
function characterFrom(bytes: Buffer, index: number): number {
  let start = index;
  // No character has more bytes that continue it; other bytes may look like them.
  while (start < index + 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return start;
}
