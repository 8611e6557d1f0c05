/**
 * The part of Lambda's own API that callers of functions use: its names and numbers, and the form of
 * its responses. An SDK reads the class of a refusal from a header and its words from the body.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 * @module
 */

import type { HttpResponse } from "../../http/message.ts";

/** Headers of Invoke and its relatives. */
export const INVOKE_HEADER = {
  invocationType: "x-amz-invocation-type",
  logType: "x-amz-log-type",
  clientContext: "x-amz-client-context",
  tenantId: "x-amz-tenant-id",
  traceId: "x-amzn-trace-id",
  functionError: "X-Amz-Function-Error",
  logResult: "X-Amz-Log-Result",
  durableExecutionName: "x-amz-durable-execution-name",
  executedVersion: "X-Amz-Executed-Version",
  requestId: "x-amzn-RequestId",
  errorType: "x-amzn-errortype",
  remappedContentType: "X-Amzn-Remapped-Content-Type",
} as const;

/** Largest `X-Amz-Client-Context`, in bytes of base64. */
export const CLIENT_CONTEXT_BYTES_MAX = 3583;

/** The only value that `X-Amz-Function-Error` still has. */
export const UNHANDLED = "Unhandled";

/** Exceptions of Lambda's model, and one more for what is not here. */
type LambdaException =
  | "InvalidParameterValueException"
  | "InvalidRequestContentException"
  | "NotImplemented"
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
  headers: HttpResponse["headers"] = [],
): HttpResponse {
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

/** The refusal of a parameter whose value is not one that Lambda's model allows. */
export function invalidParameter(
  member: string,
  value: string,
  constraint: string,
  requestId: string,
): HttpResponse {
  const message =
    `1 validation error detected: Value '${value}' at '${member}' failed to satisfy ` +
    `constraint: Member must ${constraint}`;
  const members = { Type: "User", message };
  return lambdaError(400, "InvalidParameterValueException", members, requestId);
}

/** A response of Lambda's API in JSON. */
export function lambdaResponse(value: unknown, requestId: string, status = 200): HttpResponse {
  return {
    status,
    headers: [
      ["Content-Type", "application/json"],
      [INVOKE_HEADER.requestId, requestId],
    ],
    body: JSON.stringify(value),
  };
}

/** The refusal of an operation that Lambda has and this host has not. */
export function notImplemented(operation: string, requestId: string): HttpResponse {
  const message = `${operation} is not emulated by lambda-shell`;
  const members = { Type: "LocalService", Message: message };
  return lambdaError(501, "NotImplemented", members, requestId);
}
