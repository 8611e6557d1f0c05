/**
 * Requests and responses as TriggerMesh's invoker has them, bugs included, for `--compat
 * triggermesh`.
 *
 * @see https://github.com/triggermesh/aws-custom-runtime
 * @module
 */

import { randomUUID } from "node:crypto";

import type { AdaptedRequest, Adapter } from "../host/front/adapter.ts";
import { contextHeaders } from "../host/front/cloud-events/adapter.ts";
import {
  type CloudEventDefaults,
  formatStructured,
  SPEC_VERSION,
  STRUCTURED_TYPE,
  wrapData,
} from "../host/front/cloud-events/cloud-event.ts";
import { cloudEventDefaults, type FrontVariables, type ServeFormat } from "../host/front/select.ts";
import {
  DELIVERY_TIMEOUT_MS,
  type ResponseSink,
  TOO_LARGE,
  wholeBody,
} from "../host/front/sink.ts";
import { compactJson, rawMembers } from "../host/http/json-text.ts";
import { type HttpRequest, type HttpResponse, shownAddress } from "../host/http/message.ts";
import type { Caller } from "../host/http/server.ts";
import {
  type InvocationOutcome,
  type InvocationRequest,
  wholeOutcome,
} from "../host/invocation/outcome.ts";
import type { HostLog } from "../host/invocation/platform-log.ts";
import type { FunctionSettings } from "../host/invocation/settings.ts";
import { CONTENT_TYPE, EVENT_BYTES_MAX } from "../runtime-api/contract.ts";

/** What `serve --compat triggermesh` does otherwise. */
export const triggermesh = {
  serve: {
    // Neither Lambda's API nor a probe has a path there.
    ownsEveryPath: true,
    adapter: (format: ServeFormat, variables: FrontVariables) =>
      triggermeshAdapter({
        cloudEvents: format === "cloudevents",
        defaults: cloudEventDefaults(variables),
        responseMode: variables.responseMode,
        bodyBytesMax: variables.bodyBytesMax ?? BODY_BYTES_MAX,
      }),
    defaults: (variables: Readonly<Record<string, string | undefined>>) => ({
      timeout: variables["FUNCTION_TTL"] ?? TIMEOUT,
    }),
    settings: blockingSettings,
    sink: (url: string, log: HostLog): ResponseSink => ({
      deliver: (response, hold) => deliver(response, hold, url, log),
    }),
  },
} as const;

/** Time that TriggerMesh's invoker gives an event. */
const TIMEOUT = "10s";

/** TriggerMesh's limit, in bytes. */
const BODY_BYTES_MAX = 5_000_000;

/** Events that may wait where callers wait for their turn instead of being refused. */
const BLOCKING_QUEUE_MAX = 1_000_000;

/**
 * Settings as TriggerMesh's invoker has them: it lets a caller wait for its turn, counts the wait
 * as the event's time, and numbers its bootstraps.
 */
function blockingSettings(
  settings: FunctionSettings,
  options: { readonly queue?: string; readonly queueTimeout?: string },
): FunctionSettings {
  return {
    ...settings,
    environmentVariables: (index) => ({ BOOTSTRAP_INDEX: String(index) }),
    ...(options.queue === undefined ? { queueMax: BLOCKING_QUEUE_MAX } : {}),
    ...(options.queueTimeout === undefined ? { queueTimeoutMs: settings.timeoutMs } : {}),
  };
}

/** Delivers every response, empty ones and errors too, once; the sink's own status does not count. */
async function deliver(
  response: HttpResponse,
  hold: Caller["hold"],
  url: string,
  log: HostLog,
): Promise<HttpResponse> {
  const headers = response.headers.map(([name, value]) => [name, value] as [string, string]);
  try {
    const body = await wholeBody(response.body, hold);
    if (body === undefined) throw new RangeError(TOO_LARGE);
    const signal = AbortSignal.timeout(DELIVERY_TIMEOUT_MS);
    const received = await fetch(url, { method: "POST", headers, body, signal });
    await received.body?.cancel();
    return { status: response.status, headers: [], body: "" };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    log("warning", `failed to deliver to ${shownAddress(url)}: ${problem}`);
    return { status: 500, headers: [], body: "" };
  }
}

/** What TriggerMesh's invoker is told by its variables. */
export interface TriggermeshOptions {
  readonly cloudEvents: boolean;
  readonly defaults: CloudEventDefaults;
  readonly responseMode: "data" | "event";
  readonly bodyBytesMax: number;
}

/** Makes the adapter. */
export function triggermeshAdapter(options: TriggermeshOptions): Adapter {
  return {
    // A larger one would be accepted here and refused by the runtime's host.
    bodyBytesMax: Math.min(options.bodyBytesMax, EVENT_BYTES_MAX),
    tooLarge: text(413, "http: request body too large\n", options),
    toRequest: (request) => adapt(request, options),
    toResponse: (outcome, request) => outcomeResponse(outcome, request, options),
  };
}

function adapt(request: HttpRequest, { cloudEvents }: TriggermeshOptions): AdaptedRequest {
  const { requestId, body } = request;
  const plain: InvocationRequest = { event: body, requestId, traceId: "0" };
  const type = request.headers["content-type"] ?? "";
  if (!cloudEvents) return { kind: "invoke", request: plain };
  if (type.startsWith(STRUCTURED_TYPE)) {
    const members = rawMembers(new TextDecoder().decode(body));
    if (members === undefined) {
      const words = "structured CloudEvent parse error: the body is not a JSON object\n";
      const headers = [["Content-Type", "text/plain; charset=utf-8"]] as const;
      return { kind: "response", response: { status: 500, headers, body: words } };
    }
    const data = members.get("data") ?? "null";
    members.delete("data");
    const attributes = [...members].map(([name, raw]) => [name, attributeText(raw)] as const);
    const event = compactJson(Buffer.from(data));
    return {
      kind: "invoke",
      request: { ...plain, event, ...contextHeaders(new Map(attributes)) },
    };
  }
  if (!type.startsWith(CONTENT_TYPE.json)) return { kind: "invoke", request: plain };
  const attributes = new Map<string, string>();
  for (const [line, value] of request.headerLines) {
    const name = line.toLowerCase();
    if (!name.startsWith("ce-")) continue;
    const known = attributes.get(name.slice(3));
    attributes.set(name.slice(3), known === undefined ? value : `${known},${value}`);
  }
  return { kind: "invoke", request: { ...plain, ...contextHeaders(attributes) } };
}

async function outcomeResponse(
  streamed: InvocationOutcome,
  request: HttpRequest,
  options: TriggermeshOptions,
): Promise<HttpResponse> {
  const outcome = await wholeOutcome(streamed);
  switch (outcome.kind) {
    case "response":
      return converted(200, outcome.body, options);
    case "function-error":
      if (outcome.origin !== "timeout") return converted(500, outcome.body, options);
      return converted(410, deadlineText(request, options), options);
    case "rejected":
      return converted(410, deadlineText(request, options), options);
  }
}

/** An attribute as text; a list or an object, which an event should not have, stays JSON. */
function attributeText(raw: string): string {
  const value: unknown = JSON.parse(raw);
  const isContainer = typeof value === "object" && value !== null;
  return isContainer ? Buffer.from(compactJson(Buffer.from(raw))).toString() : String(value);
}

function deadlineText(request: HttpRequest, options: TriggermeshOptions): Uint8Array {
  const adapted = adapt(request, options);
  const event = adapted.kind === "invoke" ? adapted.request.event : request.body;
  return Buffer.concat([Buffer.from("Deadline is reached, data "), event]);
}

function converted(status: number, body: Uint8Array, options: TriggermeshOptions): HttpResponse {
  const { cloudEvents, defaults, responseMode } = options;
  if (!cloudEvents) return text(status, body, options);
  if (body.byteLength === 0) return text(status, "", options);
  if (responseMode === "event") {
    return text(status, sortedEvent(body, defaults), options);
  }
  if (defaults.type === "") return text(status, "", options);
  // Its events are text throughout: other bytes become replacement characters.
  const utf8 = Buffer.from(new TextDecoder().decode(body));
  const wrapped = wrapData(utf8, { ...defaults, subject: undefined });
  return text(status, formatStructured(wrapped), options);
}

/** What a function returned, with what an event needs, its members sorted; nothing is checked. */
function sortedEvent(body: Uint8Array, defaults: CloudEventDefaults): string {
  const members = rawMembers(new TextDecoder().decode(body));
  if (members === undefined) {
    const reason = "cannot unmarshal function response into binary CE: it is not a JSON object";
    return `Response conversion error: ${reason}`;
  }
  const needed: readonly (readonly [string, string])[] = [
    ["specversion", SPEC_VERSION],
    ["id", randomUUID()],
    ["source", defaults.source],
    ["type", defaults.type],
    ["time", `${new Date().toISOString().slice(0, 19)}Z`],
  ];
  for (const [name, value] of needed) {
    if (!members.has(name)) members.set(name, JSON.stringify(value));
  }
  const sorted = [...members].sort(([a], [b]) => (a < b ? -1 : 1));
  const written = sorted.map(([name, raw]) => `${JSON.stringify(name)}:${raw}`);
  return Buffer.from(compactJson(Buffer.from(`{${written.join(",")}}`))).toString();
}

/** TriggerMesh's content types, the wrong one of plain responses included. */
function text(
  status: number,
  body: Uint8Array | string,
  { cloudEvents }: TriggermeshOptions,
): HttpResponse {
  const type = cloudEvents ? STRUCTURED_TYPE : "plain/text";
  return { status, headers: [["Content-Type", type]], body };
}
