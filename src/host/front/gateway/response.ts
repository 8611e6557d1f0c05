/**
 * What a function returns, as each AWS front end makes an HTTP response of it.
 *
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
 * @module
 */

import { isObject, membersOf } from "../../../json-object.ts";
import { compactJson, isBase64, parseJson, rawMembers } from "../../http/json-text.ts";
import type { EncodingFault, GatewayFault, IgnoredMember } from "./fault.ts";
import type { GatewayKind } from "./kinds.ts";

/** A response without the headers that the front end adds, or why the front end calls it malformed. */
type GatewayResult =
  | {
      readonly kind: "response";
      readonly status: number;
      readonly headers: readonly (readonly [string, string])[];
      readonly body: Uint8Array;
      /** Why the body is not what its function seems to mean. */
      readonly encoding?: EncodingFault;
      /** A member that the front end does not look at, and that others do. */
      readonly ignored?: IgnoredMember;
    }
  | { readonly kind: "malformed"; readonly fault: GatewayFault };

interface Rules {
  readonly defaultType: string;
  /** What a result that is not an object with `statusCode` becomes. */
  readonly bare: "compact" | "raw" | "malformed";
  readonly textStatus: boolean;
  readonly bodyObject: boolean;
  readonly multiValueHeaders: boolean;
  readonly cookies: boolean;
}

const RULES: Readonly<Record<GatewayKind, Rules>> = {
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
  rest: {
    defaultType: "application/json",
    bare: "malformed",
    textStatus: true,
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
): GatewayResult {
  const parsed = parse(payload);
  const rules = RULES[kind];
  if (kind === "rest") {
    const fault = restFault(parsed);
    if (fault !== undefined) return { kind: "malformed", fault };
    return envelope(parsed as Envelope, payload, rules, decodesBase64);
  }
  if (isObject(parsed) && "statusCode" in parsed) return envelope(parsed, payload, rules, true);
  if (rules.bare === "malformed" || (parsed === NOT_JSON && kind === "api-gateway")) {
    return { kind: "malformed", fault: envelopeFault(parsed) };
  }
  return bare(payload, parsed, rules.bare);
}

function bare(payload: Uint8Array, parsed: unknown, form: "compact" | "raw"): GatewayResult {
  const status = 200;
  const headers = [["Content-Type", "application/json"]] as const;
  if (parsed === NOT_JSON) return { kind: "response", status, headers, body: payload };
  if (typeof parsed === "string") {
    return { kind: "response", status, headers, body: Buffer.from(parsed) };
  }
  const body = form === "compact" ? compactJson(payload) : payload;
  return { kind: "response", status, headers, body };
}

type Envelope = Readonly<Record<string, unknown>>;

function envelope(
  result: Envelope,
  payload: Uint8Array,
  rules: Rules,
  decodesBase64: boolean,
): GatewayResult {
  const { statusCode: code } = result;
  // Only a REST API comes here without one.
  const status = "statusCode" in result ? responseStatus(code, rules.textStatus) : 200;
  if (status === undefined) {
    return { kind: "malformed", fault: { kind: "status", value: code, text: rules.textStatus } };
  }
  const body = bodyBytes(result, payload, rules.bodyObject, decodesBase64);
  if (body === undefined)
    return { kind: "malformed", fault: { kind: "body", value: result["body"] } };
  const unusable = valueFault(result, rules.multiValueHeaders);
  if (unusable !== undefined) return { kind: "malformed", fault: unusable };
  const headers = singleHeaders(result["headers"]);
  if (headers === undefined)
    return { kind: "malformed", fault: { kind: "headers", value: result["headers"] } };
  const multiple = rules.multiValueHeaders ? multiHeaders(result["multiValueHeaders"]) : [];
  if (multiple === undefined) return { kind: "malformed", fault: { kind: "multi-value-headers" } };
  const cookies = rules.cookies ? cookieHeaders(result["cookies"]) : [];
  const all = [...cookies, ...mergeHeaders(multiple, headers)];
  const encoding = encodingFault(result, decodesBase64);
  const ignored = ignoredMember(result, rules);
  return {
    kind: "response",
    status,
    headers: withDefaultType(all, rules.defaultType),
    body,
    ...(encoding === undefined ? {} : { encoding }),
    ...(ignored === undefined ? {} : { ignored }),
  };
}

/** Headers or cookies that get lost: those that stand nowhere else in the form that the front end takes. */
function ignoredMember(result: Envelope, rules: Rules): IgnoredMember | undefined {
  if (!rules.cookies && elementsOf(result["cookies"]).length > 0) {
    return namesIn(result["multiValueHeaders"]).has("set-cookie") ? undefined : "cookies";
  }
  if (rules.multiValueHeaders) return undefined;
  const single = namesIn(result["headers"]);
  const hasCookies = elementsOf(result["cookies"]).length > 0;
  const isLost = (name: string) => !single.has(name) && !(name === "set-cookie" && hasCookies);
  const isAny = [...namesIn(result["multiValueHeaders"])].some(isLost);
  return isAny ? "multiValueHeaders" : undefined;
}

/** The names of headers, in lower case. */
function namesIn(headers: unknown): ReadonlySet<string> {
  return new Set(Object.keys(membersOf(headers)).map((name) => name.toLowerCase()));
}

/** Why the text of a body is not decoded, or not all of it, although the function has said that it is base64. */
function encodingFault(
  { body, isBase64Encoded: said }: Envelope,
  decodesBase64: boolean,
): EncodingFault | undefined {
  if (typeof body !== "string" || body === "") return undefined;
  if (said === true) {
    if (!decodesBase64) return { kind: "not-accepted" };
    return isBase64(body) ? undefined : { kind: "undecodable" };
  }
  // Text and numbers mean something; false, null and nothing mean what they say.
  return said === "true" || said === 1 ? { kind: "not-boolean", value: said } : undefined;
}

const MEMBERS = [
  "statusCode",
  "headers",
  "multiValueHeaders",
  "body",
  "isBase64Encoded",
  "cookies",
];

/** A REST API takes an envelope and nothing else, and knows each of its members. */
function restFault(parsed: unknown): GatewayFault | undefined {
  const names = isObject(parsed) ? Object.keys(parsed) : [];
  const unknown = names.find((name) => !MEMBERS.includes(name));
  if (!names.some((name) => MEMBERS.includes(name))) return envelopeFault(parsed);
  return unknown === undefined ? undefined : unknownMember(unknown);
}

/** Why a result is not an envelope; members in the wrong case are a common reason. */
function envelopeFault(parsed: unknown): GatewayFault {
  if (parsed === NOT_JSON) return { kind: "not-json" };
  const faults = isObject(parsed) ? Object.keys(parsed).map(unknownMember) : [];
  return faults.find(({ meant }) => meant !== undefined) ?? { kind: "no-envelope" };
}

function unknownMember(name: string): Extract<GatewayFault, { kind: "unknown-member" }> {
  const meant = MEMBERS.find((member) => member.toLowerCase() === name.toLowerCase());
  return { kind: "unknown-member", name, meant: meant === name ? undefined : meant };
}

/** Smallest status that ends a request; those below announce another. */
const STATUS_MIN = 200;
const STATUS_MAX = 599;

/**
 * The status that a function asks for; nothing when no response can have it.
 * @param text Whether it may be written as text.
 */
export function responseStatus(value: unknown, text: boolean): number | undefined {
  const number = typeof value === "string" && text && /^\d+$/.test(value) ? Number(value) : value;
  const valid = typeof number === "number" && Number.isInteger(number);
  return valid && number >= STATUS_MIN && number <= STATUS_MAX ? number : undefined;
}

function bodyBytes(
  result: Envelope,
  payload: Uint8Array,
  takesObject: boolean,
  decodesBase64: boolean,
): Uint8Array | undefined {
  const { body, isBase64Encoded } = result;
  if (body === undefined || body === null) return new Uint8Array(0);
  if (typeof body === "string") {
    const encoded = isBase64Encoded === true && decodesBase64;
    return Buffer.from(body, encoded ? "base64" : "utf8");
  }
  if (!takesObject) return undefined;
  // As it is written, so that no number loses a digit.
  const raw = rawMembers(new TextDecoder().decode(payload))?.get("body");
  return raw === undefined ? undefined : compactJson(Buffer.from(raw));
}

/**
 * A header or a cookie that is a list or an object: a front end of AWS takes text, numbers and booleans.
 * @param multiple Whether the front end looks at `multiValueHeaders`.
 */
export function valueFault(result: Envelope, multiple: boolean): GatewayFault | undefined {
  const single = Object.entries(membersOf(result["headers"]));
  const several = multiple ? Object.entries(membersOf(result["multiValueHeaders"])) : [];
  const values = [
    ...single,
    ...several.flatMap(([name, all]) => elementsOf(all).map((one) => [name, one] as const)),
  ];
  const [name, value] = values.find(([, each]) => isContainer(each)) ?? [];
  if (name !== undefined) return { kind: "header", name, value };
  const cookie = elementsOf(result["cookies"]).find(isContainer);
  return cookie === undefined ? undefined : { kind: "header", name: "cookies", value: cookie };
}

function isContainer(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** The elements of a list; none of anything else. */
export function elementsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

type Headers = (readonly [string, string])[];

function singleHeaders(value: unknown): Headers | undefined {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) return undefined;
  return lastOfEachName(Object.entries(value).map(([name, each]) => [name, String(each)]));
}

/**
 * The headers of an object, in which one name may stand in several spellings: the last one counts, but for
 * cookies, of which each is one more.
 */
export function lastOfEachName(headers: readonly (readonly [string, string])[]): Headers {
  const last = new Map(headers.map(([name], at) => [name.toLowerCase(), at]));
  return headers.filter(([name], at) => {
    const key = name.toLowerCase();
    return last.get(key) === at || key === "set-cookie";
  });
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
  const known = new Map<string, { readonly name: string; readonly values: Set<string> }>();
  for (const [name, value] of multiple) {
    const same = known.get(name.toLowerCase());
    if (same === undefined) known.set(name.toLowerCase(), { name, values: new Set([value]) });
    else same.values.add(value);
  }
  for (const [name, value] of single) {
    const same = known.get(name.toLowerCase());
    if (same?.values.has(value) !== true) merged.push([same?.name ?? name, value]);
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
    return parseJson(payload);
  } catch {
    return NOT_JSON;
  }
}
