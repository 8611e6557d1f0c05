/**
 * What a caller asks of a function, and every way in which that can end.
 *
 * @module
 */

import { CONTENT_TYPE, EVENT_BYTES_MAX, RESPONSE_BYTES_MAX } from "../../runtime-api/contract.ts";
import type { PlatformErrorType } from "../../runtime-api/function-error.ts";

/** One event with what its caller said about it. */
export interface InvocationRequest {
  /** The event's bytes, at most {@link EVENT_BYTES_MAX} of `contract.ts`. */
  readonly event: Uint8Array;
  /** Chosen by the caller instead of a random one. */
  readonly requestId?: string;
  readonly traceId?: string;
  /** JSON, decoded already. */
  readonly clientContext?: string;
  readonly cognitoIdentity?: string;
  readonly tenantId?: string;
  /** Version or alias that the caller named, for the ARN. */
  readonly qualifier?: string;
  /** Further headers of `/next`, by their full name. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The caller takes the response as it is written. */
  readonly streaming?: boolean;
  /** The caller wants the last bytes of the log with the outcome, always or with an error alone. */
  readonly logTail?: boolean | "of-error";
  /** Fires when the caller has gone; an event that still waits is then dropped. */
  readonly signal?: AbortSignal;
}

/** What the platform measured of one invocation. */
export interface InvocationReport {
  readonly requestId: string;
  /** From delivery to the end, in milliseconds; to the response, for a caller who has that before. */
  readonly durationMs: number;
  /**
   * From start to the first `/next`, in milliseconds; only with the first event of an environment,
   * and not with a snapshot, which has been taken before.
   */
  readonly initDurationMs: number | undefined;
  readonly memorySizeMb: number;
  readonly maxMemoryUsedMb: number;
  /** Number of the execution environment, from 0. */
  readonly environment: number;
  /** The last bytes that the function wrote to its log, at most {@link LOG_TAIL_BYTES_MAX}. */
  readonly log: Uint8Array;
}

/** Why an event was never given to a runtime. */
export type RejectionReason =
  "queue-full" | "queue-timeout" | "draining" | "caller-gone" | "event-too-large";

/** What HTTP says of an event that was not run; each front has its own words for it. */
export interface RejectionStatus {
  readonly status: 413 | 429 | 503;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The reason, for the person at the terminal. */
  readonly words: string;
}

const RETRY_AFTER = [["Retry-After", "1"]] as const;

/** The status of each reason, and what the caller should do. */
export const REJECTION: Readonly<Record<RejectionReason, RejectionStatus>> = {
  "event-too-large": {
    status: 413,
    headers: [],
    words: `it has more than the ${EVENT_BYTES_MAX} bytes that Lambda takes`,
  },
  "queue-full": {
    status: 429,
    headers: RETRY_AFTER,
    words: "no environment was free, and too many events were waiting",
  },
  "queue-timeout": {
    status: 429,
    headers: RETRY_AFTER,
    words: "no environment was free in time",
  },
  draining: { status: 503, headers: RETRY_AFTER, words: "the function is being stopped" },
  "caller-gone": { status: 503, headers: RETRY_AFTER, words: "its caller has gone" },
};

/** Where a function error comes from. */
export type FunctionErrorOrigin =
  "reported" | "timeout" | "exit" | "init" | "response-too-large" | "invalid-response";

/** The status of a function error, where the front has none of its own. */
export function errorStatus(origin: FunctionErrorOrigin): number {
  return origin === "timeout" ? 504 : 500;
}

/** Every way in which an invocation ends. */
export type InvocationOutcome =
  | {
      readonly kind: "response";
      readonly body: Uint8Array;
      readonly contentType: string | undefined;
      readonly report: InvocationReport;
    }
  | {
      readonly kind: "stream";
      readonly contentType: string | undefined;
      readonly chunks: AsyncIterable<Uint8Array>;
      /** The invocation goes on until then. */
      readonly end: Promise<StreamEnd>;
    }
  | {
      readonly kind: "function-error";
      readonly origin: FunctionErrorOrigin;
      readonly errorType: string;
      /** JSON of the error, as the runtime wrote it or as the platform words it. */
      readonly body: Uint8Array;
      readonly contentType: string;
      /** What happened, where the platform itself says it. */
      readonly words?: string;
      /** Of the bootstrap, where it has exited. */
      readonly exitStatus?: number;
      /** Of a response that was too large. */
      readonly responseBytes?: number;
      /** Processes of the handler that were killed when its time was up: `command (pid N)`. */
      readonly stillRunning: readonly string[];
      readonly report: InvocationReport;
    }
  | { readonly kind: "rejected"; readonly reason: RejectionReason };

/** An error of the function or of its runtime. */
export type FunctionErrorOutcome = Extract<InvocationOutcome, { kind: "function-error" }>;

/** An outcome that has no bytes to come any more. */
export type WholeOutcome = Exclude<InvocationOutcome, { kind: "stream" }>;

/** How a streamed response ended: well, or with an error after bytes were sent. */
export type StreamEnd =
  { readonly kind: "complete"; readonly report: InvocationReport } | FunctionErrorOutcome;

type WithoutReport<Outcome> = Outcome extends { readonly report: unknown }
  ? Omit<Outcome, "report">
  : never;

/** An outcome before the platform has added its measurements. */
export type UnreportedOutcome = WithoutReport<InvocationOutcome>;

/** An error before the platform has added its measurements. */
export type UnreportedError = WithoutReport<FunctionErrorOutcome>;

/** Bytes of log that Lambda returns with `X-Amz-Log-Type: Tail`. */
export const LOG_TAIL_BYTES_MAX = 4096;

/** A streamed response that ended in an error, after bytes of it were sent. */
export class StreamFailure extends Error {
  readonly end: FunctionErrorOutcome;

  constructor(end: FunctionErrorOutcome) {
    super(`the response broke off: ${end.errorType}`);
    this.name = "StreamFailure";
    this.end = end;
  }
}

type StreamedOutcome = Extract<InvocationOutcome, { kind: "stream" }>;

/**
 * The chunks of a response whose end is an error if the response's is.
 * @throws {StreamFailure} After the last chunk, when the runtime said so or broke off.
 */
export async function* chunksOrFailure({
  chunks,
  end,
}: StreamedOutcome): AsyncGenerator<Uint8Array, void, void> {
  yield* chunks;
  const ending = await end;
  if (ending.kind === "function-error") throw new StreamFailure(ending);
}

/**
 * The response is larger than a caller may be sent who takes all at once, in Lambda's words.
 * @param responseBytes How large it is.
 */
export function responseTooLarge(responseBytes: number): UnreportedError {
  const errorType: PlatformErrorType = "Function.ResponseSizeTooLarge";
  const errorMessage = `Response payload size exceeded maximum allowed payload size (${RESPONSE_BYTES_MAX} bytes).`;
  return {
    kind: "function-error",
    origin: "response-too-large",
    errorType,
    body: Buffer.from(JSON.stringify({ errorMessage, errorType })),
    contentType: CONTENT_TYPE.json,
    responseBytes,
    stillRunning: [],
  };
}

/**
 * The outcome for a caller that takes all at once; a stream that failed is its error, and one larger than
 * a response may be is an error, too. No more of it is kept than that.
 */
export async function wholeOutcome(outcome: InvocationOutcome): Promise<WholeOutcome> {
  if (outcome.kind !== "stream") return outcome;
  const { chunks, contentType } = outcome;
  const all: Uint8Array[] = [];
  let byteLength = 0;
  for await (const chunk of chunks) {
    byteLength += chunk.byteLength;
    if (byteLength <= RESPONSE_BYTES_MAX) all.push(chunk);
    else all.length = 0;
  }
  const end = await outcome.end;
  if (end.kind === "function-error") return end;
  if (byteLength > RESPONSE_BYTES_MAX)
    return { ...responseTooLarge(byteLength), report: end.report };
  return { kind: "response", body: Buffer.concat(all), contentType, report: end.report };
}
