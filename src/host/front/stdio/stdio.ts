/**
 * Events from standard input, responses to standard output: one line for each, in order.
 *
 * @module
 */

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
  /** The line of a result; nothing for an event that was not run. JSON on one line when absent. */
  readonly format?: (outcome: WholeOutcome) => Uint8Array | undefined;
  /** Names an event; a random id when absent. */
  readonly requestId?: (event: Uint8Array) => string;
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
    const named = options.requestId === undefined ? {} : { requestId: options.requestId(bytes) };
    const invoked = host.invoke({ event: bytes, ...named }).then(wholeOutcome);
    const result = invoked.then((outcome) => {
      outcomes.add(outcomeName(outcome));
      if (outcome.kind === "function-error") options.onFunctionError(outcome);
      if (outcome.kind === "rejected") options.complain(`line ${event.line}: ${outcome.reason}`);
      return (options.format ?? resultLine)(outcome);
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

function resultLine(outcome: WholeOutcome): Uint8Array | undefined {
  return outcome.kind === "rejected" ? undefined : line(compactIfJson(outcome.body));
}

/** JSON goes on one line; anything else stays byte for byte. */
function compactIfJson(body: Uint8Array): Uint8Array {
  return body.includes(LINE_FEED) && isJson(body) ? compactJson(body) : body;
}

const LINE_FEED = 0x0a;

function line(body: Uint8Array): Uint8Array {
  return body.at(-1) === LINE_FEED ? body : Buffer.concat([body, Uint8Array.of(LINE_FEED)]);
}
