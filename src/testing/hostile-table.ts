/**
 * The table of hostile handlers: fixtures/hostile/*.json, explained in fixtures/README.md.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { PATH } from "../runtime-api/contract.ts";
import type { FunctionError } from "../runtime-api/function-error.ts";
import type { EventExpectation } from "./conformance-case.ts";
import { expectOutcome } from "./expectations.ts";
import type { ScriptedInvocation } from "./scripted-invocation.ts";

const TABLE = join(import.meta.dir, "../../fixtures/hostile");

/** A function that does its harm while it handles an event. */
export interface HostileEvent {
  /** The file of fixtures/handlers/hostile. */
  readonly file: string;
  /** The function, which is also the event. */
  readonly event: string;
  /** Its acceptable ends; "any" is any response or typed error. */
  readonly ends: "any" | readonly EventExpectation[];
}

/** A file that does its harm while it is loaded. */
export interface HostileFile {
  /** The file of fixtures/handlers/hostile-files. */
  readonly file: string;
  /** Whether its events must get a response, or may also end in typed errors (of init, too). */
  readonly ends: "responds" | "typed";
}

/** Every hostile event of the table. */
export function hostileEvents(): readonly HostileEvent[] {
  return JSON.parse(readFileSync(join(TABLE, "events.json"), "utf8")) as HostileEvent[];
}

/** Every hostile file of the table. */
export function hostileFiles(): readonly HostileFile[] {
  return JSON.parse(readFileSync(join(TABLE, "files.json"), "utf8")) as HostileFile[];
}

/** Fails unless the event got exactly one response or typed error, in an accepted way. */
export function expectEnd(invocation: ScriptedInvocation, ends: HostileEvent["ends"]): void {
  if (ends === "any") {
    expectTyped(invocation);
    return;
  }
  const refusals: string[] = [];
  for (const end of ends) {
    try {
      expectOutcome(invocation, end);
      return;
    } catch (refusal) {
      refusals.push(refusal instanceof Error ? refusal.message : String(refusal));
    }
  }
  throw new Error(refusals.join("\n"));
}

/** Fails unless the event got exactly one response or error with a type. */
export function expectTyped(invocation: ScriptedInvocation): void {
  const [post, ...others] = invocation.posts;
  if (post === undefined || others.length > 0) {
    throw new Error(`event ${invocation.requestId} has ${invocation.posts.length} posts`);
  }
  if (post.path === PATH.response(invocation.requestId)) return;
  const { errorType } = post.json() as FunctionError;
  expectOutcome(invocation, { error: { errorType } });
}
