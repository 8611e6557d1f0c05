/**
 * Knows the file to which the output of this process goes, by `> FILE` or `| tee FILE`: what watches files must
 * not take its own reports for changes.
 *
 * @module
 */

import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";

/** What was written last, a text for each write. */
const remembered: string[] = [];

/** Texts that are kept, and how much of the end of each, in characters. */
const REMEMBERED_MAX = 16;
const REMEMBERED_LENGTH_MAX = 200;

/** Texts that are shorter could stand in any file. */
const REMEMBERED_LENGTH_MIN = 12;

/** From now on what is written to standard output and standard error is known to {@link isOwnLog}. */
export function rememberOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...args: readonly unknown[]) => boolean;
    stream.write = (chunk: string | Uint8Array, ...rest: readonly unknown[]) => {
      const text = (typeof chunk === "string" ? chunk : Buffer.from(chunk).toString()).trim();
      if (text.length >= REMEMBERED_LENGTH_MIN) remembered.push(text.slice(-REMEMBERED_LENGTH_MAX));
      if (remembered.length > REMEMBERED_MAX) remembered.shift();
      return write(chunk, ...rest);
    };
  }
}

/** How much of the end of a file is looked at, in bytes. */
const TAIL_BYTES = 8 * 1024;

/** Whether a file is where the output of this process goes: it ends with what was written last. */
export function isOwnLog(path: string): boolean {
  const tail = endOfFile(path);
  return tail !== "" && remembered.some((text) => tail.includes(text));
}

/** The end of a file; nothing of what is not one, or cannot be read. */
function endOfFile(path: string): string {
  const bytes = Buffer.alloc(TAIL_BYTES);
  try {
    // A pipe without a writer would be waited for.
    if (!statSync(path).isFile()) return "";
    const file = openSync(path, "r");
    try {
      const start = Math.max(0, fstatSync(file).size - TAIL_BYTES);
      return bytes.toString("utf8", 0, readSync(file, bytes, 0, TAIL_BYTES, start));
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}
