/**
 * The event of `invoke`: typed, from a file or the examples, or made of a request or attributes.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { validateHeaderName, validateHeaderValue } from "node:http";

import type { Command } from "commander";

import packageJson from "../../../package.json" with { type: "json" };
import {
  type CloudEvent,
  dataOf,
  formatStructured,
  SPEC_VERSION,
  validate,
} from "../../host/front/cloud-events/cloud-event.ts";
import { gatewayEvent } from "../../host/front/gateway/event.ts";
import { gatewayNames } from "../../host/front/select.ts";
import { decodeUtf8, isJson, jsonFault } from "../../host/http/json-text.ts";
import type { HttpRequest } from "../../host/http/message.ts";
import { newTraceId } from "../../host/invocation/invocation.ts";
import { DEFAULT_SETTINGS } from "../../host/invocation/settings.ts";
import { CommandError } from "../cli/exit-status.ts";
import { isStandardInputGiven, readInputFile, wholeStandardInput } from "../cli/input.ts";
import { collected } from "../cli/options.ts";
import { say } from "../cli/terminal.ts";
import { setMembers } from "../events/event-member.ts";
import { setOption } from "../events/events.ts";

/** Options that say what the event is. */
export interface EventOptions {
  readonly data?: string;
  readonly file?: string;
  readonly example?: string;
  readonly set?: readonly string[];
  readonly http?: string;
  readonly header?: readonly string[];
  readonly ce?: readonly string[];
  readonly region?: string;
}

/** Adds those options. */
export function addEventOptions(command: Command): Command {
  return command
    .option("-d, --data <json>", "event; @FILE reads a file, @- or - standard input")
    .option("-f, --file <file>", "event from a file")
    .option("-e, --example <name>", "event of an AWS service; lambda-shell events lists them")
    .addOption(setOption())
    .option("--http <request>", "event of a Function URL: 'POST /path?q=1'; -d is its body")
    .addOption(collected("-H, --header <name: value>", "header of --http"))
    .option("--ce <name=value...>", "structured CloudEvent: type=T source=S; -d is its data");
}

/** Bytes of an event, and how a complaint names them. */
interface EventText {
  readonly bytes: Uint8Array;
  readonly source: string;
}

/**
 * Makes the event; `{}` when nothing is said.
 * @throws {CommandError} When it is not JSON or the options contradict each other, with the fix.
 */
export async function invokeEvent(options: EventOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { http, header, ce, set = [], region } = options;
  if (http !== undefined && ce !== undefined) throw excluding("--http", "--ce");
  if (http === undefined && header !== undefined) {
    throw new CommandError("-H needs a request: --http 'POST /path'");
  }
  const text = await eventText(options);
  return new Uint8Array(setMembers(made(), set));

  function made(): Uint8Array {
    if (http !== undefined) return functionUrlEvent(http, header ?? [], text?.bytes, region);
    if (ce !== undefined) return cloudEvent(ce, text?.bytes);
    if (text === undefined) return nothingGiven();
    const complaint = payloadComplaint(text.bytes, text.source);
    // What comes through a pipe may be anything, as with the aws command.
    if (complaint !== undefined && text.source !== STDIN) throw new CommandError(complaint);
    return text.bytes;
  }
}

const STDIN = "standard input";

/** The event when no option names one. */
function nothingGiven(): Uint8Array {
  if (isStandardInputGiven()) say("hint", "the event is {}: -d - takes it from standard input");
  return Buffer.from("{}");
}

/** What was typed, read or chosen; nothing when nothing was. */
async function eventText(options: EventOptions): Promise<EventText | undefined> {
  const { data, file, example } = options;
  const given = [
    ...(data === undefined ? [] : ["-d"]),
    ...(file === undefined ? [] : ["-f"]),
    ...(example === undefined ? [] : ["-e"]),
  ];
  const [first = "", second] = given;
  if (second !== undefined) throw excluding(first, second);
  if (example !== undefined) {
    const { exampleEvent } = await import("../events/examples.ts");
    return { bytes: Buffer.from(exampleEvent(example)), source: `-e ${example}` };
  }
  const path = file ?? (data?.startsWith("@") ? data.slice(1) : undefined);
  if (path === "-" || data === "-") {
    return { bytes: await wholeStandardInput(), source: STDIN };
  }
  if (path !== undefined) {
    const option = file === undefined ? "-d" : "-f";
    return { bytes: readInputFile(path, option), source: path };
  }
  return data === undefined ? undefined : { bytes: Buffer.from(data), source: `-d ${data}` };
}

/** A complaint with the place of the fault; nothing when the bytes are JSON. */
export function payloadComplaint(bytes: Uint8Array, source: string): string | undefined {
  const text = new TextDecoder().decode(bytes);
  const fault = jsonFault(text);
  if (fault === undefined) return undefined;
  const { offset, words } = fault;
  const where = offset === undefined ? words : `offset ${offset}: ${words}`;
  const lines = [`payload is not valid JSON (${where})`];
  if (offset !== undefined && source.startsWith("-d ") && !text.includes("\n")) {
    lines.push(`  ${source}`, `  ${" ".repeat("-d ".length + offset)}^`);
  }
  lines.push("hint: use -f event.json, -d @event.json or pipe with -d -");
  return lines.join("\n");
}

function excluding(first: string, second: string): CommandError {
  return new CommandError(`${first} and ${second} exclude each other`);
}

/**
 * Makes the event; id, time and the type of the data are added where they are not given.
 * @param assignments Attributes as `name=value`; `type` and `source` must be among them.
 * @throws {CommandError} When an attribute is missing or not allowed.
 */
function cloudEvent(
  assignments: readonly string[],
  data: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const given = new Map(assignments.map(attribute));
  const attributes = new Map([
    ["specversion", SPEC_VERSION],
    ["id", randomUUID()],
    ["time", new Date().toISOString()],
    ...(data.byteLength === 0 ? [] : [["datacontenttype", guessContentType(data)] as const]),
    ...given,
  ]);
  const event: CloudEvent = { attributes, data: dataOf(data, attributes.get("datacontenttype")) };
  const checked = validate(event);
  if (checked.kind === "invalid") {
    throw new CommandError(
      `--ce: ${checked.reason}\n  write attributes: --ce type=com.example.created source=/shop`,
    );
  }
  return Buffer.from(formatStructured(event));
}

function attribute(assignment: string): readonly [string, string] {
  const at = assignment.indexOf("=");
  if (at < 1) {
    throw new CommandError(
      `--ce ${assignment}: not an attribute name=value\n` +
        "  put the function's name before the options: lambda-shell invoke NAME --ce …",
    );
  }
  return [assignment.slice(0, at), assignment.slice(at + 1)];
}

/** The type that most callers would declare for such a payload. */
function guessContentType(payload: Uint8Array): string {
  if (isJson(payload)) return "application/json";
  return decodeUtf8(payload) === undefined ? "application/octet-stream" : "text/plain";
}

type HeaderLine = readonly [name: string, value: string];

/** A method, which may be left out, and a target as it stands in a request line. */
const REQUEST = /^(?:([A-Za-z]+) +)?(\/[^\s#?]*)(?:\?([^\s#]*))?$/;

/**
 * Makes the event.
 * @param lines Headers as `Name: value`; a Content-Type that is missing is guessed from the body.
 * @throws {CommandError} When the request or a header is malformed.
 */
function functionUrlEvent(
  request: string,
  lines: readonly string[],
  body: Uint8Array = new Uint8Array(0),
  region: string = process.env["AWS_REGION"] || DEFAULT_SETTINGS.region,
): Uint8Array {
  const [, method, rawPath, rawQuery = ""] = REQUEST.exec(request) ?? [];
  if (rawPath === undefined) {
    const blank = /\/.*\s/.test(request) ? ", a space in it as %20" : "";
    throw new CommandError(
      `--http ${request}: invalid request\n` +
        `  write a method and a path${blank}: --http 'POST /path?q=1'`,
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
    throw new CommandError(`-H ${line}: invalid header\n  write it as -H 'Name: value'`);
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
