/**
 * The response of an Invoke, for people and for pipes; or of many, as times.
 *
 * @module
 */

import { INVOKE_HEADER } from "../../host/front/lambda-api/contract.ts";
import { decodeUtf8, parseExactly } from "../../host/http/json-text.ts";
import { shownAddress } from "../../host/http/message.ts";
import type { InvocationReport } from "../../host/invocation/outcome.ts";
import { membersOf, parsedObject } from "../../json-object.ts";
import { CommandError, EXIT } from "../cli/exit-status.ts";
import { addressBelow } from "../cli/options.ts";
import { unknownFunction } from "../cli/suggest.ts";
import { say } from "../cli/terminal.ts";
import { outputWarning, serverErrorSummary } from "../function/error-summary.ts";

/** How the response is printed. */
export type OutputForm = "raw" | "json" | "headers";

/** What the printing depends on. */
export interface OutputOptions {
  readonly output?: OutputForm;
  readonly fail: boolean;
  readonly tail?: boolean;
  readonly event?: boolean;
}

/** Status of a response that is a function's result, and of an event that nobody waits for. */
const OK = 200;
const ACCEPTED = 202;

/**
 * Prints the response of a server and returns the exit status.
 * @throws {CommandError} When it is not a function's result.
 */
export async function printResult(
  response: Response,
  name: string,
  url: string,
  options: OutputOptions,
): Promise<number> {
  const body = await responseBody(response, url);
  const refusal = await refusalOf(response, body, name, { ...options, url });
  if (refusal !== undefined) throw refusal;
  if (response.status === ACCEPTED) {
    say("info", `${ACCEPTED} · accepted, the function runs in the background`);
    return EXIT.ok;
  }
  if (options.event === true) {
    say("warning", "--event: the server has waited for the function, and sent its response");
  }
  const logResult = response.headers.get(INVOKE_HEADER.logResult);
  const log = Buffer.from(logResult ?? "", "base64").toString();
  if (options.tail === true) {
    if (logResult === null) say("warning", "--tail: the server has sent no log");
    process.stderr.write(functionLines(log));
  }
  if (options.output === "headers") writeHeaders(response.headers);
  writePayload(body, options.output);
  if (response.headers.get(INVOKE_HEADER.functionError) === null) {
    const warning = outputWarning(body);
    if (warning !== undefined) say("warning", warning);
    say("info", successLine(loggedReport(log)));
    return EXIT.ok;
  }
  const { durationMs } = loggedReport(log);
  const { message, exitStatus } = serverErrorSummary(body, functionLines(log), durationMs);
  say("error", message);
  return options.fail ? exitStatus : EXIT.ok;
}

/** Writes the headers of a response and the empty line after them. */
export function writeHeaders(headers: Iterable<readonly [name: string, value: string]>): void {
  const lines = [...headers].map(([name, value]) => `${name.toLowerCase()}: ${value}\n`);
  process.stdout.write(`${lines.join("")}\n`);
}

/** Writes a response: readable at a terminal, as it is into a pipe. */
export function writePayload(body: Uint8Array, form: OutputForm | undefined): void {
  const readable = form === "json" || (form === undefined && process.stdout.isTTY);
  const text = readable ? prettyJson(body) : undefined;
  process.stdout.write(text ?? body);
  if (readable && text === undefined && body.at(-1) !== 0x0a) process.stdout.write("\n");
}

function prettyJson(body: Uint8Array): string | undefined {
  const text = decodeUtf8(body);
  if (text === undefined) return undefined;
  try {
    return `${JSON.stringify(parseExactly(text), undefined, 2)}\n`;
  } catch {
    return undefined;
  }
}

/** What is known of an invocation; a server may tell less than one's own host. */
type Measured = Partial<
  Pick<InvocationReport, "durationMs" | "initDurationMs" | "maxMemoryUsedMb">
>;

/** `200 · 4.1 ms · init 9 ms · 12 MB`. */
export function successLine({ durationMs, initDurationMs, maxMemoryUsedMb }: Measured): string {
  return [
    "200",
    ...(durationMs === undefined ? [] : [`${durationMs.toFixed(1)} ms`]),
    ...(initDurationMs === undefined ? [] : [`init ${Math.round(initDurationMs)} ms`]),
    ...(maxMemoryUsedMb === undefined ? [] : [`${maxMemoryUsedMb} MB`]),
  ].join(" · ");
}

/** Reads the REPORT line in the end of a log that a server, or AWS, has sent. */
function loggedReport(log: string): Measured {
  const number = (pattern: RegExp) => {
    const found = pattern.exec(log)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const durationMs = number(/\tDuration: ([\d.]+) ms/);
  const initDurationMs = number(/Init Duration: ([\d.]+) ms/);
  const maxMemoryUsedMb = number(/Max Memory Used: (\d+) MB/);
  return {
    ...(durationMs === undefined ? {} : { durationMs }),
    initDurationMs,
    ...(maxMemoryUsedMb === undefined ? {} : { maxMemoryUsedMb }),
  };
}

function functionLines(log: string): string {
  return log
    .split("\n")
    .filter((line) => !/^(START|END|REPORT) RequestId: /.test(line))
    .join("\n");
}

/**
 * All of a response.
 * @throws {CommandError} When it broke off.
 */
export async function responseBody(response: Response, url: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(
      `the response of ${shownAddress(url)} broke off: ${why}`,
      EXIT.unreachable,
    );
  }
}

/** Who has responded, and to what. */
interface RefusalContext {
  /** Empty for AWS. */
  readonly url: string;
  readonly event?: boolean;
}

/** Why a response is not a function's result, in the server's words, and what to do; nothing when it is one. */
export async function refusalOf(
  response: Response,
  body: Uint8Array,
  name: string,
  { url, event }: RefusalContext,
): Promise<CommandError | undefined> {
  const { status, headers } = response;
  if (status === OK || (status === ACCEPTED && event === true)) return undefined;
  const server = url === "" ? "AWS" : `the server at ${shownAddress(url)}`;
  const told = `${status}: ${serverWords(response, body)}`;
  const isLambda = headers.has(INVOKE_HEADER.requestId);
  const whose =
    isLambda || url === "" ? "" : `\n  check that ${NAMED_BY} names a server of Lambda's API`;
  if (status >= 500) {
    const run =
      status === NOT_IMPLEMENTED ? "" : "\n  its log says why; the event may have been run";
    return new CommandError(`${server} failed: ${told}${run}${whose}`, EXIT.serverError);
  }
  if (status >= 300 && status < 400) return redirection(response, server);
  if (status === 429) {
    const words = "throttled (429): every worker is busy and the queue is full";
    return new CommandError(words, EXIT.throttled);
  }
  const known = status === 404 ? await functionNames(url) : [];
  if (known.length > 0) return new CommandError(unknownFunction(name, known));
  if (status >= 400) return new CommandError(`${told}${whose}`);
  const what = `${server} sent no result of a function: ${told}`;
  return new CommandError(`${what}${whose}`, EXIT.serverError);
}

/** What Lambda and its emulators say of an operation that they do not have. */
const NOT_IMPLEMENTED = 501;

/** Where the address of the server comes from. */
const NAMED_BY = "--url or AWS_ENDPOINT_URL_LAMBDA";

/** Where Lambda's API begins in the path of an address. */
const API_PATH = /\/2015-03-31\/functions\/.*$/;

function redirection(response: Response, server: string): CommandError {
  const location = response.headers.get("location");
  const where = location === null ? "without saying where" : `to ${location}`;
  const target = location === null ? null : URL.parse(location, response.url);
  const fix =
    target !== null && API_PATH.test(target.pathname)
      ? `use --url ${target.origin}${target.pathname.replace(API_PATH, "")}`
      : `name the server of Lambda's API itself with ${NAMED_BY}`;
  return new CommandError(
    `${server} redirects (${response.status}) ${where}\n  redirects are not followed; ${fix}`,
    EXIT.serverError,
  );
}

/** Most of a server's own words that is shown, in characters; it may be a page of HTML. */
const WORDS_LENGTH_MAX = 1000;

/** What a server says of its refusal, without what would change a terminal. */
function serverWords({ statusText, headers }: Response, body: Uint8Array): string {
  const text = lambdaWords(headers, body) ?? new TextDecoder().decode(body).trim();
  const words = text === "" ? statusText || "(no message)" : text;
  const shown = words.length > WORDS_LENGTH_MAX ? `${words.slice(0, WORDS_LENGTH_MAX)}…` : words;
  return shown.replace(/[^\P{Cc}\n\t]/gu, "\ufffd");
}

/** The exception and its message in a refusal of Lambda's; nothing when it has another form. */
function lambdaWords(headers: Headers, body: Uint8Array): string | undefined {
  const exception = headers.get(INVOKE_HEADER.errorType);
  if (exception === null) return undefined;
  // Lambda spells it either way.
  const { message, Message = message } = parsedObject(new TextDecoder().decode(body)) ?? {};
  return typeof Message === "string" ? `${exception}: ${Message}` : undefined;
}

/** The functions of a server of this tool's; none where it is another's. */
async function functionNames(url: string): Promise<readonly string[]> {
  if (url === "") return [];
  const value: unknown = await fetch(addressBelow(url, "/_lambda-shell/functions"), {
    redirect: "manual",
  })
    .then((response) => response.json())
    .catch(() => ({}));
  const { functions } = membersOf(value);
  return Array.isArray(functions) ? functions.map(String) : [];
}

/** How often, and how many at the same time. */
export interface Repetition {
  readonly count: number;
  readonly parallel: number;
  /** Whether an event that failed has an exit status of its own. */
  readonly fail: boolean;
}

/** What became of an event: the function's success or error, or why it has no result. */
export type Sent = "success" | "function-error" | CommandError;

/**
 * Sends an event over and over.
 * @param send Sends it once.
 * @param coldStarts Environments that have been started until now, where that is known.
 * @returns 0 when all succeeded, or when errors of the function do not count; else 1.
 * @throws {CommandError} After the times, when events have no result: the first reason.
 */
export async function repeatInvoke(
  send: () => Promise<Sent>,
  coldStarts: () => Promise<number | undefined>,
  { count, parallel, fail }: Repetition,
): Promise<number> {
  const timesMs: number[] = [];
  const refusals: CommandError[] = [];
  let errors = 0;
  let left = count;
  const coldBefore = await coldStarts();
  const startedAtMs = performance.now();
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      const sentAtMs = performance.now();
      const sent = await send();
      timesMs.push(performance.now() - sentAtMs);
      if (sent instanceof CommandError) refusals.push(sent);
      else if (sent === "function-error") errors += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, loop));
  const seconds = (performance.now() - startedAtMs) / 1000;
  const coldAfter = await coldStarts().catch(() => undefined);
  const isColdKnown = coldBefore !== undefined && coldAfter !== undefined;
  timesMs.sort((a, b) => a - b);
  const quantile = (share: number) =>
    (timesMs[Math.min(timesMs.length - 1, Math.floor(share * timesMs.length))] ?? 0).toFixed(1);
  const failed = errors + refusals.length;
  say(
    "info",
    `${count - failed} ok · ${failed} failed · p50 ${quantile(0.5)} ms · ` +
      `p95 ${quantile(0.95)} ms · max ${quantile(1)} ms · ` +
      `${isColdKnown ? `${coldAfter - coldBefore} cold starts · ` : ""}` +
      `${Math.round(count / seconds)} req/s`,
  );
  const [first] = refusals;
  if (first !== undefined) {
    const words = `${refusals.length} of ${count} events: ${first.message}`;
    throw new CommandError(words, first.exitStatus);
  }
  return errors === 0 || !fail ? EXIT.ok : EXIT.functionError;
}
