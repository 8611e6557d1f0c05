/**
 * One event that the test's Runtime API hands out, and every response that it got.
 *
 * @module
 */

import { randomUUID } from "node:crypto";

import { CONTENT_TYPE, HEADER, STATUS } from "../runtime-api/contract.ts";
import type { RecordedRequest } from "./recorded-request.ts";

/** How the server responds to a post of the runtime. */
export type ScriptedResponse =
  | { readonly kind: "status"; readonly status: number; readonly delayMs?: number }
  /** Reads nothing of the post's body for a while, then all of it, and accepts it. */
  | { readonly kind: "slow-read"; readonly delayMs: number }
  /** Reads the whole post, then resets the connection without a word. */
  | { readonly kind: "reset-after-body" }
  /** Resets the connection as soon as the post's head is there. */
  | { readonly kind: "reset-at-head" };

/** What a test may choose about an event. */
export interface EventScript {
  readonly body?: string | Uint8Array;
  /** Replaces default headers by name in any case; null leaves one out, "" sends it empty. */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly requestId?: string;
  /** Sends the event in chunks of so many bytes instead of with Content-Length. */
  readonly chunkBytes?: number;
  /** How the server responds to its first post; 202 unless said otherwise. */
  readonly postResponse?: ScriptedResponse;
  /** Time until the deadline that the runtime is told, in ms. */
  readonly timeoutMs?: number;
}

/** As long as Lambda allows: on a busy machine no event of a test may be ended at its deadline by chance. */
const TIMEOUT_MS = 900_000;

/** An event in the queue of the server, later with its responses. */
export class ScriptedInvocation {
  readonly requestId: string;
  readonly body: Buffer;
  /** Header names as they are sent, with values in UTF-8 bytes. */
  readonly headers: ReadonlyMap<string, string>;
  readonly chunkBytes: number | undefined;
  readonly postResponse: ScriptedResponse;
  /** When a GET /next got it, in ms of `performance.now()`; 0 until then. */
  deliveredAtMs = 0;
  /** Every post that names it, in order of arrival. */
  readonly posts: RecordedRequest[] = [];
  /** Resolves with its first post as soon as that has begun. */
  readonly begun: Promise<RecordedRequest>;
  /** Resolves with its first post when that has been read and has got a response. */
  readonly posted: Promise<RecordedRequest>;
  readonly settle: {
    readonly begun: (post: RecordedRequest) => void;
    readonly posted: (post: RecordedRequest) => void;
  };

  constructor(script: EventScript) {
    this.requestId = script.requestId ?? randomUUID();
    this.body = Buffer.from(script.body ?? "{}");
    this.chunkBytes = script.chunkBytes;
    this.postResponse = script.postResponse ?? { kind: "status", status: STATUS.accepted };
    const deadlineMs = Date.now() + (script.timeoutMs ?? TIMEOUT_MS);
    this.headers = mergeHeaders(
      {
        "Content-Type": CONTENT_TYPE.json,
        [HEADER.requestId]: this.requestId,
        [HEADER.deadlineMs]: String(deadlineMs),
        [HEADER.invokedFunctionArn]: "arn:aws:lambda:eu-central-1:123456789012:function:test",
        [HEADER.traceId]:
          "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
      },
      script.headers ?? {},
    );
    const begun = Promise.withResolvers<RecordedRequest>();
    const posted = Promise.withResolvers<RecordedRequest>();
    this.begun = begun.promise;
    this.posted = posted.promise;
    this.settle = { begun: begun.resolve, posted: posted.resolve };
  }
}

/** Replaces and removes headers by name in any case; the spelling of `changes` is what is sent. */
function mergeHeaders(
  defaults: Readonly<Record<string, string>>,
  changes: Readonly<Record<string, string | null>>,
): ReadonlyMap<string, string> {
  const merged = new Map(Object.entries(defaults));
  for (const [name, value] of Object.entries(changes)) {
    for (const known of merged.keys()) {
      if (known.toLowerCase() === name.toLowerCase()) merged.delete(known);
    }
    if (value !== null) merged.set(name, value);
  }
  return merged;
}
