/**
 * An adapter is a pair of pure functions: an HTTP request to an event, an outcome to an HTTP reply.
 *
 * @module
 */

import type { MatchedRoute } from "../http/route-table.ts";
import type { InvocationOutcome, InvocationRequest } from "../invocation/outcome.ts";

/** An HTTP request as it came over the wire, its body read. */
export interface HttpRequest {
  readonly method: string;
  /** Request target without the query, byte for byte. */
  readonly rawPath: string;
  /** Query without `?`, byte for byte; empty when there is none. */
  readonly rawQuery: string;
  /** Every header line in order, names as sent. */
  readonly headerLines: readonly (readonly [name: string, value: string])[];
  /** Values by lower-case name; of repeated ones the first, but for those Node joins. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
  readonly sourceIp: string;
  readonly receivedAtMs: number;
  /** The route by which it has come; absent where there are none. */
  readonly route?: MatchedRoute;
  /** UUID that becomes the invocation's request id. */
  readonly requestId: string;
  readonly traceId: string;
}

/** An HTTP reply; a streamed body is written as it comes. */
export interface HttpReply {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | string | AsyncIterable<Uint8Array>;
  /** Whether a streamed body is one that failed, once its end has come; absent, status and headers tell. */
  readonly failed?: Promise<boolean>;
  /** What the developer should know of this reply; the caller does not get it. */
  readonly hint?: string;
}

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

/** A reply of JSON text. */
export function jsonReply(
  status: number,
  value: unknown,
  headers: HttpReply["headers"] = [],
): HttpReply {
  return {
    status,
    headers: [["Content-Type", "application/json"], ...headers],
    body: JSON.stringify(value),
  };
}

/** A reply of plain text. */
export function textReply(
  status: number,
  body: string,
  headers: HttpReply["headers"] = [],
): HttpReply {
  return { status, headers: [["Content-Type", "text/plain; charset=utf-8"], ...headers], body };
}
