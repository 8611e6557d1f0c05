/**
 * The same event many times, and how long it took.
 *
 * @module
 */

import { INVOKE_HEADER } from "../host/adapters/lambda-contract.ts";
import { EXIT } from "./exit-status.ts";
import { warn } from "./terminal.ts";

/**
 * Sends an event over and over.
 * @returns 0 when all succeeded, 1 when one did not.
 */
export async function repeatInvoke(
  send: () => Promise<Response>,
  coldStarts: () => Promise<number>,
  count: number,
  parallel: number,
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
      const response = await send();
      await response.arrayBuffer();
      timesMs.push(performance.now() - sentAtMs);
      if (!response.ok || response.headers.has(INVOKE_HEADER.functionError)) failed += 1;
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
