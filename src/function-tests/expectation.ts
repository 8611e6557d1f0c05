/**
 * What came back, against what must: every difference in words, and what to expect from now on.
 *
 * @module
 */

import { compactJson, decodeUtf8, isJson } from "../host/http/json-text.ts";
import { parsedObject } from "../json-object.ts";
import { type Difference, jsonDifferences, projectJson, textContrast } from "./exact-json.ts";
import type { Expectation } from "./test-file.ts";

/** Differences that are shown of one response. */
const DIFFERENCES_MAX = 10;

/** Longest piece of what came back that is shown, in characters. */
const SHOWN_LENGTH_MAX = 500;

/** What came back from a function. */
export interface Received {
  /** A response, or the JSON of an error. */
  readonly kind: "response" | "error";
  readonly body: Uint8Array;
  /** What the function logged for this event, as far as it is kept. */
  readonly log: string;
  /** An error in words. */
  readonly summary?: string;
}

/**
 * Everything in which a response is not as expected; empty when the test has passed.
 * @param expected Nothing is a problem of its own: a test that cannot fail shows nothing.
 */
export function problemsOf(
  expected: Expectation | undefined,
  received: Received,
): readonly string[] {
  const problems: string[] = [];
  if (received.kind === "error" && !wantsError(expected)) {
    return [`the function failed: ${received.summary ?? shownBody(received.body)}`];
  }
  if (expected === undefined) {
    return [
      `nothing is expected yet; the response is ${shownBody(received.body)}\n` +
        "  if that is right, write it down with: lambda-shell test --update",
    ];
  }
  if (received.kind === "response" && wantsError(expected)) {
    problems.push(`expected an error, got the response ${shownBody(received.body)}`);
  } else if (received.kind === "error") {
    problems.push(...errorProblems(expected, received.body));
  } else {
    problems.push(...responseProblems(expected, received.body));
  }
  for (const text of expected.logContains) {
    if (!received.log.includes(text)) {
      problems.push(`the log does not contain ${JSON.stringify(text)}`);
    }
  }
  return problems;
}

export function wantsError(expected: Expectation | undefined): boolean {
  return expected?.error !== undefined || expected?.errorMatches !== undefined;
}

function errorProblems({ error, errorMatches }: Expectation, body: Uint8Array): readonly string[] {
  return [
    ...(error === undefined ? [] : jsonProblems(error, body, "contains", "error")),
    ...matchProblems(errorMatches, body, "error"),
  ];
}

function responseProblems(expected: Expectation, body: Uint8Array): readonly string[] {
  const { response, responseContains, responseText, responseBase64, responseMatches } = expected;
  return [
    ...(response === undefined ? [] : jsonProblems(response, body, "equal", "response")),
    ...(responseContains === undefined
      ? []
      : jsonProblems(responseContains, body, "contains", "response")),
    ...(responseText === undefined ? [] : textProblems(responseText, body)),
    ...(responseBase64 === undefined ? [] : byteProblems(responseBase64, body)),
    ...matchProblems(responseMatches, body, "response"),
  ];
}

function jsonProblems(
  expected: string,
  body: Uint8Array,
  comparison: "equal" | "contains",
  name: string,
): readonly string[] {
  if (!isJson(body)) return [`${name} is not JSON: ${shownBody(body)}`];
  const text = new TextDecoder().decode(body);
  let differences: readonly Difference[];
  try {
    differences = jsonDifferences(expected, text, comparison, name);
  } catch (error) {
    if (error instanceof RangeError) return [`${name} is nested too deeply to be compared`];
    throw error;
  }
  const shown = differences.slice(0, DIFFERENCES_MAX).map(differenceLine);
  const more = differences.length - shown.length;
  return more > 0 ? [...shown, `and ${more} more differences`] : shown;
}

function differenceLine({ path, words }: Difference): string {
  return `${path}: ${words}`;
}

function textProblems(expected: string, body: Uint8Array): readonly string[] {
  if (Buffer.from(expected).equals(body)) return [];
  const actual = decodeUtf8(body);
  if (actual === undefined) return [`response is not UTF-8: ${shownBody(body)}`];
  return [`response ${textContrast(expected, actual)}`];
}

function byteProblems(expected: string, body: Uint8Array): readonly string[] {
  const actual = Buffer.from(body).toString("base64");
  return actual === expected ? [] : [`response in base64 ${textContrast(expected, actual)}`];
}

function matchProblems(
  pattern: RegExp | undefined,
  body: Uint8Array,
  name: string,
): readonly string[] {
  const text = new TextDecoder().decode(body);
  if (pattern === undefined || pattern.test(text)) return [];
  return [`${name} does not match ${pattern}: ${shownBody(body)}`];
}

/** What has changed of what `--update` writes down; empty where nothing like it was expected before. */
export function changesOf(
  expected: Expectation | undefined,
  { kind, body }: Received,
): readonly string[] {
  if (expected === undefined) return [];
  // Patterns are only people's to change.
  const { responseMatches: _response, errorMatches: _error, ...written } = expected;
  return kind === "error" ? errorProblems(written, body) : responseProblems(written, body);
}

/** The beginning of what came back, on one line. */
export function shownBody(body: Uint8Array): string {
  if (body.byteLength === 0) return "nothing";
  const text = decodeUtf8(body);
  if (text === undefined) return `${body.byteLength} bytes that are not UTF-8`;
  const line = isJson(body) ? jsonLine(text.trim()) : JSON.stringify(text);
  return line.length > SHOWN_LENGTH_MAX ? `${line.slice(0, SHOWN_LENGTH_MAX)}…` : line;
}

/** JSON as it is written; of several lines, as jq prints it, without the white space. */
function jsonLine(text: string): string {
  return text.includes("\n") ? new TextDecoder().decode(compactJson(Buffer.from(text))) : text;
}

/**
 * What `--update` writes, as members of `expect` with their JSON text.
 * @returns Nothing where only people can know: when the function could not be run, and when it fails
 * instead of responding or the other way round.
 */
export function recorded(
  received: Received,
  before: Expectation | undefined,
): Readonly<Record<string, string>> | undefined {
  const text = decodeUtf8(received.body);
  if (before !== undefined && wantsError(before) !== (received.kind === "error")) return undefined;
  if (received.kind === "error") return recordedError(text ?? "");
  if (text === undefined) {
    return { responseBase64: JSON.stringify(Buffer.from(received.body).toString("base64")) };
  }
  if (!isJson(received.body) || before?.responseText !== undefined) {
    return { responseText: JSON.stringify(text) };
  }
  if (before?.responseContains === undefined) return { response: text.trim() };
  return { responseContains: projectJson(before.responseContains, text) };
}

/** An error's type, and its message where that is the same at the next event. */
function recordedError(text: string): Readonly<Record<string, string>> | undefined {
  const error = parsedObject(text);
  // Of what is not an object no member can be expected.
  if (error === undefined) return undefined;
  const { errorType, errorMessage } = error;
  if (/^(Runtime|Sandbox)\./.test(String(errorType))) return undefined;
  // A request id is another one at the next event.
  const isStable =
    typeof errorMessage === "string" && !/[0-9a-f]{8}-[0-9a-f]{4}-/.test(errorMessage);
  return { error: JSON.stringify({ errorType, ...(isStable ? { errorMessage } : {}) }) };
}
