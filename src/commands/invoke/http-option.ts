/**
 * `--http 'POST /path?q=1'`: the event that a Function URL makes of such a request.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { validateHeaderName, validateHeaderValue } from "node:http";

import packageJson from "../../../package.json" with { type: "json" };
import { gatewayEvent } from "../../host/front/gateway/event.ts";
import { gatewayNames } from "../../host/front/select.ts";
import type { HttpRequest } from "../../host/http/message.ts";
import { newTraceId } from "../../host/invocation/invocation.ts";
import { DEFAULT_SETTINGS } from "../../host/invocation/settings.ts";
import { CommandError } from "../cli/exit-status.ts";
import { guessContentType } from "./content-type.ts";

type HeaderLine = readonly [name: string, value: string];

/** A method, which may be left out, and a target as it stands in a request line. */
const REQUEST = /^(?:([A-Za-z]+) +)?(\/[^\s#?]*)(?:\?([^\s#]*))?$/;

/**
 * Makes the event.
 * @param lines Headers as `Name: value`; a Content-Type that is missing is guessed from the body.
 * @throws {CommandError} When the request or a header is none.
 */
export function functionUrlEvent(
  request: string,
  lines: readonly string[],
  body: Uint8Array = new Uint8Array(0),
  region: string = process.env["AWS_REGION"] ?? DEFAULT_SETTINGS.region,
): Uint8Array {
  const [, method, rawPath, rawQuery = ""] = REQUEST.exec(request) ?? [];
  if (rawPath === undefined) {
    throw new CommandError(
      `--http ${request}: no request\n  write a method and a path: --http 'POST /path?q=1'`,
    );
  }
  // As `dev` and `serve` name them.
  const names = gatewayNames({ ...DEFAULT_SETTINGS, region });
  const headerLines = withDefaults(lines.map(headerLine), body, names);
  const headers: Record<string, string> = {};
  for (const [name, value] of headerLines) headers[name.toLowerCase()] ??= value;
  const made: HttpRequest = {
    method: method?.toUpperCase() ?? (body.byteLength === 0 ? "GET" : "POST"),
    rawPath,
    rawQuery,
    headerLines,
    headers,
    body,
    sourceIp: "127.0.0.1",
    receivedAtMs: Date.now(),
    requestId: randomUUID(),
    traceId: headers["x-amzn-trace-id"] ?? newTraceId(),
  };
  return Buffer.from(JSON.stringify(gatewayEvent("function-url", made, names)));
}

function headerLine(line: string): HeaderLine {
  const at = line.indexOf(":");
  const name = line.slice(0, Math.max(at, 0)).trim();
  const value = line.slice(at + 1).trim();
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  } catch {
    throw new CommandError(`-H ${line}: no header\n  write it as -H 'Name: value'`);
  }
  return [name, value];
}

/** The headers that every client sends. */
function withDefaults(
  lines: readonly HeaderLine[],
  body: Uint8Array,
  { apiId, region }: { readonly apiId: string; readonly region: string },
): readonly HeaderLine[] {
  const host = `${apiId}.lambda-url.${region}.on.aws`;
  const defaults: readonly HeaderLine[] = [
    ["host", host],
    ["user-agent", `lambda-shell/${packageJson.version}`],
    ["accept", "*/*"],
    ...(body.byteLength === 0
      ? []
      : ([
          ["content-type", contentType(body)],
          ["content-length", String(body.byteLength)],
        ] satisfies HeaderLine[])),
  ];
  const given = new Set(lines.map(([name]) => name.toLowerCase()));
  return [...defaults.filter(([name]) => !given.has(name)), ...lines];
}

/** The type that most callers of such a body would send. */
function contentType(body: Uint8Array): string {
  const type = guessContentType(body);
  return type === "text/plain" ? `${type}; charset=utf-8` : type;
}
