/**
 * A test of a function as it stands in a file: an event, and what must come back.
 *
 *     {
 *       "name": "greets by name",
 *       "event": { "name": "Ada" },
 *       "env": { "GREETING": "Ciao" },
 *       "expect": { "response": { "message": "Ciao, Ada!" } }
 *     }
 *
 * A file holds one test or a list of them. What is wrong with a file is told with its line and column,
 * and with what to write instead.
 *
 * @module
 */

import { dirname, resolve } from "node:path";

import { z } from "zod";

import { closest } from "../commands/cli/suggest.ts";
import { eventTime } from "../commands/function/settings.ts";
import { isVariableName } from "../env-file.ts";
import { compactJson } from "../host/http/json-text.ts";
import { PLATFORM_VARIABLES } from "../host/sandbox/variables.ts";
import { HEADER, INVOCATION_HEADER_PREFIX } from "../runtime-api/contract.ts";
import { JsonSource, type Place } from "./json-source.ts";

/** A test as it is described. */
export interface TestDescription {
  /** How people name it: its file, and its name in the file where it has one. */
  readonly id: string;
  /** The file that it stands in, or that is its event; as people write the path. */
  readonly file: string;
  readonly event: EventSource;
  readonly handler?: string;
  /** Variables of the function, for this test alone. */
  readonly env: Readonly<Record<string, string>>;
  /** As of `--timeout`, in milliseconds. */
  readonly timeoutMs?: number;
  /** Further headers of the event at the Runtime API. */
  readonly headers: Readonly<Record<string, string>>;
  /** Absent until somebody has said what must come back. */
  readonly expected?: Expectation;
  /** Where in the file it stands; absent for an event that no test names. */
  readonly place?: Place;
}

/** Where the event's bytes come from. */
export type EventSource =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** The bytes of a file, by its absolute path; with members changed as by `--set`. */
  | { readonly kind: "file"; readonly path: string; readonly set: readonly string[] }
  /** An event of an AWS service, by the name that `lambda-shell events` lists. */
  | { readonly kind: "example"; readonly name: string; readonly set: readonly string[] };

/** What must come back; everything that is given must hold. */
export interface Expectation {
  /** JSON text that the response must be equal to, as a value. */
  readonly response?: string;
  /** JSON text whose members the response must have. */
  readonly responseContains?: string;
  /** The response byte for byte. */
  readonly responseText?: string;
  readonly responseBase64?: string;
  readonly responseMatches?: RegExp;
  /** JSON text whose members the error must have. */
  readonly error?: string;
  readonly errorMatches?: RegExp;
  readonly logContains: readonly string[];
}

/** The tests of a file, or everything that is wrong with it. */
export type TestFileResult =
  | { readonly kind: "valid"; readonly tests: readonly TestDescription[] }
  | { readonly kind: "invalid"; readonly complaints: readonly string[] };

const EVENT_FORMS = ["event", "eventFile", "example"] as const;
const JSON_RESPONSES = ["response", "responseContains"] as const;
const RESPONSE_FORMS = [...JSON_RESPONSES, "responseText", "responseBase64"] as const;

function string(name: string) {
  return z.string({ error: `${name} must be a string` });
}

function pattern(name: string) {
  return string(name).transform((source, context) => {
    try {
      return new RegExp(source);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: "custom", message: `${name}: ${reason}` });
      return z.NEVER;
    }
  });
}

function strings(name: string, example: string) {
  const value = z.string({
    error: `a value of ${name} must be a string in quotes, as in ${example}`,
  });
  return z.record(z.string(), value, {
    error: `${name} must be an object of strings, as in ${example}`,
  });
}

const expectSchema = z.strictObject(
  {
    response: z.unknown().optional(),
    responseContains: z.unknown().optional(),
    responseText: string("responseText").optional(),
    responseBase64: z.base64("responseBase64 must be base64").optional(),
    responseMatches: pattern("responseMatches").optional(),
    error: z
      .looseObject(
        {},
        { error: 'error must be an object, as in {"errorType": "NotFound"}; {} matches any error' },
      )
      .optional(),
    errorMatches: pattern("errorMatches").optional(),
    logContains: z
      .union([z.string().transform((each) => [each]), z.array(z.string())], {
        error: "logContains must be a string or a list of strings",
      })
      .default([]),
  },
  { error: 'expect must be an object, as in {"response": {"ok": true}}' },
);

const testSchema = z.strictObject({
  name: string("name").min(1, "name is empty: leave it out, or say what the test shows").optional(),
  event: z.unknown().optional(),
  eventFile: string("eventFile").optional(),
  example: string("example").optional(),
  set: z
    .array(z.string(), { error: 'set must be a list of strings, as in ["Records.0.body=hi"]' })
    .default([]),
  handler: string("handler").optional(),
  env: strings("env", '{"GREETING": "Ciao", "LIMIT": "3"}').default({}),
  timeout: z
    .union([z.string(), z.number().transform(String)], {
      error: "timeout must be a duration: 3, 500ms, 1m30s",
    })
    .pipe(eventTime)
    .optional(),
  headers: strings("headers", '{"Lambda-Runtime-Example": "one"}').default({}),
  expect: expectSchema.optional(),
});

/** Headers of an event that only the host can know. */
const HOST_HEADERS = [HEADER.requestId, HEADER.deadlineMs].map((name) => name.toLowerCase());

/** A header of an event that its function sees as a variable. */
function isEventHeader(name: string): boolean {
  const lower = name.toLowerCase();
  const isOne = lower.startsWith(INVOCATION_HEADER_PREFIX) && /^[a-z0-9-]+$/.test(lower);
  return isOne && !HOST_HEADERS.includes(lower);
}

/**
 * Reads a file of tests.
 * @param file As people name it; also where `eventFile` starts from.
 */
export function parseTestFile(bytes: Uint8Array, file: string): TestFileResult {
  const read = JsonSource.read(bytes, file);
  if (read.kind === "fault") return { kind: "invalid", complaints: [read.complaint] };
  const { source } = read;
  const isList = source.kindAt([]) === "array";
  const places = isList ? Array.from({ length: source.lengthAt([]) }, (_, at) => [at]) : [[]];
  if (places.length === 0) {
    const words = 'the list has no test: write one, as in [{"event": {}}]';
    return { kind: "invalid", complaints: [source.complaint([], words)] };
  }
  const results = places.map((place) => readTest(source, file, place));
  const complaints = results.flatMap((each) => (typeof each === "string" ? [each] : []));
  if (complaints.length > 0) return { kind: "invalid", complaints };
  return {
    kind: "valid",
    tests: results.flatMap((each) => (typeof each === "string" ? [] : [each])),
  };
}

/** The test at a place, or what is wrong with it. */
function readTest(source: JsonSource, file: string, place: Place): TestDescription | string {
  if (source.kindAt(place) !== "object") {
    const words =
      'a file has one test or a list of them, each an object: {"event": …, "expect": …}';
    return source.complaint(place, words);
  }
  for (const object of [place, [...place, "expect"]]) {
    const twice = source.repeatedMember(object);
    if (twice !== undefined) return source.complaint(object, `duplicate member "${twice}"`, twice);
  }
  const parsed = testSchema.safeParse(source.valueAt(place));
  if (!parsed.success) return issueComplaint(source, place, parsed.error.issues[0]);
  const { data } = parsed;
  const wrongName = Object.keys(data.env).find((name) => !isVariableName(name));
  if (wrongName !== undefined) {
    const words = `not a variable name: "${wrongName}"`;
    return source.complaint([...place, "env"], words, wrongName);
  }
  const platforms = Object.keys(data.env).find((name) => PLATFORM_VARIABLES.includes(name));
  if (platforms !== undefined) {
    const words =
      `Lambda sets the variable ${platforms} itself\n` +
      '  what a test can choose of that has members of its own: "handler", "timeout", "headers"';
    return source.complaint([...place, "env"], words, platforms);
  }
  const wrongHeader = Object.keys(data.headers).find((name) => !isEventHeader(name));
  if (wrongHeader !== undefined) {
    const words = `"${wrongHeader}" is not a header that an event can have: its name is Lambda-Runtime-…,\n  and request id and deadline are the host's`;
    return source.complaint([...place, "headers"], words, wrongHeader);
  }
  const complaint = contradiction(source, place);
  if (complaint !== undefined) return source.complaint(place, complaint);
  const label = data.name ?? (typeof place[0] === "number" ? `test ${place[0] + 1}` : undefined);
  const expected = expectation(data.expect, source, place);
  return {
    id: label === undefined ? file : `${file}: ${label}`,
    file,
    event: eventSource(data, source, place, file),
    ...(data.handler === undefined ? {} : { handler: data.handler }),
    env: data.env,
    ...(data.timeout === undefined ? {} : { timeoutMs: data.timeout }),
    headers: data.headers,
    ...(expected === undefined ? {} : { expected }),
    place,
  };
}

function issueComplaint(
  source: JsonSource,
  place: Place,
  issue: z.core.$ZodIssue | undefined,
): string {
  const path = issue?.path.filter((key) => typeof key !== "symbol") ?? [];
  const at = [...place, ...path];
  if (issue?.code !== "unrecognized_keys") {
    return source.complaint(at, issue?.message ?? "the test is wrong");
  }
  const [key = ""] = issue.keys;
  const known = Object.keys((path.length === 0 ? testSchema : expectSchema).shape);
  const meant = closest(key, known);
  const fix =
    meant === undefined ? `  there are: ${known.join(", ")}` : `  did you mean "${meant}"?`;
  const isBareEvent =
    path.length === 0 && !EVENT_FORMS.some((form) => source.kindAt([...place, form]));
  const hint = isBareEvent
    ? "\n  a file that is nothing but an event belongs in the folder events"
    : "";
  return source.complaint(at, `unknown member "${key}"\n${fix}${hint}`, key);
}

/** Members that exclude each other, or that are missing. */
function contradiction(source: JsonSource, place: Place): string | undefined {
  const given = (names: readonly string[], ...below: readonly string[]) =>
    names.filter((name) => source.kindAt([...place, ...below, name]) !== undefined);
  const excluding = (names: readonly string[]) => `${names.join(" and ")} exclude each other`;
  const events = given(EVENT_FORMS);
  if (events.length > 1) return excluding(events);
  if (events.length === 0) {
    return (
      'no event: write "event": {…}, "eventFile": "../events/ada.json" or "example": "sqs-event"\n' +
      "  a file that is nothing but an event belongs in the folder events"
    );
  }
  if (events[0] === "event" && given(["set"]).length > 0) {
    return "set changes an eventFile or an example: change the event itself";
  }
  if (given(["expect"]).length === 0) return undefined;
  const responses = given(RESPONSE_FORMS, "expect");
  if (responses.length > 1) return excluding(responses);
  responses.push(...given(["responseMatches"], "expect"));
  const errors = given(["error", "errorMatches"], "expect");
  const [response] = responses;
  const [error] = errors;
  if (response !== undefined && error !== undefined) return excluding([response, error]);
  if (response ?? error ?? given(["logContains"], "expect")[0]) return undefined;
  return (
    'expect is empty: say what must come back, as in {"response": {"ok": true}}, or leave it out:\n' +
    "  lambda-shell test --update writes what comes back"
  );
}

function eventSource(
  { eventFile, example, set }: z.output<typeof testSchema>,
  source: JsonSource,
  place: Place,
  file: string,
): EventSource {
  if (example !== undefined) return { kind: "example", name: example, set };
  if (eventFile !== undefined) {
    return { kind: "file", path: resolve(dirname(file), eventFile), set };
  }
  // On one line, as services send it, however the file is laid out.
  const text = source.textAt([...place, "event"]);
  return { kind: "bytes", bytes: compactJson(Buffer.from(text)) };
}

function expectation(
  expected: z.output<typeof expectSchema> | undefined,
  source: JsonSource,
  place: Place,
): Expectation | undefined {
  if (expected === undefined) return undefined;
  // As they are written: a parser would round their numbers.
  const raw = [...JSON_RESPONSES, "error"].flatMap((name) => {
    const at = [...place, "expect", name];
    return source.kindAt(at) === undefined ? [] : [[name, source.textAt(at)] as const];
  });
  const { responseText, responseBase64, responseMatches, errorMatches, logContains } = expected;
  return {
    ...Object.fromEntries(raw),
    ...(responseText === undefined ? {} : { responseText }),
    ...(responseBase64 === undefined ? {} : { responseBase64 }),
    ...(responseMatches === undefined ? {} : { responseMatches }),
    ...(errorMatches === undefined ? {} : { errorMatches }),
    logContains,
  };
}
