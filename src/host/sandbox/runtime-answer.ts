/**
 * What a runtime answers to an event, as its request says it.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";

import { CONTENT_TYPE, HEADER, RESPONSE_MODE_STREAMING } from "../../runtime-api/contract.ts";
import { recordedErrorType } from "../../runtime-api/function-error.ts";
import type { PendingInvocation } from "../invocation/invocation.ts";
import { errorForCaller } from "./reported-error.ts";
import type { ResponseStream } from "./response-stream.ts";

/** What the runtime did with an invocation, before the platform adds its measurements. */
export type RuntimeAnswer =
  | { readonly kind: "response"; readonly body: Uint8Array; readonly contentType?: string }
  | StreamAnswer
  | ErrorAnswer
  | { readonly kind: "too-large"; readonly byteLength: number }
  | { readonly kind: "invalid-mode" }
  | { readonly kind: "truncated" };

/** A response that is still written. */
export interface StreamAnswer {
  readonly kind: "stream";
  readonly stream: ResponseStream;
  readonly contentType?: string;
}

/** An error that the runtime reported, of an invocation or of its start. */
export interface ErrorAnswer {
  readonly kind: "error";
  readonly body: Uint8Array;
  readonly contentType: string;
  /** As the platform records it. */
  readonly errorType: string;
}

/** True when the caller is to get the response while it is written. */
export function isStreamed(
  mode: string,
  contentType: string | undefined,
  request: IncomingMessage,
  invocation: PendingInvocation,
): boolean {
  if (mode === RESPONSE_MODE_STREAMING) return true;
  if (contentType?.startsWith(CONTENT_TYPE.httpIntegrationResponse) === true) return true;
  // aws-lambda-go streams without saying so: every response of it is chunked.
  const chunked = request.headers["transfer-encoding"]?.toLowerCase() === "chunked";
  return chunked && invocation.request.streaming === true;
}

/** The error that a request to `/error` or `/init/error` reports. */
export function errorAnswer(request: IncomingMessage, bytes: Uint8Array): ErrorAnswer {
  const header = request.headers[HEADER.errorType.toLowerCase()];
  const named = typeof header === "string" ? header : "";
  return {
    kind: "error",
    errorType: recordedErrorType(named),
    ...errorForCaller(bytes, request.headers["content-type"]),
  };
}
