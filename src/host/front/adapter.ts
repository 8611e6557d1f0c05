/**
 * An adapter is a pair of pure functions: an HTTP request to an event, an outcome to an HTTP response. The
 * one that changes neither stands below.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";

import { CONTENT_TYPE, EVENT_BYTES_MAX } from "../../runtime-api/contract.ts";
import { isJson } from "../http/json-text.ts";
import { type HttpRequest, type HttpResponse, jsonResponse } from "../http/message.ts";
import {
  chunksOrFailure,
  errorStatus,
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

/**
 * Makes the simplest adapter, passthrough: the body of any request is the event, the response is the body of the
 * response.
 * @param bodyBytesMax Largest body, in bytes.
 */
export function plainAdapter(bodyBytesMax: number = EVENT_BYTES_MAX): Adapter {
  return {
    bodyBytesMax,
    tooLarge: jsonResponse(413, { message: `Request must be smaller than ${bodyBytesMax} bytes` }),
    toRequest: ({ body, requestId, traceId }) => ({
      kind: "invoke",
      request: { event: body, requestId, traceId },
    }),
    toResponse: plainResponse,
  };
}

/** The response as it is; errors and rejections as JSON with a status that tells them apart. */
function plainResponse(outcome: InvocationOutcome): HttpResponse {
  switch (outcome.kind) {
    case "response":
      return {
        status: 200,
        headers: [["Content-Type", responseType(outcome.body, outcome.contentType)]],
        body: outcome.body,
      };
    case "stream":
      return {
        status: 200,
        headers: [["Content-Type", outcome.contentType ?? CONTENT_TYPE.octetStream]],
        body: chunksOrFailure(outcome),
      };
    case "function-error":
      return {
        status: errorStatus(outcome.origin),
        headers: [["Content-Type", outcome.contentType]],
        body: outcome.body,
      };
    case "rejected":
      return rejectionResponse(outcome.reason);
  }
}

/** JSON when it is JSON, whatever the runtime calls it; else text when it is UTF-8; else bytes. */
function responseType(body: Uint8Array, contentType: string | undefined): string {
  if (contentType !== undefined && !UNTOLD_TYPES.has(contentType)) return contentType;
  if (isJson(body)) return CONTENT_TYPE.json;
  return isUtf8(body) ? "text/plain; charset=utf-8" : CONTENT_TYPE.octetStream;
}

/** Types that say nothing of a response: every bootstrap sends one of them for anything. */
const UNTOLD_TYPES: ReadonlySet<string> = new Set([
  CONTENT_TYPE.json,
  "application/x-www-form-urlencoded",
]);
