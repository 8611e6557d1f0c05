/**
 * CloudEvents over HTTP: which mode a request has, and the binary mode's headers.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 * @module
 */

import {
  decodePercent,
  type HttpRequest,
  type HttpResponse,
  mediaType,
} from "../../http/message.ts";
import {
  ATTRIBUTE_NAME,
  BATCH_TYPE,
  type CloudEvent,
  type CloudEventResult,
  dataBytes,
  dataOf,
  formatStructured,
  parseStructured,
  STRUCTURED_TYPE,
  validate,
} from "./cloud-event.ts";

/** How an event stands in a message. */
export type ContentMode = "binary" | "structured";

/** What a request carries. */
type CloudEventRequest =
  | { readonly kind: "event"; readonly mode: ContentMode; readonly event: CloudEvent }
  | { readonly kind: "batch" }
  | { readonly kind: "unsupported"; readonly mediaType: string }
  | { readonly kind: "invalid"; readonly reason: string }
  /** `missing`: the headers that keep it from being an event, where it has others of an event's. */
  | { readonly kind: "plain"; readonly missing: readonly string[] };

const REQUIRED = ["ce-specversion", "ce-id", "ce-source", "ce-type"];

/** Finds the event in a request; media types in any case, parameters ignored. */
export function readCloudEvent(request: HttpRequest): CloudEventRequest {
  const { headers, body } = request;
  const type = headers["content-type"];
  const { essence } = mediaType(type);
  if (essence.startsWith("application/cloudevents-batch")) {
    const isJsonForm = essence === BATCH_TYPE || essence === "application/cloudevents-batch";
    return isJsonForm ? { kind: "batch" } : { kind: "unsupported", mediaType: essence };
  }
  if (essence.startsWith("application/cloudevents")) {
    if (essence !== STRUCTURED_TYPE && essence !== "application/cloudevents") {
      return { kind: "unsupported", mediaType: essence };
    }
    return withMode(parseStructured(body), "structured");
  }
  const missing = REQUIRED.filter((name) => headers[name] === undefined);
  if (missing.length > 0) {
    return { kind: "plain", missing: missing.length < REQUIRED.length ? missing : [] };
  }
  return withMode(parseBinary(request), "binary");
}

/** The mode in which a request carries its event, by its headers alone. */
export function requestMode({ headers }: Pick<HttpRequest, "headers">): ContentMode {
  const isStructured = mediaType(headers["content-type"]).essence.startsWith(
    "application/cloudevents",
  );
  return !isStructured && REQUIRED.every((name) => headers[name] !== undefined)
    ? "binary"
    : "structured";
}

function withMode(result: CloudEventResult, mode: ContentMode): CloudEventRequest {
  return result.kind === "event" ? { kind: "event", mode, event: result.event } : result;
}

function parseBinary({ headerLines, headers, body }: HttpRequest): CloudEventResult {
  const attributes = new Map<string, string>();
  for (const [line, value] of headerLines) {
    const name = line.toLowerCase();
    if (!name.startsWith("ce-")) continue;
    const attribute = name.slice("ce-".length);
    // Its place in this mode is Content-Type.
    if (attribute === "datacontenttype") continue;
    if (!ATTRIBUTE_NAME.test(attribute)) {
      return { kind: "invalid", reason: `"${attribute}" is not an attribute name` };
    }
    const decoded = decodeHeader(value);
    if (decoded === undefined) {
      return { kind: "invalid", reason: `header ${line} is not UTF-8` };
    }
    attributes.set(attribute, decoded);
  }
  const type = headers["content-type"];
  if (type !== undefined) attributes.set("datacontenttype", type);
  // Without a type nothing is known of the bytes, not even that they are JSON.
  const data = dataOf(body, type ?? "application/octet-stream");
  return validate({ attributes, data });
}

/**
 * A header's value as an attribute's: a quoted string is opened, percent-encoding undone once. A
 * percent sign that encodes nothing stays, as senders exist that encode nothing.
 */
export function decodeHeader(value: string): string | undefined {
  const text = /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, "$1") : value;
  // Bytes that are not encoded stand in the header as they are, a character each.
  const encoded = text
    .replace(/%(?![0-9a-f]{2})/gi, "%25")
    .replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  return decodePercent(encoded);
}

/** An attribute's value as a header's: everything but visible ASCII is encoded, and `"` and `%`. */
export function encodeHeader(value: string): string {
  return value.replace(/[^\x21-\x7e]|["%]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
      .join(""),
  );
}

/** An event as a response in one of the modes. */
export function cloudEventResponse(
  event: CloudEvent,
  mode: ContentMode,
  status = 200,
): HttpResponse {
  if (mode === "structured") {
    return {
      status,
      headers: [["Content-Type", STRUCTURED_TYPE]],
      body: formatStructured(event),
    };
  }
  const headers: [string, string][] = [];
  for (const [name, value] of event.attributes) {
    if (name !== "datacontenttype") headers.push([`ce-${name}`, encodeHeader(String(value))]);
  }
  const type = event.attributes.get("datacontenttype");
  if (type !== undefined) headers.push(["Content-Type", String(type)]);
  else if (event.data.kind === "json") headers.push(["Content-Type", "application/json"]);
  return { status, headers, body: dataBytes(event.data) };
}
