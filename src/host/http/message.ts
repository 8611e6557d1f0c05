/**
 * HTTP messages: a request as it came over the wire, a response as it is written.
 *
 * @module
 */

import { MIMEType } from "node:util";

import type { LogMessage } from "../invocation/platform-log.ts";
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

/** An HTTP response; a streamed body is written as it comes. */
export interface HttpResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | string | AsyncIterable<Uint8Array>;
  /** Whether the function failed; of a streamed body once its end has come. Absent, the status tells. */
  readonly failed?: boolean | Promise<boolean>;
  /** Fulfilled when the request's body is needed no more; absent where that is so with the response. */
  readonly requestDone?: Promise<void>;
  /** What the developer should know of this response; the caller does not get it. */
  readonly log?: LogMessage;
}

/** An address as it may be shown: without its password, also where it is malformed. */
export function shownAddress(text: string): string {
  const password = URL.parse(text)?.host ? /(?<=^[^/]*\/\/[^/?#:]*):[^/?#]*@/ : /:(?!\/\/).*@/s;
  return text.replace(password, ":***@");
}

/** A response of JSON text. */
export function jsonResponse(
  status: number,
  value: unknown,
  headers: HttpResponse["headers"] = [],
): HttpResponse {
  return {
    status,
    headers: [["Content-Type", "application/json"], ...headers],
    body: JSON.stringify(value),
  };
}

/** A response of plain text. */
export function textResponse(
  status: number,
  body: string,
  headers: HttpResponse["headers"] = [],
): HttpResponse {
  return { status, headers: [["Content-Type", "text/plain; charset=utf-8"], ...headers], body };
}

/** A target in its parts, byte for byte. */
interface RequestTarget {
  readonly rawPath: string;
  /** Without `?`; empty when there is none. */
  readonly rawQuery: string;
  /** Host and port of a target in absolute form, which stand in place of the header's. */
  readonly host?: string;
}

/** `http://host/path`, as clients send it to what they take for a proxy. */
const ABSOLUTE_FORM = /^https?:\/\/(?:[^/?@]*@)?([^/?]+)(.*)$/i;

/**
 * Takes a target apart.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */
export function parseTarget(target: string): RequestTarget {
  const [, host, rest = ""] = ABSOLUTE_FORM.exec(target) ?? [];
  const origin = host === undefined ? target : rest.replace(/^(?!\/)/, "/");
  const at = origin.indexOf("?");
  return {
    rawPath: at === -1 ? origin : origin.slice(0, at),
    rawQuery: at === -1 ? "" : origin.slice(at + 1),
    ...(host === undefined ? {} : { host }),
  };
}

/** Text without its percent-encoding; nothing when it is wrongly encoded. */
export function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Percent-decoding of a path or a part of it; what is wrongly encoded stays. */
export function decodePath(path: string): string {
  return decodePercent(path) ?? path;
}

/** What a Content-Type says. */
interface MediaType {
  /** `type/subtype` in lower case; empty where there is none. */
  readonly essence: string;
  /** In lower case. */
  readonly charset: string | undefined;
}

/** Reads a Content-Type; one that is malformed, or absent, has an empty essence. */
export function mediaType(text = ""): MediaType {
  try {
    const { essence, params } = new MIMEType(text);
    return { essence, charset: params.get("charset")?.toLowerCase() };
  } catch {
    return { essence: "", charset: undefined };
  }
}

/** Names and values of a query in order, decoded; `+` is a space. */
export function queryPairs(rawQuery: string): readonly (readonly [string, string])[] {
  if (rawQuery === "") return [];
  return rawQuery
    .split("&")
    .filter((part) => part !== "")
    .map((part) => {
      const at = part.indexOf("=");
      const name = at === -1 ? part : part.slice(0, at);
      const value = at === -1 ? "" : part.slice(at + 1);
      return [decodeQuery(name), decodeQuery(value)] as const;
    });
}

function decodeQuery(text: string): string {
  return decodePath(text.replaceAll("+", " "));
}

/** True for a body of which the parts come one after another. */
export function isStream(body: HttpResponse["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body !== "string" && !(body instanceof Uint8Array);
}
