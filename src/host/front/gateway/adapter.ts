/**
 * Function URLs and API Gateways as adapters.
 *
 * @module
 */

import { isUtf8 } from "node:buffer";

import { CONTENT_TYPE, EVENT_BYTES_MAX } from "../../../runtime-api/contract.ts";
import {
  type HttpRequest,
  type HttpResponse,
  jsonResponse,
  mediaType,
  textResponse,
} from "../../http/message.ts";
import {
  chunksOrFailure,
  type FunctionErrorOutcome,
  type InvocationOutcome,
  REJECTION,
  type RejectionReason,
  wholeOutcome,
} from "../../invocation/outcome.ts";
import { errorWords } from "../../invocation/platform-error.ts";
import type { LogMessage } from "../../invocation/platform-log.ts";
import type { Adapter, InvokeMode } from "../adapter.ts";
import { gatewayEvent, gatewayRequestId, isBinaryBody } from "./event.ts";
import { encodingHint, ignoredHint, malformedHint, unreadHint } from "./fault.ts";
import { type GatewayKind, type GatewayNames, isTextType, matchesMediaType } from "./kinds.ts";
import { splitPrelude, type SplitStream, streamedResponse } from "./prelude.ts";
import { gatewayResult, valueFault } from "./response.ts";

/** Largest request of an API Gateway, in bytes; with the event around it, Lambda's limit comes first. */
const GATEWAY_BODY_BYTES_MAX = 10 * 1024 * 1024;

/** Makes the adapter of one kind of front end. */
export function gatewayAdapter(
  kind: GatewayKind,
  names: GatewayNames,
  invokeMode: InvokeMode = "buffered",
): Adapter {
  const streaming = invokeMode === "response-stream";
  return {
    bodyBytesMax: kind === "function-url" ? EVENT_BYTES_MAX : GATEWAY_BODY_BYTES_MAX,
    tooLarge: tooLargeResponse(kind),
    toRequest: (request) => {
      const event = Buffer.from(JSON.stringify(gatewayEvent(kind, request, names)));
      const { requestId, traceId } = request;
      const log = bodyMessage(kind, request, names);
      return {
        kind: "invoke",
        request: { event, requestId, traceId, streaming },
        ...(log === undefined ? {} : { log }),
      };
    },
    toResponse: async (outcome, request) => {
      const response = await outcomeResponse(kind, outcome, request, names, streaming);
      return { ...response, headers: [...response.headers, ...tracingHeaders(kind, request)] };
    },
  };
}

async function outcomeResponse(
  kind: GatewayKind,
  outcome: InvocationOutcome,
  request: HttpRequest,
  names: GatewayNames,
  streaming: boolean,
): Promise<HttpResponse> {
  switch (outcome.kind) {
    case "response": {
      if (streaming) {
        const type = outcome.contentType ?? CONTENT_TYPE.octetStream;
        return { status: 200, headers: [["Content-Type", type]], body: outcome.body };
      }
      const accepted = matchesMediaType(request.headers["accept"], names.binaryMediaTypes);
      const result = gatewayResult(kind, outcome.body, accepted);
      if (result.kind === "response") {
        const { encoding, ignored, status, headers, body } = result;
        const response = { status, headers, body };
        if (encoding !== undefined) {
          return { ...response, log: encodingHint(encoding, names.binaryMediaTypes) };
        }
        const log = ignored === undefined ? unreadHint(outcome.body) : ignoredHint(ignored);
        return log === undefined ? response : { ...response, log };
      }
      const message = malformedHint(kind, result.fault, outcome.body);
      return { ...errorResponse(kind), log: { level: "error", message } };
    }
    case "stream": {
      if (!streaming) return bufferedStream(kind, outcome, request, names);
      const split = await splitPrelude(chunksOrFailure(outcome), outcome.contentType);
      return streamedResponse(split, outcome.contentType) ?? refusedPrelude(kind, split);
    }
    case "function-error":
      return failedResponse(kind, outcome);
    case "rejected":
      return rejectedResponse(kind, outcome.reason);
  }
}

/** A response that is streamed to a front end that takes it as a whole, with or without a prelude. */
async function bufferedStream(
  kind: GatewayKind,
  outcome: InvocationOutcome,
  request: HttpRequest,
  names: GatewayNames,
): Promise<HttpResponse> {
  const whole = await wholeOutcome(outcome);
  if (whole.kind !== "response") return outcomeResponse(kind, whole, request, names, false);
  const split = await splitPrelude(inOnePiece(whole.body), whole.contentType);
  if (split.prelude === undefined) return outcomeResponse(kind, whole, request, names, false);
  const response = streamedResponse(split);
  if (response === undefined) return refusedPrelude(kind, split);
  return { ...response, body: Buffer.concat(await Array.fromAsync(split.body)) };
}

async function* inOnePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A prelude without a status or headers that a response can have; the function runs on, unread. */
async function refusedPrelude(
  kind: GatewayKind,
  { prelude = {}, text = new Uint8Array(0), discard }: SplitStream,
): Promise<HttpResponse> {
  await discard();
  const wrongStatus = { kind: "status", value: prelude["statusCode"], text: true } as const;
  const message = malformedHint(kind, valueFault(prelude, true) ?? wrongStatus, text);
  return { ...errorResponse(kind), log: { level: "error", message } };
}

/** The front end does not say why the function failed, and so the log does; of a start, it has said it already. */
function failedResponse(kind: GatewayKind, outcome: FunctionErrorOutcome): HttpResponse {
  const response = errorResponse(kind);
  if (outcome.origin === "init") return response;
  const message = `the function failed: ${errorWords(outcome)}`;
  return { ...response, log: { level: "error", message } };
}

/** What each front end says when the function failed or returned what it cannot use. */
function errorResponse(kind: GatewayKind): HttpResponse {
  switch (kind) {
    case "function-url":
      return textResponse(502, "Internal Server Error");
    case "http-api-v2":
    case "http-api-v1":
      return jsonResponse(500, { message: "Internal Server Error" });
    case "rest":
    case "api-gateway":
      return {
        status: 502,
        headers: [
          ["Content-Type", "application/json"],
          ["x-amzn-ErrorType", "InternalServerErrorException"],
        ],
        // With the space, as REST APIs write it.
        body: '{"message": "Internal server error"}',
      };
  }
}

function rejectedResponse(kind: GatewayKind, reason: RejectionReason): HttpResponse {
  const { status, headers } = REJECTION[reason];
  switch (status) {
    case 413:
      return tooLargeResponse(kind);
    case 429:
      return kind === "function-url"
        ? jsonResponse(status, { Type: "User", message: "Rate Exceeded." }, headers)
        : jsonResponse(status, { message: "Too Many Requests" }, headers);
    case 503:
      return jsonResponse(status, { message: "Service Unavailable" }, headers);
  }
}

function tooLargeResponse(kind: GatewayKind): HttpResponse {
  const rest = kind === "rest" || kind === "api-gateway";
  return jsonResponse(413, { message: rest ? "Request Too Long" : "Request Entity Too Large" });
}

function tracingHeaders(kind: GatewayKind, request: HttpRequest): [string, string][] {
  switch (kind) {
    case "function-url":
      return [
        ["x-amzn-RequestId", request.requestId],
        ["x-amzn-Trace-Id", request.traceId],
      ];
    case "http-api-v2":
    case "http-api-v1":
      return [["Apigw-Requestid", gatewayRequestId(request)]];
    case "rest":
    case "api-gateway":
      return [
        ["x-amzn-RequestId", request.requestId],
        ["x-amz-apigw-id", gatewayRequestId(request)],
        ["X-Amzn-Trace-Id", request.traceId],
      ];
  }
}

/** What the developer should know of a body that does not reach the function as it was sent, as on AWS. */
function bodyMessage(
  kind: GatewayKind,
  request: HttpRequest,
  names: GatewayNames,
): LogMessage | undefined {
  const type = request.headers["content-type"];
  if (!isBinaryBody(kind, request, names)) {
    if (isUtf8(request.body)) return undefined;
    const fix =
      kind === "rest"
        ? "name its type a binary one: --binary-media-types"
        : "send it with a type that is binary, such as application/octet-stream";
    const message =
      `the body of type ${type ?? "(none)"} is not UTF-8: it reaches the function damaged, with U+FFFD ` +
      `in place of what is not text, as on AWS\n  ${fix}`;
    return { level: "warning", message };
  }
  const isForm = mediaType(type).essence === "application/x-www-form-urlencoded";
  const isConfigured = kind === "rest" || kind === "api-gateway";
  if (isConfigured || !isForm || isTextType(type) || request.body.byteLength === 0) {
    return undefined;
  }
  const message =
    "body arrived base64-encoded because Content-Type is " +
    "application/x-www-form-urlencoded, as on AWS.\n" +
    "      send -H 'content-type: application/json' or decode with: jq -r '.body|@base64d'";
  return { level: "hint", message };
}
