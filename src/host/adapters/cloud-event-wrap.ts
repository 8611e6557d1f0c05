/**
 * What a function returns, as a CloudEvent.
 *
 * @module
 */

import { randomUUID } from "node:crypto";

import { isJson, rawMembers } from "../json-bytes.ts";
import {
  type CloudEvent,
  type CloudEventResult,
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
  const text = new TextDecoder().decode(body);
  return rawMembers(text)?.has("specversion") === true;
}

/** Wraps data: JSON objects and arrays as they are, anything else as text without its outer quotes. */
export function wrapData(body: Uint8Array, defaults: CloudEventDefaults): CloudEvent {
  const text = new TextDecoder().decode(body).trim();
  const isContainer = /^[{[]/.test(text) && isJson(body);
  const type = isContainer ? "application/json" : "text/plain";
  const attributes = new Map<string, string>([
    ["specversion", SPEC_VERSION],
    ["id", randomUUID()],
    ["source", defaults.source],
    ["type", defaults.type],
    ...(defaults.subject === undefined ? [] : ([["subject", defaults.subject]] as const)),
    ["datacontenttype", type],
    ["time", new Date().toISOString()],
  ]);
  if (isContainer) return { attributes, data: { kind: "json", json: text } };
  return { attributes, data: { kind: "text", text: text.replace(/^"+|"+$/g, "") } };
}

/** Completes an event that a function returned: only what is missing is filled in. */
export function completeEvent(body: Uint8Array, defaults: CloudEventDefaults): CloudEventResult {
  const members = rawMembers(new TextDecoder().decode(body));
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
