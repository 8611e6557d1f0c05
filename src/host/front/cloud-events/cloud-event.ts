/**
 * A CloudEvent 1.0: its attributes, its data, what makes it valid, and its JSON form.
 *
 * A codec of our own, since the SDK for JavaScript (10.0.0) drops falsy data, decodes no headers,
 * and accepts events that are not valid. JSON data is kept as it is written, so no number loses a digit.
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 * @module
 */

import { randomUUID } from "node:crypto";

import { decodeUtf8, isBase64, isJson, rawMembers } from "../../http/json-text.ts";
import { mediaType } from "../../http/message.ts";

/** The only version that is spoken. */
export const SPEC_VERSION = "1.0";

/** Media type of the structured mode. */
export const STRUCTURED_TYPE = "application/cloudevents+json";

/** Media type of several events in one message. */
export const BATCH_TYPE = "application/cloudevents-batch+json";

/** Data in one of the forms that JSON can carry. */
type CloudEventData =
  | { readonly kind: "none" }
  /** Text of a JSON value. */
  | { readonly kind: "json"; readonly json: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "binary"; readonly bytes: Uint8Array };

/** An event; attributes are in the order in which they are written. */
export interface CloudEvent {
  readonly attributes: ReadonlyMap<string, string | number | boolean>;
  readonly data: CloudEventData;
}

/** An event, or why it is not valid. */
export type CloudEventResult =
  | { readonly kind: "event"; readonly event: CloudEvent }
  | { readonly kind: "invalid"; readonly reason: string };

/** What may be the name of an attribute. */
export const ATTRIBUTE_NAME = /^[a-z0-9]+$/;

/** RFC 3339, any precision, kept as it is written. */
const TIME =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** True for a time of RFC 3339 on a day that the calendar has. */
function isTime(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.slice(0, 10).split("-").map(Number);
  // The last day of a month is the one before the next month's first.
  const date = new Date(0);
  date.setUTCFullYear(year, month, 0);
  return TIME.test(text) && day <= date.getUTCDate();
}

/** Characters that no URI reference has. */
const NOT_URI = /[\s<>"{}|\\^`]/;

/** Checks what the specification demands of the attributes. */
export function validate(event: CloudEvent): CloudEventResult {
  const { attributes } = event;
  const version = attributes.get("specversion");
  if (version !== SPEC_VERSION) {
    const reason = `specversion is "${version ?? ""}", only "${SPEC_VERSION}" is supported`;
    return { kind: "invalid", reason };
  }
  for (const name of ["id", "source", "type"]) {
    const value = attributes.get(name);
    if (typeof value !== "string" || value === "") return invalid(`${name} is missing or empty`);
  }
  for (const name of ["subject", "dataschema", "datacontenttype"]) {
    if (attributes.get(name) === "") return invalid(`${name} is empty`);
  }
  for (const [name, value] of attributes) {
    if (!ATTRIBUTE_NAME.test(name)) return invalid(`"${name}" is not an attribute name`);
    if (typeof value === "number" && !isInt32(value)) {
      return invalid(`${name} is not a 32-bit integer`);
    }
  }
  const time = attributes.get("time");
  if (time !== undefined && !isTime(String(time))) return invalid("time is not RFC 3339");
  for (const name of ["source", "dataschema"]) {
    if (NOT_URI.test(String(attributes.get(name) ?? ""))) return invalid(`${name} is not a URI`);
  }
  return { kind: "event", event };
}

function isInt32(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31;
}

function invalid(reason: string): CloudEventResult {
  return { kind: "invalid", reason };
}

/** True when data of this type is JSON. */
function isJsonType(type: string | undefined): boolean {
  if (type === undefined) return true;
  const { essence } = mediaType(type);
  return essence.endsWith("/json") || essence.endsWith("+json");
}

/** Reads the JSON form. */
export function parseStructured(bytes: Uint8Array): CloudEventResult {
  const json = decodeUtf8(bytes);
  const members = json === undefined ? undefined : rawMembers(json);
  if (members === undefined) return invalid("the body is not a JSON object");
  const attributes = new Map<string, string | number | boolean>();
  for (const [name, raw] of members) {
    if (name === "data" || name === "data_base64" || raw === "null") continue;
    const value: unknown = JSON.parse(raw);
    if (typeof value === "object" || value === null || value === undefined) {
      return invalid(`${name} is not an attribute value`);
    }
    attributes.set(name, value as string | number | boolean);
  }
  const raw = members.get("data");
  const base64 = members.get("data_base64");
  if (raw !== undefined && base64 !== undefined)
    return invalid("data and data_base64 are both given");
  const type = attributes.get("datacontenttype");
  if (base64 !== undefined) {
    const text: unknown = JSON.parse(base64);
    if (typeof text !== "string" || !isBase64(text)) {
      return invalid("data_base64 is not base64");
    }
    return validate({ attributes, data: { kind: "binary", bytes: Buffer.from(text, "base64") } });
  }
  if (raw === undefined) return validate({ attributes, data: { kind: "none" } });
  if (isJsonType(type === undefined ? undefined : String(type))) {
    return validate({ attributes, data: { kind: "json", json: raw } });
  }
  const text: unknown = JSON.parse(raw);
  if (typeof text !== "string") return invalid(`data of type ${type} is not a string`);
  return validate({ attributes, data: { kind: "text", text } });
}

/** Writes the JSON form: attributes first, then the data. */
export function formatStructured({ attributes, data }: CloudEvent): string {
  const members = [...attributes].map(([name, value]) => member(name, JSON.stringify(value)));
  if (data.kind === "json" && !attributes.has("datacontenttype")) {
    members.push(member("datacontenttype", '"application/json"'));
  }
  const written = dataMember(data);
  if (written !== undefined) members.push(written);
  return `{${members.join(",")}}`;
}

function member(name: string, json: string): string {
  return `${JSON.stringify(name)}:${json}`;
}

function dataMember(data: CloudEventData): string | undefined {
  switch (data.kind) {
    case "none":
      return undefined;
    case "json":
      return member("data", data.json);
    case "text":
      return member("data", JSON.stringify(data.text));
    case "binary":
      return member("data_base64", JSON.stringify(Buffer.from(data.bytes).toString("base64")));
  }
}

/** The data's own bytes, as the binary mode sends them. */
export function dataBytes(data: CloudEventData): Uint8Array {
  switch (data.kind) {
    case "none":
      return new Uint8Array(0);
    case "json":
      return Buffer.from(data.json);
    case "text":
      return Buffer.from(data.text);
    case "binary":
      return data.bytes;
  }
}

/** Bytes of a type as data in the form that JSON carries best. */
export function dataOf(bytes: Uint8Array, type: string | undefined): CloudEventData {
  if (bytes.byteLength === 0) return { kind: "none" };
  if (isJsonType(type) && isJson(bytes)) {
    return { kind: "json", json: new TextDecoder().decode(bytes).trim() };
  }
  const text = decodeUtf8(bytes);
  const { essence } = mediaType(type);
  const isText = essence.startsWith("text/") || /[/+]xml$/.test(essence);
  if (isText && text !== undefined) return { kind: "text", text };
  return { kind: "binary", bytes };
}

/** The attributes of an event that the function did not name itself. */
export interface CloudEventDefaults {
  readonly type: string;
  readonly source: string;
  /** Only written when set. */
  readonly subject: string | undefined;
}

/** True when a function returned an event rather than data: an object with `specversion`. */
export function isCloudEventJson(body: Uint8Array): boolean {
  const text = trimmedText(body);
  return text !== undefined && rawMembers(text)?.has("specversion") === true;
}

/** Wraps what a function returned, with the type that its bytes show. */
export function wrapData(body: Uint8Array, defaults: CloudEventDefaults): CloudEvent {
  const [type, data] = typedData(body);
  const attributes = new Map<string, string>([
    ["specversion", SPEC_VERSION],
    ["id", randomUUID()],
    ["source", defaults.source],
    ["type", defaults.type],
    ...(defaults.subject === undefined ? [] : ([["subject", defaults.subject]] as const)),
    ["datacontenttype", type],
    ["time", new Date().toISOString()],
  ]);
  return { attributes, data };
}

/**
 * JSON objects and arrays as they are, other text without its outer quotes, and bytes that are not
 * text as they are.
 */
function typedData(body: Uint8Array): readonly [type: string, data: CloudEventData] {
  const text = trimmedText(body);
  if (text === undefined) return ["application/octet-stream", { kind: "binary", bytes: body }];
  const isContainer = /^[{[]/.test(text) && isJson(body);
  if (isContainer) return ["application/json", { kind: "json", json: text }];
  return ["text/plain", { kind: "text", text: text.replace(/^"+|"+$/g, "") }];
}

/** Completes an event that a function returned: only what is missing is filled in. */
export function completeEvent(body: Uint8Array, defaults: CloudEventDefaults): CloudEventResult {
  const text = trimmedText(body);
  const members = text === undefined ? undefined : rawMembers(text);
  if (members === undefined) {
    return { kind: "invalid", reason: "the function's response is not a JSON object" };
  }
  const missing: readonly (readonly [string, string])[] = [
    ["specversion", SPEC_VERSION],
    ["id", randomUUID()],
    ["source", defaults.source],
    ["type", defaults.type],
    ["time", new Date().toISOString()],
  ];
  for (const [name, value] of missing) {
    if (!members.has(name)) members.set(name, JSON.stringify(value));
  }
  const json = [...members].map(([name, raw]) => `${JSON.stringify(name)}:${raw}`).join(",");
  return parseStructured(Buffer.from(`{${json}}`));
}

/** Text without white space and byte-order mark around it; nothing when the bytes are not UTF-8. */
function trimmedText(body: Uint8Array): string | undefined {
  return decodeUtf8(body)?.trim();
}
