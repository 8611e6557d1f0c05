/**
 * Finds the end of an event in its output: the loaded shell says the fork's status in the same pipe, so
 * that what a background process writes later comes after it, however late the runtime reads.
 *
 * The message is what the shell says of a redirection that it cannot make, such as
 * `/var/task/function.handler: line 9: /proc/8/fd/11/ended-m3x8/0/: Not a directory`: words of the shell,
 * which are learnt from the first such message, a path, and a line end. A word in the path is drawn by
 * lot, so that an event that a handler repeats cannot end its output. The shell's command line has the path, too,
 * and a handler may print that, as `ps` does; but there no number follows it.
 *
 * @module
 */

import { copyOf, latin1Bytes } from "./bytes.ts";

/** How far in front of the path the message may begin, in bytes, if it is not as it was learnt. */
const BEGINNING_BYTES_MAX = 8 * 1024;
const LINE_FEED = 0x0a;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const SLASH = 0x2f;
const NOTHING: Buffer = Buffer.alloc(0);

/** How a shell's message of a status looks. */
export class StatusMessage {
  /** The path in front of the status. */
  readonly mark: Buffer;
  /** The message up to the status. */
  readonly #beginning: Buffer;
  /** Its least part that a shell writes at once; dash and busybox write it in pieces. */
  readonly #firstPiece: Buffer;
  readonly #words: string;

  /**
   * @param mark The path in front of the status, which ends in a slash.
   * @param words What the shell writes in front of the path.
   */
  constructor(mark: string, words: string) {
    this.mark = latin1Bytes(mark);
    this.#beginning = latin1Bytes(words + mark);
    this.#firstPiece = this.#beginning.subarray(0, words.indexOf(": ") + ": ".length || 1);
    this.#words = words;
  }

  /** Where in a text the first mark of a status is; negative if there is none. */
  markIn(bytes: Buffer): number {
    const { mark } = this;
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 1)) {
      const next = bytes[at + mark.length];
      if (next === undefined || (next >= DIGIT_0 && next <= DIGIT_9)) return at;
    }
    return -1;
  }

  /** Where in a text the message around a mark begins. */
  startOf(bytes: Buffer, markAt: number): number {
    const wordsLength = this.#words.length;
    const start = markAt - wordsLength;
    if (start >= 0 && bytes.compare(this.#beginning, 0, wordsLength, start, markAt) === 0)
      return start;
    // Bash names the line that it has run last, which a signal's trap may have changed.
    const from = Math.max(0, markAt - BEGINNING_BYTES_MAX);
    const before = bytes.toString("latin1", from, markAt);
    const anyLine = RegExp(`${this.#words.replace(/[^\w\s]/g, "\\$&").replace(/\d+/g, "\\d+")}$`);
    const found =
      anyLine.exec(before)?.index ?? before.lastIndexOf(this.#firstPiece.toString("latin1"));
    return found < 0 ? markAt : from + found;
  }

  /** A text without the messages in it. */
  removedFrom(bytes: Buffer): Buffer {
    const markAt = this.markIn(bytes);
    if (markAt < 0) return bytes;
    const lineEnd = bytes.indexOf(LINE_FEED, markAt);
    const before = bytes.subarray(0, this.startOf(bytes, markAt));
    if (lineEnd < 0) return before;
    return Buffer.concat([before, this.removedFrom(bytes.subarray(lineEnd + 1))]);
  }

  /**
   * Where at the end of a text a message may have begun, of which the rest is still to come.
   * @param isCut Whether the text may end anywhere in the message, and not only where the shell's own
   *   pieces do.
   */
  unfinishedStart(bytes: Buffer, isCut: boolean): number {
    const { length } = bytes;
    const from = Math.max(0, length - this.#beginning.length);
    if (!isCut) {
      const start = bytes.lastIndexOf(this.#firstPiece);
      return start >= from && this.#beginsWith(bytes, start) ? start : length;
    }
    for (let start = from; start < length; start += 1)
      if (this.#beginsWith(bytes, start)) return start;
    return length;
  }

  #beginsWith(bytes: Buffer, start: number): boolean {
    return this.#beginning.compare(bytes, start, bytes.length, 0, bytes.length - start) === 0;
  }
}

/** Splits what comes through an event's pipe into output, status and what comes later. */
export class OutputSplitter {
  readonly #message: StatusMessage;
  #held: Buffer | undefined;
  #status: number | undefined;
  #rest = NOTHING;

  constructor(message: StatusMessage) {
    this.#message = message;
  }

  /** The status, once its message has come. */
  get status(): number | undefined {
    return this.#status;
  }

  /** What has come after the status. */
  get rest(): Buffer {
    return this.#rest;
  }

  /**
   * Takes what has been read, before the status is known; returns what of it is output for certain.
   * @param isCut Whether there may be more that was written together with this.
   */
  take(bytes: Buffer, isCut: boolean): Buffer {
    const all = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes]);
    const markAt = this.#message.markIn(all);
    const start =
      markAt < 0 ? this.#message.unfinishedStart(all, isCut) : this.#message.startOf(all, markAt);
    const lineEnd = markAt < 0 ? -1 : all.indexOf(LINE_FEED, markAt);
    if (lineEnd < 0) {
      this.#held = start < all.length ? copyOf(all.subarray(start)) : undefined;
    } else {
      const statusAt = markAt + this.#message.mark.length;
      this.#status = Number(all.toString("latin1", statusAt, all.indexOf(SLASH, statusAt)));
      if (lineEnd + 1 < all.length) this.#rest = copyOf(all.subarray(lineEnd + 1));
    }
    return all.subarray(0, start);
  }
}
