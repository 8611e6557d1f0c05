/**
 * Refusals of Lambda's API, whose class an SDK reads from a header and whose words from the body.
 *
 * @module
 */

import type { HttpReply } from "../../http/message.ts";
import { INVOKE_HEADER } from "./contract.ts";

/** Exceptions of Lambda's model, and two of ours for what is not here. */
export type LambdaException =
  | "InvalidParameterValueException"
  | "InvalidRequestContentException"
  | "NotImplemented"
  | "PathNotFoundLocally"
  | "RequestEntityTooLargeException"
  | "ResourceNotFoundException"
  | "ServiceException"
  | "TooManyRequestsException"
  | "ValidationException";

/** A refusal with the headers that every SDK needs. */
export function lambdaError(
  status: number,
  exception: LambdaException,
  members: Readonly<Record<string, unknown>>,
  requestId: string,
  headers: HttpReply["headers"] = [],
): HttpReply {
  return {
    status,
    headers: [
      ["Content-Type", "application/json"],
      [INVOKE_HEADER.errorType, exception],
      [INVOKE_HEADER.requestId, requestId],
      ...headers,
    ],
    body: JSON.stringify(members),
  };
}
