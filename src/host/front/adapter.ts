/**
 * An adapter is a pair of pure functions: an HTTP request to an event, an outcome to an HTTP reply.
 *
 * @module
 */

import { type HttpReply, type HttpRequest, jsonReply } from "../http/message.ts";
import {
  type InvocationOutcome,
  type InvocationRequest,
  REJECTION,
  type RejectionReason,
  type RejectionStatus,
} from "../invocation/outcome.ts";

/** The type and source of a CloudEvent, by which metrics tell events apart. */
export type EventLabels = readonly [type: string, source: string];

/** Answers one event of a request that has several, by the adapter that it is for. */
export type AnswerElement = (element: HttpRequest, adapter: Adapter) => Promise<HttpReply>;

/** What an adapter makes of a request: an invocation, several, or an immediate reply. */
export type AdaptedRequest =
  | {
      readonly kind: "invoke";
      readonly request: InvocationRequest;
      readonly hint?: string;
      readonly labels?: EventLabels;
    }
  | {
      readonly kind: "batch";
      /** Has the events answered in order, and makes one reply of theirs. */
      readonly run: (answer: AnswerElement) => Promise<HttpReply>;
    }
  | { readonly kind: "reply"; readonly reply: HttpReply };

/** How a Function URL hands on responses. */
export type InvokeMode = "buffered" | "response-stream";

/** One form of events over HTTP. */
export interface Adapter {
  /** Largest body that is read, in bytes. */
  readonly bodyBytesMax: number;
  /** What a body that is larger is answered. */
  readonly tooLarge: HttpReply;
  toRequest(request: HttpRequest): AdaptedRequest;
  /** May read a streamed response as far as its prelude; otherwise pure. */
  toReply(outcome: InvocationOutcome, request: HttpRequest): HttpReply | Promise<HttpReply>;
}

const REJECTION_WORDS: Readonly<Record<RejectionStatus["status"], string>> = {
  413: "Request Entity Too Large",
  429: "Rate Exceeded.",
  503: "Service Unavailable",
};

/** What a caller is told whose event was not run. */
export function rejectionReply(reason: RejectionReason): HttpReply {
  const { status, headers } = REJECTION[reason];
  return jsonReply(status, { message: REJECTION_WORDS[status] }, headers);
}
