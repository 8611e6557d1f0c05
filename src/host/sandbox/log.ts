/**
 * What a function writes: passed on at once, its last bytes kept.
 *
 * @module
 */

import { LOG_TAIL_BYTES_MAX } from "../invocation/outcome.ts";

/** Receives a function's log as it is written; no more is read until a promise that it returns is fulfilled. */
export type LogSink = (chunk: Uint8Array, environment: number) => unknown;

/** Keeps the last bytes of a stream that never ends. */
export class LogTail {
  #chunks: Uint8Array[] = [];
  #byteLength = 0;
  readonly #bytesMax: number;

  /** @param bytesMax Bytes that are kept. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#byteLength += chunk.byteLength;
    // Joined only now and then, so that a chatty function costs no copy per line.
    if (this.#byteLength > this.#bytesMax * 4) {
      const bytes = this.bytes();
      this.#chunks = [bytes];
      this.#byteLength = bytes.byteLength;
    }
  }

  bytes(): Uint8Array {
    if (this.#chunks.length === 0) return EMPTY;
    const all = Buffer.concat(this.#chunks);
    return all.byteLength <= this.#bytesMax ? all : all.subarray(all.byteLength - this.#bytesMax);
  }

  clear(): void {
    this.#chunks = [];
    this.#byteLength = 0;
  }
}

const EMPTY = new Uint8Array(0);

/**
 * Reads a child's stream to its end.
 * @returns A promise that is fulfilled when the last process that holds the stream has gone.
 */
export async function drainLog(
  stream: ReadableStream<Uint8Array>,
  take: (chunk: Uint8Array) => unknown,
): Promise<void> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    await take(value);
  }
}

/** Longest line that is handed on whole, in characters; CloudWatch takes events of as many bytes. */
const LINE_LENGTH_MAX = 1024 * 1024;

/** Hands on whole lines, for logs of several environments side by side; one that is too long comes in pieces. */
class LineSplitter {
  #rest = "";
  readonly #decoder = new TextDecoder();
  readonly #take: (line: string) => void;

  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  add(chunk: Uint8Array): void {
    const [first = "", ...others] = this.#decoder.decode(chunk, { stream: true }).split("\n");
    // Only added to, so that a line of many pieces is not copied with each of them.
    this.#rest += first;
    for (const line of others) {
      this.#take(this.#rest);
      this.#rest = line;
    }
    if (this.#rest.length > LINE_LENGTH_MAX) this.#takeRest();
  }

  /** Hands on what stands after the last line feed; of a character that was begun no more comes. */
  flush(): void {
    this.#rest += this.#decoder.decode();
    this.#takeRest();
  }

  #takeRest(): void {
    if (this.#rest !== "") this.#take(this.#rest);
    this.#rest = "";
  }
}

/** A {@link LineSplitter} for each environment. */
export class EnvironmentLines {
  readonly #splitters = new Map<number, LineSplitter>();
  readonly #take: (line: string, environment: number) => void;

  constructor(take: (line: string, environment: number) => void) {
    this.#take = take;
  }

  add(chunk: Uint8Array, environment: number): void {
    let splitter = this.#splitters.get(environment);
    if (splitter === undefined) {
      splitter = new LineSplitter((line) => this.#take(line, environment));
      this.#splitters.set(environment, splitter);
    }
    splitter.add(chunk);
  }

  /** Hands on what an environment has written after its last line feed. */
  flush(environment: number): void {
    this.#splitters.get(environment)?.flush();
  }
}

/** How long a log line that belongs to a response may trail behind it, in milliseconds. */
const QUIET_MS = 10;

/** Longest wait for a log to become quiet, in milliseconds. */
const QUIET_WAIT_MS = 100;

/** Takes what the processes of an environment write. */
export class EnvironmentLog {
  readonly #index: number;
  readonly #sink: LogSink;
  readonly #tail = new LogTail(LOG_TAIL_BYTES_MAX);
  #changedAtMs = 0;

  constructor(index: number, sink: LogSink) {
    this.#index = index;
    this.#sink = sink;
  }

  /** @returns As a {@link LogSink}. */
  take(chunk: Uint8Array): unknown {
    this.#changedAtMs = performance.now();
    this.#tail.add(chunk);
    return this.#sink(chunk, this.#index);
  }

  /** Forgets what belongs to earlier events. */
  begin(): void {
    this.#tail.clear();
  }

  /** The last bytes since the event began. */
  bytes(): Uint8Array {
    return this.#tail.bytes();
  }

  /** Waits until it has been quiet for a moment; it comes through another pipe than the response. */
  async settled(): Promise<void> {
    const untilMs = performance.now() + QUIET_WAIT_MS;
    do await Bun.sleep(QUIET_MS);
    while (performance.now() < untilMs && performance.now() - this.#changedAtMs < QUIET_MS);
  }
}
