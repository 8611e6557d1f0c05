/**
 * The response of an Invoke, for people and for pipes; or of many, as times.
 *
 * @module
 */

import { INVOKE_HEADER } from "../../host/front/lambda-api/contract.ts";
import { decodeUtf8, parseExactly } from "../../host/http/json-text.ts";
import type { InvocationReport } from "../../host/invocation/outcome.ts";
import { EXIT } from "../cli/exit-status.ts";
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
}

/** Prints the response of a server and returns the exit status. */
export async function printResult(
  response: Response,
  name: string,
  url: string,
  options: OutputOptions,
): Promise<number> {
  const body = new Uint8Array(await response.arrayBuffer());
  if (response.status === 202 || response.status === 204) {
    say("info", `${response.status} · accepted, the function runs in the background`);
    return EXIT.ok;
  }
  if (response.status !== 200) return refused(response, body, name, url);
  const log = Buffer.from(response.headers.get(INVOKE_HEADER.logResult) ?? "", "base64").toString();
  if (options.tail === true) process.stderr.write(functionLines(log));
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

async function refused(
  response: Response,
  body: Uint8Array,
  name: string,
  url: string,
): Promise<number> {
  const text = new TextDecoder().decode(body);
  switch (response.status) {
    case 404: {
      const known: unknown = await fetch(new URL("/_lambda-shell/functions", url))
        .then((response) => response.json())
        .catch(() => ({}));
      say("error", `${unknownFunction(name, functionNames(known))}`);
      return EXIT.usage;
    }
    case 429:
      say("error", "throttled (429): every worker is busy and the queue is full");
      return EXIT.throttled;
    // Everything else in the server's own words.
    default:
      say("error", `${response.status}: ${text.trim()}`);
      return EXIT.usage;
  }
}

function functionNames(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null || !("functions" in value)) return [];
  return Array.isArray(value.functions) ? value.functions.map(String) : [];
}

/** How often, and how many at the same time. */
export interface Repetition {
  readonly count: number;
  readonly parallel: number;
  /** Whether an event that failed has an exit status of its own. */
  readonly fail: boolean;
}

/**
 * Sends an event over and over.
 * @param send Sends it once; whether the function succeeded.
 * @returns 0 when all succeeded, or when failures do not count; else 1.
 */
export async function repeatInvoke(
  send: () => Promise<boolean>,
  coldStarts: () => Promise<number>,
  { count, parallel, fail }: Repetition,
): Promise<number> {
  const timesMs: number[] = [];
  let failed = 0;
  let left = count;
  const coldBefore = await coldStarts();
  const startedAtMs = performance.now();
  const loop = async () => {
    while (left > 0) {
      left -= 1;
      const sentAtMs = performance.now();
      const succeeded = await send();
      timesMs.push(performance.now() - sentAtMs);
      if (!succeeded) failed += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, loop));
  const seconds = (performance.now() - startedAtMs) / 1000;
  const cold = (await coldStarts()) - coldBefore;
  timesMs.sort((a, b) => a - b);
  const quantile = (share: number) =>
    (timesMs[Math.min(timesMs.length - 1, Math.floor(share * timesMs.length))] ?? 0).toFixed(1);
  say(
    "info",
    `${count - failed} ok · ${failed} failed · p50 ${quantile(0.5)} ms · ` +
      `p95 ${quantile(0.95)} ms · max ${quantile(1)} ms · ${cold} cold starts · ` +
      `${Math.round(count / seconds)} req/s`,
  );
  return failed === 0 || !fail ? EXIT.ok : EXIT.functionError;
}
