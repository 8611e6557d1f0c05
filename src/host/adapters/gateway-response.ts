/**
 * What a function returns, as each AWS front end makes an HTTP reply of it.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 * @module
 */

import { compactJson } from "../json-bytes.ts";
import type { GatewayKind } from "./gateway.ts";

/** A reply without the headers that the front end adds, or nothing when the front end calls it malformed. */
export interface GatewayResult {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

interface Rules {
  readonly defaultType: string;
  /** What a result that is no object with `statusCode` becomes. */
  readonly bare: "compact" | "raw" | "malformed";
  readonly textStatus: boolean;
  readonly bodyObject: boolean;
  readonly multiValueHeaders: boolean;
  readonly cookies: boolean;
}

const RULES: Readonly<Record<Exclude<GatewayKind, "rest">, Rules>> = {
  "function-url": {
    defaultType: "application/json",
    bare: "compact",
    textStatus: true,
    bodyObject: true,
    multiValueHeaders: false,
    cookies: true,
  },
  "http-api-v2": {
    defaultType: "text/plain; charset=utf-8",
    bare: "raw",
    textStatus: false,
    bodyObject: false,
    multiValueHeaders: false,
    cookies: true,
  },
  "http-api-v1": {
    defaultType: "text/plain; charset=utf-8",
    bare: "malformed",
    textStatus: false,
    bodyObject: false,
    multiValueHeaders: true,
    cookies: false,
  },
  "api-gateway": {
    defaultType: "application/json",
    bare: "compact",
    textStatus: true,
    bodyObject: false,
    multiValueHeaders: true,
    cookies: true,
  },
};

/**
 * Reads the result of a function.
 * @param decodesBase64 For a REST API: whether the caller accepts a binary type.
 */
export function gatewayResult(
  kind: GatewayKind,
  payload: Uint8Array,
  decodesBase64 = true,
): GatewayResult | undefined {
  const parsed = parse(payload);
  if (kind === "rest") return restResult(parsed, decodesBase64);
  const rules = RULES[kind];
  if (isObject(parsed) && "statusCode" in parsed) return envelope(parsed, rules);
  if (rules.bare === "malformed") return undefined;
  if (parsed === NOT_JSON && kind === "api-gateway") return undefined;
  return bare(payload, parsed, rules.bare);
}

function bare(payload: Uint8Array, parsed: unknown, form: "compact" | "raw"): GatewayResult {
  const headers = [["Content-Type", "application/json"]] as const;
  if (parsed === NOT_JSON) return { status: 200, headers, body: payload };
  if (typeof parsed === "string") return { status: 200, headers, body: Buffer.from(parsed) };
  return { status: 200, headers, body: form === "compact" ? compactJson(payload) : payload };
}

function envelope(result: Record<string, unknown>, rules: Rules): GatewayResult | undefined {
  const status = statusCode(result["statusCode"], rules.textStatus);
  const body = bodyBytes(result, rules.bodyObject, true);
  const headers = singleHeaders(result["headers"]);
  if (status === undefined || body === undefined || headers === undefined) return undefined;
  const multiple = rules.multiValueHeaders ? multiHeaders(result["multiValueHeaders"]) : [];
  if (multiple === undefined) return undefined;
  const cookies = rules.cookies ? cookieHeaders(result["cookies"]) : [];
  const all = [...cookies, ...mergeHeaders(multiple, headers)];
  return { status, headers: withDefaultType(all, rules.defaultType), body };
}

const REST_MEMBERS = new Set([
  "statusCode",
  "headers",
  "multiValueHeaders",
  "body",
  "isBase64Encoded",
  "cookies",
]);

function restResult(parsed: unknown, decodesBase64: boolean): GatewayResult | undefined {
  if (!isObject(parsed)) return undefined;
  const members = Object.keys(parsed);
  if (members.length === 0 || members.some((name) => !REST_MEMBERS.has(name))) return undefined;
  const status = "statusCode" in parsed ? statusCode(parsed["statusCode"], true) : 200;
  const body = bodyBytes(parsed, false, decodesBase64);
  const headers = singleHeaders(parsed["headers"]);
  const multiple = multiHeaders(parsed["multiValueHeaders"]);
  if (status === undefined || body === undefined) return undefined;
  if (headers === undefined || multiple === undefined) return undefined;
  const all = mergeHeaders(multiple, headers);
  return { status, headers: withDefaultType(all, "application/json"), body };
}

function statusCode(value: unknown, text: boolean): number | undefined {
  const number = typeof value === "string" && text && /^\d+$/.test(value) ? Number(value) : value;
  const valid = typeof number === "number" && Number.isInteger(number);
  return valid && number >= 100 && number <= 599 ? number : undefined;
}

function bodyBytes(
  result: Record<string, unknown>,
  object: boolean,
  decodesBase64: boolean,
): Uint8Array | undefined {
  const { body, isBase64Encoded } = result;
  if (body === undefined || body === null) return new Uint8Array(0);
  if (typeof body === "string") {
    const encoded = isBase64Encoded === true && decodesBase64;
    return Buffer.from(body, encoded ? "base64" : "utf8");
  }
  return object ? Buffer.from(JSON.stringify(body)) : undefined;
}

type Headers = (readonly [string, string])[];

function singleHeaders(value: unknown): Headers | undefined {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) return undefined;
  return Object.entries(value).map(([name, each]) => [name, String(each)] as const);
}

function multiHeaders(value: unknown): Headers | undefined {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) return undefined;
  const all: Headers = [];
  for (const [name, values] of Object.entries(value)) {
    if (!Array.isArray(values)) return undefined;
    for (const each of values) all.push([name, String(each)]);
  }
  return all;
}

/** The values of both, `multiValueHeaders` first and with its spelling; a value in both counts once. */
function mergeHeaders(multiple: Headers, single: Headers): Headers {
  const merged = [...multiple];
  for (const [name, value] of single) {
    const same = multiple.filter(([other]) => other.toLowerCase() === name.toLowerCase());
    if (same.some(([, other]) => other === value)) continue;
    merged.push([same[0]?.[0] ?? name, value]);
  }
  return merged;
}

function cookieHeaders(value: unknown): Headers {
  if (!Array.isArray(value)) return [];
  return value.map((cookie) => ["Set-Cookie", String(cookie)] as const);
}

function withDefaultType(headers: Headers, type: string): Headers {
  const typed = headers.some(([name]) => name.toLowerCase() === "content-type");
  return typed ? headers : [...headers, ["Content-Type", type]];
}

const NOT_JSON = Symbol("not JSON");

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return NOT_JSON;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
