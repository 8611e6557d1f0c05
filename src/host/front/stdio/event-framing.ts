/**
 * Cuts standard input into events.
 *
 * `lines`: one JSON document per line, an empty line is `{}`. `json`: documents one after another,
 * over as many lines as they like. `nul`: documents that end in a NUL byte. `auto` is `lines`,
 * unless the first line leaves an object or array open: then it is `json`.
 * @module
 */

import { EVENT_BYTES_MAX } from "../../../runtime-api/contract.ts";
import { JsonBoundary } from "../../http/json-text.ts";

/** How events are told apart. */
export type Framing = "auto" | "lines" | "json" | "nul";

/** All framings, for the command line. */
export const FRAMINGS = ["auto", "lines", "json", "nul"] as const satisfies readonly Framing[];

/** One event with the number of the line it begins on, from 1, or a piece that is none. */
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
  for await (const chunk of stream) {
    if (cutter === undefined && framing === "auto") {
      first.push(chunk);
      if (!chunk.includes(LINE_FEED)) continue;
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
    if (bytes.toString("latin1").trim() === "") return { kind: "event", line, bytes: EMPTY_EVENT };
    try {
      JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
      return { kind: "event", line, bytes };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { kind: "invalid", line, reason: `invalid JSON: ${reason}` };
    }
  }
}
