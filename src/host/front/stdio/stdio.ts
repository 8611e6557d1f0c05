/**
 * Events from standard input, responses to standard output: one line for each, in order.
 *
 * @module
 */

import { createHash } from "node:crypto";

import type { FunctionHost } from "../../function/function-pool.ts";
import { compactJson, isJson } from "../../http/json-text.ts";
import {
  type FunctionErrorOutcome,
  type WholeOutcome,
  wholeOutcome,
} from "../../invocation/outcome.ts";
import type { FramedEvent } from "./event-framing.ts";

/** How results are written. */
export interface StdioOptions {
  /** `refunc` writes the line of the runner that this takes over from. */
  readonly envelope: "none" | "refunc";
  /** `md5` names an event by the hash of its bytes, as the old runner does. */
  readonly requestId: "random" | "md5";
  /** Goes on after an invalid event as if it had not been there. */
  readonly skipInvalid: boolean;
  /** Writes results as they come instead of in the order of the events. */
  readonly unordered: boolean;
  /** Events that are worked on at the same time. */
  readonly parallel: number;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Says what is wrong with an event or its outcome. */
  readonly complain: (message: string) => void;
  /** Called with each function error, for a readable account of it. */
  readonly onFunctionError: (outcome: FunctionErrorOutcome) => void;
}

/** What became of all events. */
export interface StdioResult {
  readonly invalid: number;
  readonly outcomes: ReadonlySet<string>;
}

/** Runs every event; standard output has a line for each that was valid when this returns. */
export async function runEvents(
  host: FunctionHost,
  events: AsyncIterable<FramedEvent>,
  options: StdioOptions,
): Promise<StdioResult> {
  const outcomes = new Set<string>();
  const running = new Set<Promise<void>>();
  let invalid = 0;
  let written: Promise<void> = Promise.resolve();
  for await (const event of events) {
    if (event.kind === "invalid") {
      options.complain(`line ${event.line}: ${event.reason}`);
      if (!options.skipInvalid) invalid += 1;
      continue;
    }
    const { bytes } = event;
    const named = options.requestId === "md5" ? { requestId: md5(bytes) } : {};
    const invoked = host.invoke({ event: bytes, ...named }).then(wholeOutcome);
    const result = invoked.then((outcome) => {
      outcomes.add(outcomeName(outcome));
      if (outcome.kind === "function-error") options.onFunctionError(outcome);
      if (outcome.kind === "rejected") options.complain(`line ${event.line}: ${outcome.reason}`);
      return resultLine(outcome, options.envelope);
    });
    const before = options.unordered ? Promise.resolve() : written;
    const done = Promise.all([result, before]).then(([line]) => write(line));
    written = done;
    const tracked: Promise<void> = done.finally(() => running.delete(tracked));
    running.add(tracked);
    while (running.size >= options.parallel) await Promise.race(running);
  }
  await Promise.all(running);
  return { invalid, outcomes };

  async function write(line: Uint8Array | undefined): Promise<void> {
    if (line !== undefined) await options.write(line);
  }
}

/** The name under which an outcome counts for the exit status. */
function outcomeName(outcome: WholeOutcome): string {
  return outcome.kind === "function-error" ? outcome.origin : outcome.kind;
}

function resultLine(
  outcome: WholeOutcome,
  envelope: StdioOptions["envelope"],
): Uint8Array | undefined {
  switch (outcome.kind) {
    case "rejected":
      return undefined;
    case "function-error":
      return envelope === "refunc"
        ? refuncError(outcome.body, outcome.contentType, outcome.origin === "init")
        : line(compactIfJson(outcome.body));
    case "response": {
      const { body } = outcome;
      return envelope === "refunc"
        ? refuncPayload(body, outcome.contentType)
        : line(compactIfJson(body));
    }
  }
}

/** JSON goes on one line; anything else stays byte for byte. */
function compactIfJson(body: Uint8Array): Uint8Array {
  return body.includes(LINE_FEED) && isJson(body) ? compactJson(body) : body;
}

const LINE_FEED = 0x0a;

function line(body: Uint8Array): Uint8Array {
  return body.at(-1) === LINE_FEED ? body : Buffer.concat([body, Uint8Array.of(LINE_FEED)]);
}

/** `{"payload":…,"ContentType":…}` with the response's own tokens, or the response as a string. */
function refuncPayload(body: Uint8Array, contentType: string | undefined): Uint8Array {
  const members: Uint8Array[] = [];
  if (body.byteLength > 0) {
    // The line feed that a shell's printf adds is not part of the text.
    const text = new TextDecoder().decode(body).replace(/\r?\n$/, "");
    const value = isJson(body) ? compactJson(body) : Buffer.from(JSON.stringify(text));
    members.push(Buffer.concat([Buffer.from('"payload":'), value]));
  }
  return refuncLine(members, contentType);
}

/** @param fatal True of an error at the start, after which the old runner runs nothing. */
function refuncError(body: Uint8Array, contentType: string, fatal = false): Uint8Array {
  let error: Record<string, unknown>;
  try {
    error = JSON.parse(new TextDecoder().decode(body));
  } catch {
    error = { errorMessage: new TextDecoder().decode(body) };
  }
  const { errorMessage = "", errorType, stackTrace } = error;
  const trace = Array.isArray(stackTrace) && stackTrace.length > 0 ? { stackTrace } : {};
  const named = errorType === undefined || errorType === "" ? {} : { errorType };
  const value = JSON.stringify({ errorMessage, ...named, ...trace, fatal });
  return refuncLine([Buffer.from(`"error":${value}`)], contentType);
}

function refuncLine(members: Uint8Array[], contentType: string | undefined): Uint8Array {
  // Our bootstrap says JSON of everything; the old runner prints what the bootstrap said.
  if (contentType !== undefined && contentType !== "") {
    members.push(Buffer.from(`"ContentType":${JSON.stringify(contentType)}`));
  }
  const separated = members.flatMap((member, at) => (at === 0 ? [member] : [COMMA, member]));
  return Buffer.concat([Buffer.from("{"), ...separated, Buffer.from("}\n")]);
}

const COMMA = Buffer.from(",");

function md5(bytes: Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}
