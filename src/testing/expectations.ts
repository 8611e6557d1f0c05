/**
 * Compares what reached the Runtime API with what a conformance case expects.
 *
 * @module
 */

import { expect } from "bun:test";

import { CONTENT_TYPE, HEADER, PATH } from "../runtime-api/contract.ts";
import { headerErrorType } from "../runtime-api/function-error.ts";
import { difference, toBytes } from "./bytes.ts";
import type { ErrorExpectation, EventExpectation, TextExpectation } from "./conformance-case.ts";
import type { RecordedRequest } from "./recorded-request.ts";
import type { ScriptedInvocation } from "./scripted-invocation.ts";

/** What the platform keeps of an error type header. */
const KEPT_ERROR_TYPE = /^((Runtime|Function)\.[A-Z][a-zA-Z]+|Sandbox\.Timedout)$/;

/** Fails unless the event got exactly one response and that is the expected one. */
export function expectOutcome(invocation: ScriptedInvocation, expected: EventExpectation): void {
  const [post, ...others] = invocation.posts;
  expect(others.map(({ path }) => path)).toEqual([]);
  if (post === undefined) throw new Error(`event ${invocation.requestId} never got a response`);
  expect(post.complete).toBe(true);
  if ("error" in expected) {
    expectPath(post, PATH.error(invocation.requestId));
    expectError(post, expected.error);
    return;
  }
  expectPath(post, PATH.response(invocation.requestId));
  expectInvocationIdEchoed(invocation, post);
  if ("responseMatches" in expected) {
    expect(post.body.toString("utf8")).toMatch(new RegExp(expected.responseMatches, "s"));
    return;
  }
  const bytes = "echo" in expected ? invocation.body : toBytes(expected.response);
  expect(difference(post.body, bytes)).toBeUndefined();
  const headers = "headers" in expected ? expected.headers : undefined;
  if (post.header(HEADER.responseMode) === undefined) {
    expect(post.header("Content-Type")).toBe(CONTENT_TYPE.json);
  }
  for (const [name, value] of Object.entries(headers ?? {})) {
    expect([name, post.header(name)]).toEqual([name, value ?? undefined]);
  }
}

/** Names the whole response when it went to the wrong path, for the error message is what helps. */
function expectPath(post: RecordedRequest, path: string): void {
  if (post.path !== path) {
    const told = post.latin1.slice(0, 1_000);
    throw new Error(`posted to ${post.path} instead of ${path}: ${told}`);
  }
}

/** The nonce of the attempt comes back if and only if it was given. */
function expectInvocationIdEchoed(invocation: ScriptedInvocation, post: RecordedRequest): void {
  const given = [...invocation.headers].find(
    ([name]) => name.toLowerCase() === HEADER.invocationId.toLowerCase(),
  )?.[1];
  expect(post.header(HEADER.invocationId)).toBe(given === "" ? undefined : given);
}

/** Fails unless the post carries the expected error, well-formed in header and body. */
export function expectError(post: RecordedRequest, expected: ErrorExpectation): void {
  const body = post.json() as { errorMessage: string; errorType: string; stackTrace: string[] };
  expect(Object.keys(body).sort()).toEqual(["errorMessage", "errorType", "stackTrace"]);
  expect(body.errorType).toBe(expected.errorType);
  const header = post.header(HEADER.errorType);
  expect(header).toBe(expected.headerErrorType ?? headerErrorType(expected.errorType));
  expect(header).toMatch(KEPT_ERROR_TYPE);
  expect(body.stackTrace.every((line) => typeof line === "string")).toBe(true);
  if (expected.errorMessage !== undefined) expectText(body.errorMessage, expected.errorMessage);
  expectPieces(body.stackTrace.join("\n"), expected.stackTrace ?? []);
}

/** Fails unless the text is as expected. */
function expectText(text: string, expected: TextExpectation): void {
  if (typeof expected === "string") {
    expect(text).toBe(expected);
  } else if ("matches" in expected) {
    expect(text).toMatch(new RegExp(expected.matches, "s"));
  } else {
    for (const piece of expected.contains) expect(text).toContain(piece);
    for (const piece of expected.lacks ?? []) expect(text).not.toContain(piece);
  }
}

function expectPieces(text: string, pieces: readonly string[]): void {
  let from = 0;
  for (const piece of pieces) {
    const at = text.indexOf(piece, from);
    if (at < 0) expect(text.slice(from)).toContain(piece);
    from = at + piece.length;
  }
}
