/**
 * Passes what a handler writes beside its response on to the log, as it is written.
 *
 * @module
 */

import { copyOf, latin1Bytes } from "./bytes.ts";
import type { LastLines } from "./last-lines.ts";
import { lazy } from "./lazy.ts";
import { close, read, setBlocking, WOULD_BLOCK } from "./libc.ts";
import { type Log, splitLines } from "./log.ts";
import type { Poller } from "./poller.ts";

/** Longest unfinished line that waits for its end before it is framed, in bytes: Lambda's record. */
const LINE_BYTES_MAX = 256 * 1024;
/** Most bytes that are read at once. */
const READ_BYTES = 64 * 1024;
/** Most reads at the end of an event: more than a pipe holds, so only a late writer gets there. */
const DRAIN_READS_MAX = 32;

const NOTHING: Buffer = Buffer.alloc(0);

/** Shared by all pipes: a read is passed on before the next one is made. */
const scratch = lazy(() => Buffer.allocUnsafeSlow(READ_BYTES));

/** What a pipe may be made with besides. */
export interface LogPipeOptions {
  /** Bytes that have been read from it before. */
  readonly first?: Buffer;
  /** Takes out what does not belong in the log. */
  readonly filter?: (bytes: Buffer) => Buffer;
  /** Remembers the end of it. */
  readonly lastLines?: LastLines;
}

/** The read end of a pipe whose bytes belong in the log; closed when its last writer is gone. */
export class LogPipe {
  readonly #descriptor: number;
  readonly #poller: Poller;
  readonly #log: Log;
  readonly #options: LogPipeOptions;
  #isOpen = true;
  #unfinished = NOTHING;

  /** Watches the pipe from now on; owns its descriptor. */
  constructor(descriptor: number, poller: Poller, log: Log, options: LogPipeOptions = {}) {
    this.#descriptor = descriptor;
    this.#poller = poller;
    this.#log = log;
    this.#options = options;
    setBlocking(descriptor, false);
    poller.watch(descriptor, () => this.#pass());
    if (options.first !== undefined) this.#take(options.first);
  }

  get isOpen(): boolean {
    return this.#isOpen;
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
    const bytes = this.#options.filter?.(read) ?? read;
    if (bytes.length === 0) return;
    this.#options.lastLines?.take(bytes);
    if (this.#log.settings.json) this.#frame(bytes);
    else this.#log.writeBytes(bytes);
  }

  #frame(bytes: Buffer): void {
    const { lines, rest } = splitLines(Buffer.concat([this.#unfinished, bytes]));
    for (const line of lines) this.#writeFramed(line);
    this.#unfinished = copyOf(rest);
    if (rest.length <= LINE_BYTES_MAX) return;
    const end = rest.length - partOfCharacter(rest);
    this.#unfinished = copyOf(rest.subarray(0, end));
    this.#flush();
    this.#unfinished = copyOf(rest.subarray(end));
  }

  #flush(): void {
    if (this.#unfinished.length === 0) return;
    this.#writeFramed(this.#unfinished);
    this.#unfinished = NOTHING;
  }

  #writeFramed(line: Buffer): void {
    if (line.length > 0)
      this.#log.writeBytes(Buffer.concat([this.#log.framed(line), latin1Bytes("\n")]));
  }
}

/** How many bytes at the end begin a character of UTF-8 of which more is still to come. */
function partOfCharacter(bytes: Buffer): number {
  for (let count = 1; count <= 3; count += 1) {
    const byte = bytes[bytes.length - count] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > count ? count : 0;
  }
  return 0;
}
