/**
 * The part of Lambda's own API that callers of functions use, in names and numbers.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 * @module
 */

/** Headers of Invoke and its relatives. */
export const INVOKE_HEADER = {
  invocationType: "x-amz-invocation-type",
  logType: "x-amz-log-type",
  clientContext: "x-amz-client-context",
  tenantId: "x-amz-tenant-id",
  traceId: "x-amzn-trace-id",
  functionError: "X-Amz-Function-Error",
  logResult: "X-Amz-Log-Result",
  executedVersion: "X-Amz-Executed-Version",
  requestId: "x-amzn-RequestId",
  errorType: "x-amzn-errortype",
  remappedContentType: "X-Amzn-Remapped-Content-Type",
} as const;

/** Largest `X-Amz-Client-Context`, in bytes of base64. */
export const CLIENT_CONTEXT_BYTES_MAX = 3583;

/** The only value that `X-Amz-Function-Error` still has. */
export const UNHANDLED = "Unhandled";
