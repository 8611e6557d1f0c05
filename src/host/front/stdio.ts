/**
 * Events from standard input, responses to standard output: one line for each, in order.
 *
 * Standard input is cut into events in one of these ways. `lines`: one JSON document per line, an
 * empty line is `{}`. `json`: documents one after another, over as many lines as they like. `nul`:
 * documents that end in a NUL byte. `auto` is `lines`, unless the first line leaves an object or
 * array open: then it is `json`.
 *
 * @module
 */

import { EVENT_BYTES_MAX } from "../../runtime-api/contract.ts";
import type { FunctionPool } from "../function/function-pool.ts";
import { compactJson, isBlank, isJson, JsonBoundary, jsonComplaint } from "../http/json-text.ts";
import {
  type FunctionErrorOutcome,
  type InvocationRequest,
  REJECTION,
  type WholeOutcome,
  wholeOutcome,
} from "../invocation/outcome.ts";

/** How events are told apart. */
export type Framing = "auto" | "lines" | "json" | "nul";

/** All framings, for the command line. */
export const FRAMINGS = ["auto", "lines", "json", "nul"] as const satisfies readonly Framing[];

/** One event with the number of the line it begins on, from 1, or a piece that is not an event. */
export type FramedEvent =
  | { readonly kind: "event"; readonly line: number; readonly bytes: Uint8Array }
  | { readonly kind: "invalid"; readonly line: number; readonly reason: string };

const LINE_FEED = 0x0a;
const NUL = 0;
const EMPTY_EVENT = new Uint8Array(Buffer.from("{}"));

/** Yields the events of a stream in order; a piece larger than an event may be is reported as invalid. */
export async function* framedEvents(
  stream: AsyncIterable<Uint8Array>,
  framing: Framing,
): AsyncGenerator<FramedEvent, void, void> {
  let cutter: Cutter | undefined;
  let first: Uint8Array[] = [];
  let firstLength = 0;
  for await (const chunk of withoutMark(stream)) {
    if (cutter === undefined && framing === "auto") {
      first.push(chunk);
      firstLength += chunk.byteLength;
      // A line that is too large for an event is not worth keeping to its end.
      if (!chunk.includes(LINE_FEED) && firstLength <= EVENT_BYTES_MAX) continue;
      const start = Buffer.concat(first);
      cutter = new Cutter(firstLineOpen(start) ? "json" : "lines");
      first = [];
      yield* cutter.take(start);
      continue;
    }
    cutter ??= new Cutter(framing === "auto" ? "lines" : framing);
    yield* cutter.take(chunk);
  }
  cutter ??= new Cutter(framing === "auto" ? "lines" : framing);
  yield* cutter.take(Buffer.concat(first));
  yield* cutter.end();
}

const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/** A stream without the byte-order mark that editors of Windows begin a file with: it is not a part of an event. */
async function* withoutMark(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let start: Uint8Array | undefined = new Uint8Array(0);
  for await (const chunk of stream) {
    if (start === undefined) {
      yield chunk;
      continue;
    }
    start = Buffer.concat([start, chunk]);
    const mark = BYTE_ORDER_MARK.subarray(0, start.byteLength);
    const isMark = Buffer.compare(start.subarray(0, mark.byteLength), mark) === 0;
    if (isMark && mark.byteLength < BYTE_ORDER_MARK.byteLength) continue;
    yield isMark ? start.subarray(mark.byteLength) : start;
    start = undefined;
  }
  if (start !== undefined) yield start;
}

function firstLineOpen(bytes: Uint8Array): boolean {
  const boundary = new JsonBoundary();
  for (const byte of bytes) {
    if (byte === LINE_FEED) return boundary.open;
    boundary.take(byte);
  }
  return false;
}

/** Collects the pieces of one event. */
class Cutter {
  readonly #framing: Exclude<Framing, "auto">;
  readonly #boundary = new JsonBoundary();
  #chunks: Uint8Array[] = [];
  #byteLength = 0;
  #line = 1;
  #startLine = 1;

  constructor(framing: Exclude<Framing, "auto">) {
    this.#framing = framing;
  }

  *take(chunk: Uint8Array): Generator<FramedEvent> {
    if (this.#framing === "json") return yield* this.#takeJson(chunk);
    const delimiter = this.#framing === "lines" ? LINE_FEED : NUL;
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(delimiter, start);
      if (end === -1) break;
      this.#add(chunk.subarray(start, end));
      yield this.#cut();
      this.#startLine = this.#line += 1;
      start = end + 1;
    }
    this.#add(chunk.subarray(start));
  }

  *end(): Generator<FramedEvent> {
    if (this.#byteLength > 0) yield this.#cut();
  }

  *#takeJson(chunk: Uint8Array): Generator<FramedEvent> {
    let start = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (byte === LINE_FEED) this.#line += 1;
      const place = this.#boundary.take(byte);
      if (place === "within") continue;
      const end = place === "after" ? at + 1 : at;
      if (place !== "between") {
        this.#add(chunk.subarray(start, end));
        if (this.#byteLength > 0) yield this.#cut();
      }
      this.#startLine = this.#line;
      const delimiting = place === "between" || (place === "before" && byte <= 0x20);
      start = delimiting ? at + 1 : end;
    }
    this.#add(chunk.subarray(start));
  }

  #add(bytes: Uint8Array): void {
    this.#byteLength += bytes.byteLength;
    if (bytes.byteLength > 0 && this.#byteLength <= EVENT_BYTES_MAX) {
      // The stream may use its buffer again.
      this.#chunks.push(bytes.slice());
    }
  }

  #cut(): FramedEvent {
    const bytes = Buffer.concat(this.#chunks);
    const byteLength = this.#byteLength;
    this.#chunks = [];
    this.#byteLength = 0;
    const line = this.#startLine;
    if (byteLength > EVENT_BYTES_MAX) {
      const reason = `event of ${byteLength} bytes exceeds the maximum of ${EVENT_BYTES_MAX} bytes`;
      return { kind: "invalid", line, reason };
    }
    if (isBlank(bytes)) return { kind: "event", line, bytes: EMPTY_EVENT };
    const complaint = jsonComplaint(bytes);
    if (complaint === undefined) return { kind: "event", line, bytes };
    return { kind: "invalid", line, reason: `invalid JSON: ${complaint}` };
  }
}

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
  /** Called with each response. */
  readonly onResponse?: (body: Uint8Array) => void;
  /** Called with each function error, for a readable account of it. */
  readonly onFunctionError: (outcome: FunctionErrorOutcome) => void;
}

/** What became of all events. */
interface StdioResult {
  readonly invalid: number;
  readonly outcomes: ReadonlySet<string>;
}

/** Runs every event; standard output has a line for each that was valid when this returns. */
export async function runEvents(
  pool: FunctionPool,
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
    // What is said of an error comes after the log of its event, and quotes it.
    const request: InvocationRequest = { event: bytes, logTail: "of-error", ...named };
    const invoked = pool.invoke(request).then(wholeOutcome);
    const result = invoked.then((outcome) => {
      outcomes.add(outcomeName(outcome));
      if (outcome.kind === "response") options.onResponse?.(outcome.body);
      if (outcome.kind === "function-error") options.onFunctionError(outcome);
      if (outcome.kind === "rejected") {
        options.complain(`line ${event.line} was not run: ${REJECTION[outcome.reason].words}`);
      }
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

function line(body: Uint8Array): Uint8Array {
  return body.at(-1) === LINE_FEED ? body : Buffer.concat([body, Uint8Array.of(LINE_FEED)]);
}
