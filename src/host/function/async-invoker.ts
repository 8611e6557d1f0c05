/**
 * Events whose callers do not wait: run in the background, again when they fail.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 * @module
 */

import type { InvocationRequest } from "../invocation/outcome.ts";
import type { HostLog } from "../invocation/platform-log.ts";
import type { FunctionPool } from "./function-pool.ts";

/** Attempts after the first, as Lambda has it. */
export const ASYNC_RETRIES = 2;

/** Pause before the first retry, in milliseconds; Lambda waits a minute. It doubles each time. */
const RETRY_PAUSE_MS = 1_000;

/** Runs an event until it succeeds or has failed too often. */
export async function invokeInBackground(
  pool: FunctionPool,
  request: InvocationRequest,
  retries: number,
  log: HostLog,
): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await pool.invoke(request);
    if (outcome.kind === "response") return;
    if (outcome.kind === "stream") {
      for await (const _chunk of outcome.chunks);
      if ((await outcome.end).kind === "complete") return;
    }
    const why = outcome.kind === "rejected" ? outcome.reason : "the function failed";
    const id = request.requestId ?? "";
    if (attempt >= retries || (outcome.kind === "rejected" && outcome.reason === "draining")) {
      log("warning", `asynchronous event ${id} dropped after ${attempt + 1} attempts: ${why}`);
      return;
    }
    const pauseMs = RETRY_PAUSE_MS * 2 ** attempt;
    log("info", `asynchronous event ${id} failed (${why}), again in ${pauseMs / 1000} s`);
    await Bun.sleep(pauseMs);
  }
}
