/**
 * Says what the build does: a moving line on a terminal, plain lines in a log.
 *
 * @module
 */

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Least time between two updates of the moving line, in ms. */
const UPDATE_MS = 100;

/** Says that a step begins. */
export function step(text: string): void {
  clearLine();
  console.log(text);
}

/**
 * Returns a function that shows how far a long step is.
 * @param totalBytes Size of the whole, NaN when it is not known.
 */
export function progress(text: string, totalBytes: number): (doneBytes: number) => void {
  if (!process.stderr.isTTY) {
    const size = Number.isFinite(totalBytes) ? ` (${totalBytes} bytes)` : "";
    console.log(`  ${text}${size}`);
    return () => {};
  }
  let shownMs = 0;
  return (doneBytes) => {
    const nowMs = performance.now();
    if (nowMs - shownMs < UPDATE_MS && doneBytes !== totalBytes) return;
    shownMs = nowMs;
    const share = Number.isFinite(totalBytes)
      ? `${Math.floor((100 * doneBytes) / totalBytes)} %`
      : `${doneBytes} bytes`;
    process.stderr.write(`\r\x1b[K  ${text}  ${share}`);
    if (doneBytes === totalBytes) clearLine();
  };
}

function clearLine(): void {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}

/**
 * Shows how the files of a folder grow, for a program that says nothing itself, until the returned
 * function is called.
 * @param totalBytes Size of the whole.
 */
export function watchBytes(text: string, folder: string, totalBytes: number): () => void {
  if (!process.stderr.isTTY) return () => {};
  const show = progress(text, totalBytes);
  const timer = setInterval(() => {
    const sizes = readdirSync(folder).map(
      // The program that fills the folder renames files meanwhile.
      (name) => statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0,
    );
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    show(Math.min(bytes, totalBytes - 1));
  }, UPDATE_MS * 2);
  return () => {
    clearInterval(timer);
    show(totalBytes);
  };
}
