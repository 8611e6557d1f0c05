/**
 * What the platform has measured of an invocation that has just ended.
 *
 * @module
 */

import type { PendingInvocation } from "./invocation.ts";
import type { InvocationReport } from "./outcome.ts";

const BYTES_PER_MB = 1024 * 1024;

/** What is known besides the invocation's own times. */
type Known = Pick<InvocationReport, "initDurationMs" | "memorySizeMb" | "environment" | "log">;

/** @param peakBytes Memory that the runtime has had at most until now, in bytes. */
export function invocationReport(
  { requestId, answeredAtMs, deliveredAtMs }: PendingInvocation,
  known: Known,
  peakBytes: () => number,
): InvocationReport {
  return {
    requestId,
    durationMs: (answeredAtMs || performance.now()) - deliveredAtMs,
    ...known,
    // Read only when somebody looks, since it costs a look into /proc.
    get maxMemoryUsedMb() {
      return Math.ceil(peakBytes() / BYTES_PER_MB);
    },
  };
}
