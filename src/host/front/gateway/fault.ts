/**
 * Why a front end cannot use what a function returned, and what to return instead.
 *
 * @module
 */

import { jsonComplaint, rawMembers } from "../../http/json-text.ts";
import type { LogMessage } from "../../invocation/platform-log.ts";
import type { GatewayKind } from "./kinds.ts";

/** What is wrong with a result. */
export type GatewayFault =
  | { readonly kind: "not-json" }
  /** JSON, but none of the members that make a response. */
  | { readonly kind: "no-envelope" }
  /** A member that no envelope has, and the one that may have been meant. */
  | { readonly kind: "unknown-member"; readonly name: string; readonly meant: string | undefined }
  /** `text`: whether a number may be written as text. */
  | { readonly kind: "status"; readonly value: unknown; readonly text: boolean }
  | { readonly kind: "body"; readonly value: unknown }
  | { readonly kind: "headers"; readonly value: unknown }
  /** A value of `headers`, `multiValueHeaders` or `cookies` that is a list or an object. */
  | { readonly kind: "header"; readonly name: string; readonly value: unknown }
  | { readonly kind: "multi-value-headers" };

/** Why a body reaches the caller otherwise than its function means it. */
export type EncodingFault =
  /** Base64 by its member, and not by its text. */
  | { readonly kind: "undecodable" }
  | { readonly kind: "not-boolean"; readonly value: string | number }
  /** A REST API decodes for callers that accept a binary type. */
  | { readonly kind: "not-accepted" };

/** Members of responses that one payload format has and the other has not. */
export type IgnoredMember = "multiValueHeaders" | "cookies";

const FRONT_ENDS: Readonly<Record<GatewayKind, string>> = {
  "function-url": "a Function URL; AWS responds with 502",
  "http-api-v2": "HTTP API (payload 2.0); AWS responds with 500",
  "http-api-v1": "HTTP API (payload 1.0); AWS responds with 500",
  rest: "REST (payload 1.0); AWS responds with 502",
  "api-gateway": "REST (payload 1.0); AWS responds with 502",
};

/** Characters of a response that are shown again. */
const SHOWN_LENGTH_MAX = 80;

/** Tells what is wrong with a result, and how to put it right. */
export function malformedHint(kind: GatewayKind, fault: GatewayFault, result: Uint8Array): string {
  const text = new TextDecoder().decode(result).trimEnd();
  return (
    `response ${complaint(fault)} and the front end is ${FRONT_ENDS[kind]} here\n` +
    `  got: ${isShort(text) ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`}\n` +
    `  ${fix(fault, text)}`
  );
}

/**
 * Tells why a body is not decoded as its function means it, and how it is.
 * @param binaryMediaTypes Those of the REST API.
 */
export function encodingHint(
  fault: EncodingFault,
  binaryMediaTypes: readonly string[],
): LogMessage {
  switch (fault.kind) {
    case "undecodable":
      return {
        level: "warning",
        message:
          "the response has isBase64Encoded true and a body that is not base64: what cannot be decoded " +
          "is left out here\n  encode all of it, without line ends: base64 -w0",
      };
    case "not-boolean":
      return {
        level: "warning",
        message:
          `the response has isBase64Encoded ${JSON.stringify(fault.value)}, which is not true: ` +
          'the caller gets the base64\n  return it without quotes: {"isBase64Encoded":true}',
      };
    case "not-accepted": {
      const types = binaryMediaTypes.join(", ");
      return {
        level: "hint",
        message:
          "the caller gets the body as base64: its Accept is not one of the binary media types, as on AWS\n  " +
          (types === ""
            ? "name them: --binary-media-types 'image/*', in a template BinaryMediaTypes"
            : `a caller gets the bytes whose Accept begins with one of: ${types}`),
      };
    }
  }
}

/** Tells that a member has no effect, and what has. */
export function ignoredHint(member: IgnoredMember): LogMessage {
  const fix =
    member === "cookies"
      ? 'return {"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]}}'
      : 'return {"headers":{"X-Name":"a, b"},"cookies":["a=1","b=2"]}';
  const message = `${member} of the response has no effect behind this front end, as on AWS\n  ${fix}`;
  return { level: "hint", message };
}

/** How a response says its status; it stands near the beginning. */
const STATUS_MEMBER = /["']?statusCode["']?\s*:/;
const SEARCHED_BYTES = 4096;

/** Tells that a result that is meant as a response, by its status, is the body of one. */
export function unreadHint(result: Uint8Array): LogMessage | undefined {
  const start = new TextDecoder().decode(result.subarray(0, SEARCHED_BYTES));
  const why = STATUS_MEMBER.test(start) ? jsonComplaint(result) : undefined;
  if (why === undefined) return undefined;
  return {
    level: "warning",
    message:
      `the response has a statusCode, but is not JSON: ${why}\n` +
      "  the caller gets all of it as a body with status 200, as on AWS; print JSON alone, logs to >&2",
  };
}

function complaint(fault: GatewayFault): string {
  switch (fault.kind) {
    case "not-json":
      return "is not JSON";
    case "no-envelope":
      return "has no statusCode";
    case "unknown-member":
      return `has "${fault.name}", which a response does not have,`;
    case "status":
      return `has the statusCode ${scalarText(fault.value)}`;
    case "body":
      return `has a body that is ${typeName(fault.value)}, not a string,`;
    case "headers":
      return `has headers that are ${typeName(fault.value)}, not an object,`;
    case "header":
      return `has ${typeName(fault.value)} in place of text for ${JSON.stringify(fault.name)}`;
    case "multi-value-headers":
      return "has multiValueHeaders that are not an object of lists";
  }
}

function fix(fault: GatewayFault, text: string): string {
  switch (fault.kind) {
    case "not-json":
    case "no-envelope": {
      // A longer one is not worth reading, and half of it would be wrong.
      const body = isShort(text) ? JSON.stringify(text) : '"…"';
      return `return {"statusCode":200,"body":${body}} or use a Function URL`;
    }
    case "unknown-member":
      return fault.meant === undefined
        ? `leave it out; what the caller gets is text in "body"`
        : `write it "${fault.meant}"`;
    case "status": {
      const isText = typeof fault.value === "string" && !fault.text;
      const number = isText ? ", not written as a string" : "";
      return `return a whole number from 200 to 599${number}`;
    }
    case "body": {
      // As it is written, so that nobody copies a number that has lost digits.
      const json = JSON.stringify(rawMembers(text)?.get("body") ?? "");
      const example = isShort(json) ? json : '"…"';
      return `return it as JSON text, with jq: .body |= tojson\n  so: {"body":${example}}`;
    }
    case "headers":
      return 'return {"headers":{"Content-Type":"text/html"}}';
    case "header":
      return "return its value as a string, with jq: tostring or join";
    case "multi-value-headers":
      return 'return {"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]}}';
  }
}

function isShort(text: string): boolean {
  return text.length <= SHOWN_LENGTH_MAX;
}

/** A value as JSON; of a list or an object, which may be nested without end, only what it is. */
function scalarText(value: unknown): string {
  return typeof value === "object" && value !== null ? typeName(value) : JSON.stringify(value);
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
