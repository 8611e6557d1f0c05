/**
 * One invocation from the moment it is accepted until its caller has the one outcome it gets.
 *
 * @module
 */

import { randomUUID } from "node:crypto";

import { CONTENT_TYPE, HEADER } from "../../runtime-api/contract.ts";
import type { InvocationOutcome, InvocationReport, InvocationRequest } from "./outcome.ts";
import { BYTES_PER_MB } from "./settings.ts";

/** An accepted invocation; the first {@link settle} wins, later ones have no effect. */
export class PendingInvocation {
  readonly request: InvocationRequest;
  readonly requestId: string;
  /** Unique per attempt, since callers may choose equal request ids. */
  readonly attemptId = randomUUID();
  readonly outcome: Promise<InvocationOutcome>;
  /** Fulfilled when its runtime has nothing left to do for it, after the response; see {@link end}. */
  readonly over: Promise<void>;
  /** Monotonic time of delivery to a runtime, in milliseconds; 0 while it waits. */
  deliveredAtMs = 0;
  /** Monotonic time at which the runtime's response was whole, in milliseconds; 0 before. */
  postedAtMs = 0;
  /** Monotonic time at which it was over, in milliseconds; 0 before. */
  overAtMs = 0;
  readonly #end: () => void;
  #resolve: ((outcome: InvocationOutcome) => void) | undefined;

  constructor(request: InvocationRequest) {
    this.request = request;
    this.requestId = request.requestId ?? randomUUID();
    const { promise, resolve } = Promise.withResolvers<InvocationOutcome>();
    this.outcome = promise;
    this.#resolve = resolve;
    const over = Promise.withResolvers<void>();
    this.over = over.promise;
    this.#end = over.resolve;
  }

  get settled(): boolean {
    return this.#resolve === undefined;
  }

  /** Gives the caller its response; false when it has one already. */
  settle(outcome: InvocationOutcome): boolean {
    const resolve = this.#resolve;
    if (resolve === undefined) return false;
    this.#resolve = undefined;
    resolve(outcome);
    return true;
  }

  /** The runtime has asked for another event, has been left alone with this one, or has ended. */
  end(): void {
    this.#end();
  }

  /**
   * The headers of `/next` for this invocation; those without a value are left out.
   * @param deadlineMs Epoch milliseconds at which the function is killed.
   */
  headers(deadlineMs: number, functionArn: string): Record<string, string> {
    const { request } = this;
    const headers: Record<string, string> = {
      // Exactly this, always: the Python client hands over bytes for anything else, the C++ one
      // crashes.
      "Content-Type": CONTENT_TYPE.json,
      "Content-Length": String(request.event.byteLength),
      [HEADER.requestId]: this.requestId,
      [HEADER.deadlineMs]: String(Math.round(deadlineMs)),
      [HEADER.invokedFunctionArn]: functionArn,
      [HEADER.traceId]: headerValue(request.traceId ?? newTraceId()),
      [HEADER.invocationId]: this.attemptId,
    };
    if (request.clientContext) headers[HEADER.clientContext] = headerValue(request.clientContext);
    if (request.cognitoIdentity) {
      headers[HEADER.cognitoIdentity] = headerValue(request.cognitoIdentity);
    }
    if (request.tenantId) headers[HEADER.tenantId] = headerValue(request.tenantId);
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      if (value !== "") headers[name] = headerValue(value);
    }
    return headers;
  }
}

/** A fresh X-Ray trace id, unsampled. */
export function newTraceId(): string {
  const hex = randomUUID().replaceAll("-", "");
  const seconds = Math.floor(Date.now() / 1000).toString(16);
  return `Root=1-${seconds}-${hex.slice(0, 24)};Parent=${hex.slice(16)};Sampled=0`;
}

/** UTF-8 bytes as header characters, with nothing in it that could end the header. */
function headerValue(text: string): string {
  return Buffer.from(text, "utf8")
    .toString("latin1")
    .replace(/[\r\n\0]/g, " ");
}

/** What is known besides the invocation's own times. */
type Known = Pick<InvocationReport, "initDurationMs" | "memorySizeMb" | "environment" | "log">;

/**
 * What the platform has measured of an invocation that has just ended.
 * @param peakBytes Memory that the runtime has had at most until now, in bytes.
 */
export function invocationReport(
  { requestId, postedAtMs, overAtMs, deliveredAtMs }: PendingInvocation,
  known: Known,
  peakBytes: () => number,
): InvocationReport {
  return {
    requestId,
    durationMs: (overAtMs || postedAtMs || performance.now()) - deliveredAtMs,
    ...known,
    // Read only when somebody looks, since it costs a look into /proc.
    get maxMemoryUsedMb() {
      return Math.ceil(peakBytes() / BYTES_PER_MB);
    },
  };
}
