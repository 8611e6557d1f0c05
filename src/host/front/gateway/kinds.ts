/**
 * What Function URLs and the kinds of API Gateway have in common and where they differ.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 * @module
 */

import { mediaType } from "../../http/message.ts";

/** The four AWS front ends, and TriggerMesh's form of the last. */
export const GATEWAY_KINDS = [
  "function-url",
  "http-api-v2",
  "http-api-v1",
  "rest",
  "api-gateway",
] as const;
export type GatewayKind = (typeof GATEWAY_KINDS)[number];

/** Names in the events that a real deployment would have. */
export interface GatewayNames {
  readonly apiId: string;
  readonly accountId: string;
  readonly region: string;
  readonly stage: string;
  /** Request types that a REST API hands on as base64, as `binaryMediaTypes` has them. */
  readonly binaryMediaTypes: readonly string[];
}

/** Stage of a REST API. */
export const REST_STAGE = "prod";

const TEXT_TYPES = new Set(["application/json", "application/xml", "application/javascript"]);

/** True when HTTP APIs and Function URLs deliver a body of this type as text. */
export function isTextType(contentType: string | undefined): boolean {
  const { essence, charset } = mediaType(contentType);
  if (charset !== undefined && !/^utf-?8$/.test(charset)) return false;
  return essence.startsWith("text/") || TEXT_TYPES.has(essence);
}

/** True when a REST API treats a type as binary. */
export function matchesMediaType(
  contentType: string | undefined,
  patterns: readonly string[],
): boolean {
  const { essence } = mediaType(contentType);
  return patterns.some((written) => {
    const pattern = written.toLowerCase();
    if (pattern === "*/*") return true;
    return pattern.endsWith("/*") ? essence.startsWith(pattern.slice(0, -1)) : essence === pattern;
  });
}

/** Collects the values of each name, in order of first sight. */
export function multiValues(
  pairs: readonly (readonly [string, string])[],
): Record<string, string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return Object.fromEntries(values);
}

/** One value of each name: the last, as payload 1.0 has it. */
export function lastValues(pairs: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries(pairs);
}

/** One value of each name: all joined with a comma, as payload 2.0 has it. */
export function joinedValues(
  pairs: readonly (readonly [string, string])[],
): Record<string, string> {
  const joined = Object.entries(multiValues(pairs)).map(([name, all]) => [name, all.join(",")]);
  return Object.fromEntries(joined);
}

/** `10/Jul/2026:19:19:06 +0000`, as API Gateway writes a time. */
export function requestTime(epochMs: number): string {
  const date = new Date(epochMs);
  const [, day, month, year, time] =
    /^\w+, (\d+) (\w+) (\d+) (\S+) GMT$/.exec(date.toUTCString()) ?? [];
  return `${day}/${month}/${year}:${time} +0000`;
}
