/**
 * An adapter is a pair of pure functions: an HTTP request to an event, an outcome to an HTTP response.
 *
 * @module
 */

import { type HttpRequest, type HttpResponse, jsonResponse } from "../http/message.ts";
import {
  type InvocationOutcome,
  type InvocationRequest,
  REJECTION,
  type RejectionReason,
  type RejectionStatus,
} from "../invocation/outcome.ts";
import type { LogMessage } from "../invocation/platform-log.ts";

/** The type and source of a CloudEvent, by which metrics tell events apart. */
export type EventLabels = readonly [type: string, source: string];

/** Responds to one event of a request that has several, by the adapter that it is for. */
export type RespondToElement = (element: HttpRequest, adapter: Adapter) => Promise<HttpResponse>;

/** What an adapter makes of a request: an invocation, several, or an immediate response. */
export type AdaptedRequest =
  | {
      readonly kind: "invoke";
      readonly request: InvocationRequest;
      readonly log?: LogMessage;
      readonly labels?: EventLabels;
    }
  | {
      readonly kind: "batch";
      /** Has the events handled in order, and makes one response of theirs. */
      readonly run: (respond: RespondToElement) => Promise<HttpResponse>;
    }
  | { readonly kind: "response"; readonly response: HttpResponse };

/** How a Function URL hands on responses. */
export type InvokeMode = "buffered" | "response-stream";

/** One form of events over HTTP. */
export interface Adapter {
  /** Largest body that is read, in bytes. */
  readonly bodyBytesMax: number;
  /** What a body that is larger gets. */
  readonly tooLarge: HttpResponse;
  toRequest(request: HttpRequest): AdaptedRequest;
  /** May read a streamed response as far as its prelude; otherwise pure. */
  toResponse(
    outcome: InvocationOutcome,
    request: HttpRequest,
  ): HttpResponse | Promise<HttpResponse>;
}

const REJECTION_WORDS: Readonly<Record<RejectionStatus["status"], string>> = {
  413: "Request Entity Too Large",
  429: "Rate Exceeded.",
  503: "Service Unavailable",
};

/** What a caller is told whose event was not run. */
export function rejectionResponse(reason: RejectionReason): HttpResponse {
  const { status, headers } = REJECTION[reason];
  return jsonResponse(status, { message: REJECTION_WORDS[status] }, headers);
}
