/**
 * Counts what a log shows.
 *
 * @module
 */

import type { HostObserver } from "../../host/function/function-pool.ts";
import type { Metrics } from "../../host/function/metrics.ts";
import { exitReason } from "../../host/invocation/platform-error.ts";

/** An observer that hands on everything to another one, and counts it. */
export function countedObserver(log: HostObserver, metrics: Metrics): HostObserver {
  return {
    ...log,
    onAnswered: (report, status) => {
      metrics.countInvocation(report.durationMs);
      log.onAnswered?.(report, status);
    },
    onReady: (environment) => {
      if (environment.served === 0 && environment.initMs !== undefined) metrics.countColdStart();
      log.onReady?.(environment);
    },
    onEnd: (environment, end, failed) => {
      metrics.countExit(end.kind === "exited" ? `status ${end.status}` : exitReason(end));
      log.onEnd?.(environment, end, failed);
    },
    onRejected: (reason) => {
      metrics.countRejection();
      log.onRejected?.(reason);
    },
  };
}
