/**
 * Outcomes as the answers of Invoke and InvokeWithResponseStream.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
 * @module
 */

import { EventStreamCodec } from "@smithy/core/event-streams";

import { CONTENT_TYPE, EVENT_BYTES_MAX } from "../../../runtime-api/contract.ts";
import type { HttpReply } from "../../http/message.ts";
import {
  type InvocationOutcome,
  type InvocationReport,
  type StreamEnd,
  wholeOutcome,
} from "../../invocation/outcome.ts";
import { reportLines } from "../../invocation/platform-log.ts";
import { INVOKE_HEADER, UNHANDLED } from "./contract.ts";
import { lambdaError } from "./error.ts";
import { requestTooLarge } from "./invoke-request.ts";

type Answered = Exclude<InvocationOutcome, { kind: "rejected" }>;

/** The answer of a synchronous Invoke, in AWS's form of today. */
export async function invokeReply(
  streamed: InvocationOutcome,
  requestId: string,
  logTail: boolean,
): Promise<HttpReply> {
  const outcome = await wholeOutcome(streamed);
  if (outcome.kind === "rejected") return rejectedReply(outcome.reason, requestId);
  const type = outcome.contentType;
  const headers: [string, string][] = [
    ["Content-Type", type === undefined || type === FORM_TYPE ? CONTENT_TYPE.json : type],
    [INVOKE_HEADER.requestId, requestId],
    [INVOKE_HEADER.executedVersion, "$LATEST"],
  ];
  if (outcome.kind === "function-error") headers.push([INVOKE_HEADER.functionError, UNHANDLED]);
  if (logTail) headers.push([INVOKE_HEADER.logResult, logResult(outcome.report)]);
  return { status: 200, headers, body: outcome.body };
}

/** What `curl -d` calls everything; no function means it. */
const FORM_TYPE = "application/x-www-form-urlencoded";

/** The answer of InvokeWithResponseStream: one event-stream message for each chunk, at once. */
export function streamReply(
  outcome: InvocationOutcome,
  requestId: string,
  logTail: boolean,
): HttpReply {
  if (outcome.kind === "rejected") return rejectedReply(outcome.reason, requestId);
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
export function rejectedReply(
  reason: Extract<InvocationOutcome, { kind: "rejected" }>["reason"],
  requestId: string,
): HttpReply {
  switch (reason) {
    case "queue-full":
    case "queue-timeout": {
      const members = {
        Type: "User",
        message: "Rate Exceeded.",
        Reason: "ReservedFunctionConcurrentInvocationLimitExceeded",
      };
      const again = [["Retry-After", "1"]] as const;
      return lambdaError(429, "TooManyRequestsException", members, requestId, again);
    }
    case "draining":
    case "caller-gone": {
      const members = { Type: "Service", Message: "The host is shutting down" };
      return lambdaError(503, "ServiceException", members, requestId, [["Retry-After", "1"]]);
    }
    case "event-too-large":
      return requestTooLarge(EVENT_BYTES_MAX, requestId);
  }
}

/** Bytes of one PayloadChunk at most; a larger write of the function becomes several. */
const CHUNK_BYTES_MAX = 1024 * 1024;

async function* eventStream(
  outcome: Answered,
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

/** How an answer ends, whether or not it is streamed. */
async function ended(outcome: Answered): Promise<StreamEnd> {
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
