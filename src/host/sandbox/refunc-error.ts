/**
 * An error that a runtime posts, taken as the prior runner takes it: it reads the body, lets the
 * header name the type, and tells with a status of its own that it could not read it.
 *
 * @see https://github.com/refunc/refunc/blob/master/pkg/sidecar/handler.go
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";

import { CONTENT_TYPE, HEADER, STATUS } from "../../runtime-api/contract.ts";
import { reply, replyJson } from "../http/node-http.ts";
import { type ErrorAnswer, errorAnswer } from "./runtime-answer.ts";

/** Whose way it is: Lambda passes any body on, the prior runner reads it. */
export type ErrorForm = "lambda" | "refunc";

/** A posted error, and what its sender is told of it. */
export interface TakenError {
  readonly answer: ErrorAnswer;
  readonly acknowledge: (response: ServerResponse) => void;
}

/** The prior runner's status for an error that it cannot read; it still takes it. */
const INVALID_SHAPE_STATUS = 299;

/** Takes the body of a request to `/error` or `/init/error`. */
export function takeError(
  form: ErrorForm,
  request: IncomingMessage,
  bytes: Uint8Array,
): TakenError {
  const answer = errorAnswer(request, bytes);
  const accept = (response: ServerResponse) =>
    replyJson(response, STATUS.accepted, { status: "OK" });
  switch (form) {
    case "lambda":
      return { answer, acknowledge: accept };
    case "refunc": {
      const shape = errorShape(bytes);
      const named = request.headers[HEADER.errorType.toLowerCase()];
      const errorType = typeof named === "string" && named !== "" ? named : shape.errorType;
      const { errorMessage, stackTrace } = shape;
      const body = Buffer.from(JSON.stringify({ errorMessage, errorType, stackTrace }));
      const acknowledge = shape.kind === "valid" ? accept : replyInvalidShape;
      return { answer: { ...answer, body }, acknowledge };
    }
  }
}

/** To the byte: the prior runner ends it without a line feed. */
function replyInvalidShape(response: ServerResponse): void {
  const headers = { "Content-Type": CONTENT_TYPE.json, "X-Content-Type-Options": "nosniff" };
  reply(response, INVALID_SHAPE_STATUS, '{"status":"InvalidErrorShape"}', headers);
}

interface ErrorShape {
  readonly kind: "valid" | "invalid";
  readonly errorMessage: string;
  readonly errorType: string;
  readonly stackTrace?: readonly unknown[];
}

/** The members that the prior runner reads; all may be absent, none may be of another type. */
function errorShape(bytes: Uint8Array): ErrorShape {
  const text = Buffer.from(bytes).toString("utf8");
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return invalidShape("SyntaxError", reason, text);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return invalidShape("UnmarshalTypeError", "the error is no JSON object", text);
  }
  const members = parsed as Readonly<Record<string, unknown>>;
  const { errorMessage = "", errorType = "", stackTrace } = members;
  if (typeof errorMessage !== "string") return wrongMember("errorMessage", "string", text);
  if (typeof errorType !== "string") return wrongMember("errorType", "string", text);
  if (stackTrace === undefined || stackTrace === null) {
    return { kind: "valid", errorMessage, errorType };
  }
  if (!Array.isArray(stackTrace)) return wrongMember("stackTrace", "array", text);
  return { kind: "valid", errorMessage, errorType, stackTrace };
}

function wrongMember(name: string, type: string, text: string): ErrorShape {
  return invalidShape("UnmarshalTypeError", `${name} is no ${type}`, text);
}

/** The reader's complaint; the prior runner leaves out what it was about. */
function invalidShape(errorType: string, reason: string, text: string): ErrorShape {
  return { kind: "invalid", errorType, errorMessage: `${reason}: ${text}` };
}
