/**
 * One request that reached the test's Runtime API, kept byte for byte with the times of its parts.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";

/** One piece of a request's body, as it came off the wire. */
export interface BodyChunk {
  /** When it arrived, in ms of `performance.now()`. */
  readonly atMs: number;
  readonly bytes: Buffer;
}

/** A request to the Runtime API while it is read, and after. */
export class RecordedRequest {
  readonly method: string;
  readonly path: string;
  /** Header names and values alternately, in the spelling of the sender. */
  readonly rawHeaders: readonly string[];
  /** When its head arrived, in ms of `performance.now()`. */
  readonly startedAtMs = performance.now();
  /** Counts the connections of the server from 1: which of them brought this request. */
  readonly connection: number;
  readonly chunks: BodyChunk[] = [];
  /** Trailers by lower-case name. */
  trailers: Readonly<Record<string, string | undefined>> = {};
  /** Whether the body came to its announced end. */
  complete = false;
  /** When its body was complete, in ms of `performance.now()`; 0 until then. */
  completedAtMs = 0;
  /** The status that the server responded with; 0 while it has not. */
  responseStatus = 0;
  /** Resolves when the body is complete or the connection is lost. */
  readonly ended: Promise<this>;

  constructor(message: IncomingMessage, connection: number) {
    this.method = message.method ?? "";
    this.path = message.url ?? "";
    this.rawHeaders = message.rawHeaders;
    this.connection = connection;
    this.ended = new Promise((resolve) => {
      message.on("data", (bytes: Buffer) =>
        this.chunks.push({ atMs: performance.now(), bytes: Buffer.from(bytes) }),
      );
      message.on("end", () => {
        this.complete = message.complete;
        this.completedAtMs = performance.now();
        this.trailers = { ...message.trailers };
        resolve(this);
      });
      for (const lost of ["aborted", "error", "close"]) message.on(lost, () => resolve(this));
    });
  }

  /** The body so far. */
  get body(): Buffer {
    return Buffer.concat(this.chunks.map(({ bytes }) => bytes));
  }

  /** The body so far as text, one character per byte, so that nothing is repaired. */
  get latin1(): string {
    return this.body.toString("latin1");
  }

  /** The value of a header named in any case; undefined when it was not sent. */
  header(name: string): string | undefined {
    const { rawHeaders } = this;
    const index = rawHeaders.findIndex(
      (word, at) => at % 2 === 0 && word.toLowerCase() === name.toLowerCase(),
    );
    return index < 0 ? undefined : rawHeaders[index + 1];
  }

  /** The body as JSON; fails when it is none. */
  json(): unknown {
    return JSON.parse(this.body.toString("utf8"));
  }
}
