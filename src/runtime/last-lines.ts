/**
 * The end of what a handler wrote on standard error, for an error report.
 *
 * @module
 */

import { utf8Bytes } from "./bytes.ts";
import { LINE_FEED } from "./log.ts";
import { isTrace, type Tracing, withoutTraces } from "./traces.ts";

/** How much of the end is kept, in bytes. */
const KEPT_BYTES_MAX = 32 * 1024;
/** How much of it a report gets: bytes, and lines. */
const REPORT_BYTES_MAX = 8 * 1024;
const REPORT_LINES_MAX = 20;
/** How much of it is the beginning of a last line that is longer: an error's type and message. */
const LINE_HEAD_BYTES_MAX = 6 * 1024;
const OMISSION = " … ";
const NOTHING: Buffer = Buffer.alloc(0);

/** Remembers the end of a log. */
export class LastLines {
  #end = NOTHING;
  /** Whether something in front of it is left out. */
  #isCut = false;

  /** Forgets all. */
  clear(): void {
    this.#end = NOTHING;
    this.#isCut = false;
  }

  /** Takes bytes, which are the caller's again afterwards. */
  take(bytes: Buffer): void {
    const all = Buffer.concat([this.#end, bytes]);
    this.#isCut ||= all.length > KEPT_BYTES_MAX;
    this.#end = endOf(all, KEPT_BYTES_MAX);
  }

  /** The last lines without traced commands, empty ones left out, oldest first. */
  lines(tracing: Tracing): string[] {
    const lines = this.#end.toString("utf8").split(/\r?\n/);
    const told = withoutTraces(this.#isCut ? fromFirstTrace(lines, tracing) : lines, tracing);
    const filled = told.filter((line) => line.trim() !== "").slice(-REPORT_LINES_MAX);
    const report = endOf(utf8Bytes(filled.join("\n")), REPORT_BYTES_MAX).toString("utf8");
    return report === "" ? [] : report.split("\n");
  }
}

/** If commands are traced, what the first lines are the rest of may be one, too. */
function fromFirstTrace(lines: readonly string[], tracing: Tracing): readonly string[] {
  const first = lines.findIndex((line) => isTrace(line, tracing));
  return first < 0 ? lines : lines.slice(first);
}

/** The last whole lines of a log; of a last line that is longer than that its beginning and its end. */
function endOf(log: Buffer, bytesMax: number): Buffer {
  const excess = log.length - bytesMax;
  if (excess <= 0) return log;
  // A line end after the last line is not the one in front of it.
  const lineStart = log.lastIndexOf(LINE_FEED, log.length - 2) + 1;
  if (lineStart >= excess) return log.subarray(log.indexOf(LINE_FEED, excess - 1) + 1);
  const head = log.subarray(lineStart, characterFrom(log, lineStart + LINE_HEAD_BYTES_MAX));
  const end = log.subarray(characterFrom(log, excess + head.length));
  return Buffer.concat([head, utf8Bytes(OMISSION), end]);
}

/** Where, at an index or after it, a character of UTF-8 begins. */
export function characterFrom(bytes: Uint8Array, index: number): number {
  let start = index;
  // No character has more bytes that continue it; other bytes may look like them.
  while (start < index + 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return start;
}
