/**
 * CloudEvents in and out, with the statuses that a Knative sender expects.
 *
 * @see https://github.com/knative/specs/blob/main/specs/eventing/data-plane.md
 * @module
 */

import { EVENT_BYTES_MAX } from "../../../runtime-api/contract.ts";
import { type HttpRequest, type HttpResponse, jsonResponse } from "../../http/message.ts";
import {
  errorStatus,
  type InvocationOutcome,
  type InvocationRequest,
  wholeOutcome,
} from "../../invocation/outcome.ts";
import type { LogMessage } from "../../invocation/platform-log.ts";
import {
  type AdaptedRequest,
  type Adapter,
  type EventLabels,
  rejectionResponse,
} from "../adapter.ts";
import { readBatch, runBatch } from "./batch.ts";
import {
  type CloudEvent,
  type CloudEventDefaults,
  completeEvent,
  dataBytes,
  formatStructured,
  isCloudEventJson,
  wrapData,
} from "./cloud-event.ts";
import { cloudEventResponse, type ContentMode, readCloudEvent, requestMode } from "./http.ts";

/** How events reach the function and how its responses become events. */
export interface CloudEventOptions {
  readonly defaults: CloudEventDefaults;
  /** `event`: the whole event in JSON; `data`: its data alone, the attributes in the client context. */
  readonly input: "event" | "data";
  /** `auto`: in the mode of the request. */
  readonly output: "auto" | "structured" | "binary" | "none";
  /** `event`: the function always returns events; `data`: only what has `specversion` is one. */
  readonly responseMode: "data" | "event";
  readonly bodyBytesMax: number;
  /** Takes `application/cloudevents-batch+json`. */
  readonly batch?: boolean;
  /** Replies with an event only to those who send `Prefer: reply`. */
  readonly requirePreferReply?: boolean;
}

/** Header of `/next` that TriggerMesh gave the attributes in. */
const CONTEXT_HEADER = "Lambda-Runtime-Cloudevents-Context";

/** Events a minute that a sender is told in the web hook handshake. */
const ALLOWED_RATE = "*";

/** Makes the adapter. */
export function cloudEventsAdapter(options: CloudEventOptions): Adapter {
  return {
    bodyBytesMax: Math.min(options.bodyBytesMax, EVENT_BYTES_MAX),
    tooLarge: problem(413, `the event is larger than ${options.bodyBytesMax} bytes`),
    toRequest: (request) => adapt(request, options),
    toResponse: (outcome, request) => outcomeResponse(outcome, request, options),
  };
}

function adapt(request: HttpRequest, options: CloudEventOptions): AdaptedRequest {
  if (request.method === "OPTIONS" && request.headers["webhook-request-origin"] !== undefined) {
    return { kind: "response", response: webHookHandshake() };
  }
  const { requestId, traceId } = request;
  const read = readCloudEvent(request);
  switch (read.kind) {
    case "plain": {
      const log = read.missing.length === 0 ? {} : { log: notAnEvent(read.missing) };
      return { kind: "invoke", request: { event: request.body, requestId, traceId }, ...log };
    }
    case "event":
      return {
        kind: "invoke",
        request: eventRequest(read.event, request, options),
        labels: eventLabels(read.event),
      };
    case "batch":
      return options.batch === true
        ? adaptBatch(request, options)
        : { kind: "response", response: problem(415, NO_BATCHES) };
    case "unsupported":
      return { kind: "response", response: problem(415, `${read.mediaType} is not supported`) };
    case "invalid":
      return { kind: "response", response: problem(400, `not a valid CloudEvent: ${read.reason}`) };
  }
}

/** What the developer should know of a sender that has forgotten some headers. */
function notAnEvent(missing: readonly string[]): LogMessage {
  const names = missing.join(", ");
  const message =
    `a request has headers of a CloudEvent and not ${names}: the function gets its body alone\n` +
    `  send ${names} too`;
  return { level: "warning", message };
}

const NO_BATCHES =
  "batches of CloudEvents are not taken here: send the events one by one, " +
  "or serve with --ce-batch";

function adaptBatch(request: HttpRequest, options: CloudEventOptions): AdaptedRequest {
  const batch = readBatch(request);
  if (batch.kind === "invalid") {
    return { kind: "response", response: problem(400, `not a valid batch: ${batch.reason}`) };
  }
  // Replies stand together in one body, where only the JSON form has a place.
  const output = options.output === "none" ? "none" : "structured";
  const adapter = cloudEventsAdapter({ ...options, output, batch: false });
  return { kind: "batch", run: (respond) => runBatch(batch.elements, adapter, respond) };
}

function eventLabels({ attributes }: CloudEvent): EventLabels {
  return [String(attributes.get("type")), String(attributes.get("source"))];
}

function eventRequest(
  event: CloudEvent,
  { requestId, traceId }: HttpRequest,
  options: CloudEventOptions,
): InvocationRequest {
  const context = contextHeaders(event.attributes);
  const whole = options.input === "event";
  const bytes = whole ? Buffer.from(formatStructured(event)) : dataBytes(event.data);
  // Lambda's events are JSON, so an event without data is `null`.
  const payload = bytes.byteLength === 0 ? Buffer.from("null") : bytes;
  return { event: payload, requestId, traceId, ...context };
}

/** The attributes as TriggerMesh gave them to a function: sorted, each as text. */
export function contextHeaders(
  attributes: CloudEvent["attributes"],
): Pick<InvocationRequest, "clientContext" | "headers"> {
  const sorted = [...attributes].sort(([a], [b]) => (a < b ? -1 : 1));
  const context = Object.fromEntries(sorted.map(([name, value]) => [name, String(value)]));
  return {
    clientContext: JSON.stringify({ custom: context }),
    headers: { [CONTEXT_HEADER]: JSON.stringify(context) },
  };
}

async function outcomeResponse(
  streamed: InvocationOutcome,
  request: HttpRequest,
  options: CloudEventOptions,
): Promise<HttpResponse> {
  const outcome = await wholeOutcome(streamed);
  switch (outcome.kind) {
    case "rejected":
      return rejectionResponse(outcome.reason);
    case "function-error":
      // A plain problem, never an event: a sender must not take a failure for a response.
      return {
        status: errorStatus(outcome.origin),
        headers: [["Content-Type", "application/json"]],
        body: outcome.body,
      };
    case "response":
      return resultResponse(outcome.body, request, options);
  }
}

function resultResponse(
  body: Uint8Array,
  request: HttpRequest,
  options: CloudEventOptions,
): HttpResponse {
  const mode = contentMode(request, options.output);
  const unwanted = options.requirePreferReply === true && !prefersReply(request);
  if (body.byteLength === 0 || mode === undefined || options.defaults.type === "" || unwanted) {
    return { status: 202, headers: [], body: "" };
  }
  if (options.responseMode === "event" || isCloudEventJson(body)) {
    const completed = completeEvent(body, options.defaults);
    if (completed.kind === "event") return cloudEventResponse(completed.event, mode);
    return problem(500, `Response conversion error: ${completed.reason}`);
  }
  return cloudEventResponse(wrapData(body, options.defaults), mode);
}

function contentMode(
  request: HttpRequest,
  output: CloudEventOptions["output"],
): ContentMode | undefined {
  switch (output) {
    case "none":
      return undefined;
    case "structured":
    case "binary":
      return output;
    case "auto":
      return requestMode(request);
  }
}

/**
 * True when the sender takes an event for a response: `reply` among its preferences.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7240
 */
function prefersReply({ headerLines }: HttpRequest): boolean {
  return headerLines
    .filter(([name]) => name.toLowerCase() === "prefer")
    .flatMap(([, value]) => value.split(","))
    .some((preference) => /^\s*reply\s*($|[;=])/i.test(preference));
}

/** @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md */
function webHookHandshake(): HttpResponse {
  return {
    status: 200,
    headers: [
      ["WebHook-Allowed-Origin", "*"],
      ["WebHook-Allowed-Rate", ALLOWED_RATE],
      ["Allow", "POST"],
    ],
    body: "",
  };
}

function problem(status: number, message: string): HttpResponse {
  return jsonResponse(status, { message });
}
