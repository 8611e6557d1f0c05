/**
 * Function URLs and API Gateways as adapters.
 *
 * @module
 */

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
  type InvocationOutcome,
  REJECTION,
  type RejectionReason,
} from "../../invocation/outcome.ts";
import type { Adapter, InvokeMode } from "../adapter.ts";
import { gatewayEvent, gatewayRequestId } from "./event.ts";
import { malformedHint } from "./fault.ts";
import { type GatewayKind, type GatewayNames, isTextType, matchesMediaType } from "./kinds.ts";
import { splitPrelude, type SplitStream, streamedResponse } from "./prelude.ts";
import { gatewayResult } from "./response.ts";

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
      const hint = base64Hint(kind, request);
      return {
        kind: "invoke",
        request: { event, requestId, traceId, streaming },
        ...(hint === undefined ? {} : { log: { level: "hint", message: hint } as const }),
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
      if (result.kind === "response") return result;
      const message = malformedHint(kind, result.fault, outcome.body);
      return { ...errorResponse(kind), log: { level: "error", message } };
    }
    case "stream": {
      const split = await splitPrelude(chunksOrFailure(outcome));
      return streamedResponse(split, outcome.contentType) ?? refusedPrelude(kind, split);
    }
    case "function-error":
      return errorResponse(kind);
    case "rejected":
      return rejectedResponse(kind, outcome.reason);
  }
}

/** A prelude without a status that a response can have; the function runs on, unread. */
async function refusedPrelude(
  kind: GatewayKind,
  { prelude = {}, discard }: SplitStream,
): Promise<HttpResponse> {
  await discard();
  const fault = { kind: "status", value: prelude["statusCode"], text: true } as const;
  const message = malformedHint(kind, fault, Buffer.from(JSON.stringify(prelude)));
  return { ...errorResponse(kind), log: { level: "error", message } };
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

/** Tells why the body is base64 when curl's default type made it so, as on AWS. */
function base64Hint(kind: GatewayKind, request: HttpRequest): string | undefined {
  const type = request.headers["content-type"];
  if (kind === "rest" || kind === "api-gateway" || request.body.byteLength === 0) return undefined;
  if (isTextType(type) || mediaType(type).essence !== "application/x-www-form-urlencoded") {
    return undefined;
  }
  return (
    "body arrived base64-encoded because Content-Type is " +
    "application/x-www-form-urlencoded, as on AWS.\n" +
    "      send -H 'content-type: application/json' or decode with: jq -r '.body|@base64d'"
  );
}
