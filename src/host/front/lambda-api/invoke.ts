/**
 * An Invoke request as an invocation: its headers read, its body checked.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 * @module
 */

import { EventStreamCodec } from "@smithy/core/event-streams";

import {
  ASYNC_EVENT_BYTES_MAX,
  CONTENT_TYPE,
  EVENT_BYTES_MAX,
} from "../../../runtime-api/contract.ts";
import { jsonComplaint } from "../../http/json-text.ts";
import type { HttpRequest, HttpResponse } from "../../http/message.ts";
import {
  type InvocationOutcome,
  type InvocationReport,
  type InvocationRequest,
  REJECTION,
  type RejectionReason,
  type StreamEnd,
  wholeOutcome,
} from "../../invocation/outcome.ts";
import { reportLines } from "../../invocation/platform-log.ts";
import {
  CLIENT_CONTEXT_BYTES_MAX,
  invalidParameter,
  INVOKE_HEADER,
  lambdaError,
  notImplemented,
  UNHANDLED,
} from "./contract.ts";

/** How the caller wants the function to be run. */
type InvocationType = "RequestResponse" | "Event" | "DryRun";

const INVOCATION_TYPES = ["RequestResponse", "Event", "DryRun"] as const;

/** A readable Invoke request, or its refusal. */
export type InvokeRequest =
  | {
      readonly kind: "valid";
      readonly invocationType: InvocationType;
      readonly request: InvocationRequest;
    }
  | { readonly kind: "refused"; readonly response: HttpResponse };

const LOG_TYPES = ["None", "Tail"];

/** What a tenant's id looks like. */
const TENANT_ID = /^[a-zA-Z0-9._:/=+\-@ ]{1,256}$/;

/** How a request is read. */
interface InvokeRules {
  /** The caller takes the response as it is written. */
  readonly streaming?: boolean;
  /** Any bytes are an event, JSON or not. */
  readonly anyEvent?: boolean;
}

/** Reads an Invoke request. */
export function invokeRequest(
  http: HttpRequest,
  qualifier: string | undefined,
  { streaming = false, anyEvent = false }: InvokeRules = {},
): InvokeRequest {
  const { headers, body, requestId } = http;
  const named = headers[INVOKE_HEADER.invocationType] ?? "RequestResponse";
  const invocationType = INVOCATION_TYPES.find((type) => type === named);
  const logType = headers[INVOKE_HEADER.logType] ?? "None";
  const tenantId = headers[INVOKE_HEADER.tenantId];
  const invalid = (member: string, value: string, constraint: string): InvokeRequest => ({
    kind: "refused",
    response: invalidParameter(member, value, `satisfy ${constraint}`, requestId),
  });
  if (invocationType === undefined) {
    return invalid("invocationType", named, "enum value set: [Event, RequestResponse, DryRun]");
  }
  if (!LOG_TYPES.includes(logType)) {
    return invalid("logType", logType, "enum value set: [None, Tail]");
  }
  if (tenantId !== undefined && !TENANT_ID.test(tenantId)) {
    return invalid("tenantId", tenantId, "regular expression pattern: [a-zA-Z0-9\\._:\\/=+\\-@ ]+");
  }
  if (headers[INVOKE_HEADER.durableExecutionName] !== undefined && !anyEvent) {
    // The event would run once, without what a durable execution promises.
    const response = notImplemented("X-Amz-Durable-Execution-Name", requestId);
    return { kind: "refused", response };
  }
  const bytesMax = invocationType === "Event" ? ASYNC_EVENT_BYTES_MAX : EVENT_BYTES_MAX;
  if (body.byteLength > bytesMax) {
    return { kind: "refused", response: requestTooLarge(bytesMax, requestId) };
  }
  const syntax = anyEvent || body.byteLength === 0 ? undefined : eventComplaint(body);
  if (syntax !== undefined) {
    const members = { Type: "User", message: syntax };
    return refused(400, "InvalidRequestContentException", members, requestId);
  }
  const context = clientContext(headers[INVOKE_HEADER.clientContext]);
  if (context.kind === "invalid") {
    const members = { Type: "User", message: context.message };
    return refused(400, "InvalidRequestContentException", members, requestId);
  }
  const request: InvocationRequest = {
    event: body.byteLength === 0 && !anyEvent ? Buffer.from("{}") : body,
    requestId,
    traceId: http.traceId,
    streaming,
    logTail: logType === "Tail",
    ...(qualifier === undefined ? {} : { qualifier }),
    // It reaches a function only whose caller waits.
    ...(context.json === undefined || invocationType === "Event"
      ? {}
      : { clientContext: context.json }),
    ...(tenantId === undefined ? {} : { tenantId }),
  };
  return { kind: "valid", invocationType, request };
}

/** What Lambda says of an event that is too large. */
export function requestTooLarge(bytesMax: number, requestId: string): HttpResponse {
  const message = `Request must be smaller than ${bytesMax} bytes for the InvokeFunction operation`;
  const members = { Type: "User", message };
  return lambdaError(413, "RequestEntityTooLargeException", members, requestId);
}

function refused(
  status: number,
  exception: Parameters<typeof lambdaError>[1],
  members: Readonly<Record<string, unknown>>,
  requestId: string,
): InvokeRequest {
  return { kind: "refused", response: lambdaError(status, exception, members, requestId) };
}

/** Why a body is not JSON, with what helps where the cause is known. */
function eventComplaint(body: Uint8Array): string | undefined {
  const reason = jsonComplaint(body);
  if (reason === undefined) return undefined;
  const words = "Could not parse request body into json: Could not parse payload into json";
  return `${words}: ${reason}${looksDecoded(body) ? BASE64_HINT : ""}`;
}

const BASE64_HINT =
  " (payload looks base64-decoded; aws-cli v2 needs --cli-binary-format raw-in-base64-out)";

/** The aws CLI v2 decodes its payload as base64 unless told otherwise, and sends the garbage. */
function looksDecoded(body: Uint8Array): boolean {
  const text = new TextDecoder().decode(body);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what garbage is known by.
  return /[\ufffd\x00-\x08\x0e-\x1f]/.test(text);
}

type ClientContext =
  | { readonly kind: "valid"; readonly json: string | undefined }
  | { readonly kind: "invalid"; readonly message: string };

function clientContext(encoded: string | undefined): ClientContext {
  if (encoded === undefined || encoded === "") return { kind: "valid", json: undefined };
  if (encoded.length > CLIENT_CONTEXT_BYTES_MAX) {
    const message = `Client context must be at most ${CLIENT_CONTEXT_BYTES_MAX} bytes`;
    return { kind: "invalid", message };
  }
  const wellFormed = /^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded);
  const json = Buffer.from(encoded, "base64").toString("utf8");
  try {
    if (!wellFormed) throw new SyntaxError("not base64");
    JSON.parse(json);
    return { kind: "valid", json };
  } catch {
    return {
      kind: "invalid",
      message: "Client context must be a valid Base64-encoded JSON object.",
    };
  }
}

type HandledOutcome = Exclude<InvocationOutcome, { kind: "rejected" }>;

/** The response of a synchronous Invoke, in AWS's form of today. */
export async function invokeResponse(
  streamed: InvocationOutcome,
  requestId: string,
  logTail: boolean,
): Promise<HttpResponse> {
  const outcome = await wholeOutcome(streamed);
  if (outcome.kind === "rejected") return rejectedResponse(outcome.reason, requestId);
  const type = outcome.contentType;
  const headers: [string, string][] = [
    ["Content-Type", type === undefined || type === FORM_TYPE ? CONTENT_TYPE.json : type],
    [INVOKE_HEADER.requestId, requestId],
    [INVOKE_HEADER.executedVersion, "$LATEST"],
  ];
  if (outcome.kind === "function-error") headers.push([INVOKE_HEADER.functionError, UNHANDLED]);
  if (logTail) headers.push([INVOKE_HEADER.logResult, logResult(outcome.report)]);
  return { status: 200, headers, body: outcome.body, failed: outcome.kind === "function-error" };
}

/** What `curl -d` calls everything; no function means it. */
const FORM_TYPE = "application/x-www-form-urlencoded";

/** The response of InvokeWithResponseStream: one event-stream message for each chunk, at once. */
export function streamResponse(
  outcome: InvocationOutcome,
  requestId: string,
  logTail: boolean,
): HttpResponse {
  if (outcome.kind === "rejected") return rejectedResponse(outcome.reason, requestId);
  const type = outcome.contentType ?? CONTENT_TYPE.octetStream;
  const ending = ended(outcome);
  return {
    status: 200,
    headers: [
      ["Content-Type", "application/vnd.amazon.eventstream"],
      [INVOKE_HEADER.requestId, requestId],
      [INVOKE_HEADER.executedVersion, "$LATEST"],
      [INVOKE_HEADER.remappedContentType, type],
    ],
    body: eventStream(outcome, ending, logTail),
    failed: ending.then(({ kind }) => kind === "function-error"),
  };
}

/** What a caller is told whose event was not run. */
export function rejectedResponse(reason: RejectionReason, requestId: string): HttpResponse {
  const { status, headers } = REJECTION[reason];
  switch (status) {
    case 413:
      return requestTooLarge(EVENT_BYTES_MAX, requestId);
    case 429: {
      const members = {
        Type: "User",
        message: "Rate Exceeded.",
        Reason: "ReservedFunctionConcurrentInvocationLimitExceeded",
      };
      return lambdaError(status, "TooManyRequestsException", members, requestId, headers);
    }
    case 503: {
      const members = { Type: "Service", Message: "The host is shutting down" };
      return lambdaError(status, "ServiceException", members, requestId, headers);
    }
  }
}

/** Bytes of one PayloadChunk at most; a larger write of the function becomes several. */
const CHUNK_BYTES_MAX = 1024 * 1024;

async function* eventStream(
  outcome: HandledOutcome,
  ending: Promise<StreamEnd>,
  logTail: boolean,
): AsyncGenerator<Uint8Array> {
  if (outcome.kind === "stream") {
    for await (const chunk of outcome.chunks) yield* payloadChunks(chunk);
  } else if (outcome.kind === "response") {
    yield* payloadChunks(outcome.body);
  }
  const end = await ending;
  const log = logTail ? { LogResult: logResult(end.report) } : {};
  const complete = JSON.stringify({ ...errorMembers(end), ...log });
  yield message("InvokeComplete", CONTENT_TYPE.json, complete);
}

/** How a response ends, whether or not it is streamed. */
async function ended(outcome: HandledOutcome): Promise<StreamEnd> {
  switch (outcome.kind) {
    case "stream":
      return outcome.end;
    case "response":
      return { kind: "complete", report: outcome.report };
    case "function-error":
      return outcome;
  }
}

function errorMembers(end: StreamEnd): Record<string, string> {
  if (end.kind === "complete") return {};
  return { ErrorCode: end.errorType, ErrorDetails: new TextDecoder().decode(end.body) };
}

function* payloadChunks(chunk: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < chunk.byteLength; at += CHUNK_BYTES_MAX) {
    const piece = chunk.subarray(at, at + CHUNK_BYTES_MAX);
    yield message("PayloadChunk", CONTENT_TYPE.octetStream, piece);
  }
}

const codec = new EventStreamCodec(
  (bytes) => new TextDecoder().decode(bytes as Uint8Array),
  (text) => new TextEncoder().encode(text),
);

/** Without `:message-type` the SDK for JavaScript crashes. */
function message(eventType: string, contentType: string, body: Uint8Array | string): Uint8Array {
  return codec.encode({
    headers: {
      ":message-type": { type: "string", value: "event" },
      ":event-type": { type: "string", value: eventType },
      ":content-type": { type: "string", value: contentType },
    },
    body: typeof body === "string" ? new TextEncoder().encode(body) : body,
  });
}

function logResult(report: InvocationReport): string {
  return Buffer.from(reportLines(report)).toString("base64");
}
