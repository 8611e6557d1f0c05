/**
 * When an event is over, by its own header and the wall clock.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 * @module
 */

import { HEADER } from "../runtime-api/contract.ts";
import type { FunctionError, ReportedPlatformErrorType } from "../runtime-api/function-error.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { MS_PER_S } from "./clock.ts";

const DEADLINE = HEADER.deadlineMs.toLowerCase();
/** A deadline further away than this, in ms, is not a time of this wall clock: some hosts send a constant. */
const PLAUSIBLE_MS = 24 * 60 * 60 * 1000;

/** The deadline of one event. */
export interface Deadline {
  /** When the event was delivered, in ms since 1970. */
  readonly deliveredAtMs: number;
  /** When it is over, likewise. */
  readonly atMs: number;
}

/**
 * The deadline that an event came with; undefined if it has none that can be true.
 * @param deliveredAtMs The wall clock when the event came, in ms since 1970.
 */
export function deadlineOf({ headers }: Invocation, deliveredAtMs: number): Deadline | undefined {
  const text = headers.get(DEADLINE) ?? "";
  // Digits and nothing else: no sign, no exponent, no point. That the number becomes the same text again would
  // say it, too, but the first such text costs 96 KiB, which the engine keeps texts of numbers in.
  if (!/^[1-9]\d*$/.test(text)) return undefined;
  const atMs = Number(text);
  const isPlausible = Math.abs(atMs - deliveredAtMs) <= PLAUSIBLE_MS;
  return isPlausible ? { deliveredAtMs, atMs } : undefined;
}

/** The error of an event that has reached its deadline, in the platform's own words. */
export function timeoutError(requestId: string, { deliveredAtMs, atMs }: Deadline): FunctionError {
  const seconds = (Math.max(0, atMs - deliveredAtMs) / MS_PER_S).toFixed(2);
  const errorType: ReportedPlatformErrorType = "Sandbox.Timedout";
  return {
    errorType,
    errorMessage: `RequestId: ${requestId} Error: Task timed out after ${seconds} seconds`,
    stackTrace: [],
  };
}
