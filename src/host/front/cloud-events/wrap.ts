/**
 * What a function returns, as a CloudEvent.
 *
 * @module
 */

import { randomUUID } from "node:crypto";

import { isJson, rawMembers } from "../../http/json-text.ts";
import {
  type CloudEvent,
  type CloudEventData,
  type CloudEventResult,
  decodeUtf8,
  parseStructured,
  SPEC_VERSION,
} from "./cloud-event.ts";

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
 * JSON objects and arrays as they are, other text without its outer quotes, and bytes that are no
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
    return { kind: "invalid", reason: "the function's response is no JSON object" };
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
