/**
 * What a runtime answers to an event, as its request says it.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";

import { CONTENT_TYPE, RESPONSE_MODE_STREAMING } from "../../runtime-api/contract.ts";
import type { PendingInvocation } from "../invocation/invocation.ts";
import type { PlatformError } from "../invocation/platform-error.ts";
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
export interface ErrorAnswer extends PlatformError {
  readonly kind: "error";
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
