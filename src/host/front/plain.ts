/**
 * Passthrough: the body of any request is the event, the response is the body of the response.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";

import { CONTENT_TYPE, EVENT_BYTES_MAX } from "../../runtime-api/contract.ts";
import { isJson } from "../http/json-text.ts";
import { type HttpResponse, jsonResponse } from "../http/message.ts";
import { chunksOrFailure, errorStatus, type InvocationOutcome } from "../invocation/outcome.ts";
import { type Adapter, rejectionResponse } from "./adapter.ts";

/**
 * Makes the adapter.
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
