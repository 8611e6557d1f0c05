/**
 * The format of fixtures/cases/*.json; fixtures/README.md explains it with an example.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { BytesData } from "./bytes.ts";
import type { ShellName } from "./shells.ts";
import type { TaskFile } from "./task-root.ts";

const CASES = join(import.meta.dir, "../../fixtures/cases");

/** A text that must be as given, contain pieces, or match a regular expression (flags `s`). */
export type TextExpectation =
  | string
  | { readonly contains: readonly string[]; readonly lacks?: readonly string[] }
  | { readonly matches: string };

/** An error body and its header. */
export interface ErrorExpectation {
  readonly errorType: string;
  /** Header Lambda-Runtime-Function-Error-Type, where it differs from `errorType`. */
  readonly headerErrorType?: string;
  readonly errorMessage?: TextExpectation;
  /** Pieces that lines of the stack trace contain, in this order. */
  readonly stackTrace?: readonly string[];
}

/** What an event must get. */
export type EventExpectation =
  | {
      readonly response: BytesData;
      /** Headers of the post by name; null: must be absent. */
      readonly headers?: Readonly<Record<string, string | null>>;
    }
  /** The response is the event, to the byte. */
  | { readonly echo: true }
  | { readonly responseMatches: string }
  | { readonly error: ErrorExpectation };

/** One event of a case. */
export interface CaseEvent {
  readonly body?: BytesData;
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly chunkBytes?: number;
  /** The status that the post of the result gets; 202 unless said otherwise. */
  readonly postStatus?: number;
  readonly expect: EventExpectation;
}

/** One conformance case. */
export interface ConformanceCase {
  /** A sentence: what it shows. */
  readonly name: string;
  readonly handler?: string;
  readonly files: Readonly<Record<string, TaskFile>>;
  readonly env?: Readonly<Record<string, string | null>>;
  /** The shells that it concerns; all that every test has unless said otherwise. */
  readonly shells?: readonly ShellName[];
  /** Not to be emulated: an emulator's vfork(2) is a fork, which does not tell why an exec failed. */
  readonly native?: true;
  readonly events?: readonly CaseEvent[];
  /** Expects one post to /init/error, exit status 1 and no GET /next. */
  readonly initError?: ErrorExpectation;
  /** Expects the runtime to end with this status after the events. */
  readonly exitStatus?: number;
  /** What the log must and must not contain. */
  readonly log?: { readonly contains?: readonly string[]; readonly lacks?: readonly string[] };
}

/** Reads every case, by file name and order in the file. */
export function conformanceCases(): readonly ConformanceCase[] {
  return readdirSync(CASES)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(join(CASES, name), "utf8")) as ConformanceCase[]);
}
