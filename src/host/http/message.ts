/**
 * HTTP messages: a request as it came over the wire, a reply as it is written.
 *
 * @module
 */

import type { MatchedRoute } from "./route-table.ts";

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
