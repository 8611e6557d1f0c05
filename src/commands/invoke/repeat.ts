/**
 * The same event many times, and how long it took.
 *
 * @module
 */

import { EXIT } from "../cli/exit-status.ts";
import { warn } from "../cli/terminal.ts";

/** How often, and how many at the same time. */
export interface Repetition {
  readonly count: number;
  readonly parallel: number;
}

/**
 * Sends an event over and over.
 * @param send Sends it once; whether the function succeeded.
 * @returns 0 when all succeeded, 1 when one did not.
 */
export async function repeatInvoke(
  send: () => Promise<boolean>,
  coldStarts: () => Promise<number>,
  { count, parallel }: Repetition,
): Promise<number> {
  const timesMs: number[] = [];
  let failed = 0;
  let left = count;
  const coldBefore = await coldStarts();
  const startedAtMs = performance.now();
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      const sentAtMs = performance.now();
      const succeeded = await send();
      timesMs.push(performance.now() - sentAtMs);
      if (!succeeded) failed += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, loop));
  const seconds = (performance.now() - startedAtMs) / 1000;
  const cold = (await coldStarts()) - coldBefore;
  timesMs.sort((a, b) => a - b);
  const quantile = (share: number) =>
    (timesMs[Math.min(timesMs.length - 1, Math.floor(share * timesMs.length))] ?? 0).toFixed(1);
  warn(
    `${count - failed} ok · ${failed} failed · p50 ${quantile(0.5)} ms · ` +
      `p95 ${quantile(0.95)} ms · max ${quantile(1)} ms · ${cold} cold starts · ` +
      `${Math.round(count / seconds)} req/s`,
  );
  return failed === 0 ? EXIT.ok : EXIT.functionError;
}
