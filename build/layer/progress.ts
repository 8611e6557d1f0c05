/**
 * Says what the build does: a moving line on a terminal, plain lines in a log.
 *
 * @module
 */

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
