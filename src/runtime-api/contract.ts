/**
 * The Lambda Runtime API in names and numbers: every path, header, content type, status and limit, once.
 *
 * Everything that both sides of the wire must agree on lives here, and nothing else does.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
 * @module
 */

/** Version prefix of every Runtime API path. */
const API_VERSION = "2018-06-01";

/** Runtime API paths, below `http://$AWS_LAMBDA_RUNTIME_API`. */
export const PATH = {
  next: `/${API_VERSION}/runtime/invocation/next`,
  initError: `/${API_VERSION}/runtime/init/error`,
  /** Waits while a snapshot is taken, and responds in each environment that is restored from it. */
  restoreNext: `/${API_VERSION}/runtime/restore/next`,
  restoreError: `/${API_VERSION}/runtime/restore/error`,
  ping: `/${API_VERSION}/ping`,
  response: (requestId: string) => `/${API_VERSION}/runtime/invocation/${requestId}/response`,
  error: (requestId: string) => `/${API_VERSION}/runtime/invocation/${requestId}/error`,
} as const;

/**
 * Paths of the Extensions, Logs and Telemetry APIs, on the same address.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 */
export const EXTENSION_PATH = {
  register: "/2020-01-01/extension/register",
  next: "/2020-01-01/extension/event/next",
  initError: "/2020-01-01/extension/init/error",
  exitError: "/2020-01-01/extension/exit/error",
  logs: "/2020-08-15/logs",
  telemetry: "/2022-07-01/telemetry",
} as const;

/**
 * Where an environment asks for its availability zone, at `AWS_LAMBDA_METADATA_API`.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-metadata-endpoint.html
 */
export const METADATA_PATH = "/2026-01-15/metadata/execution-environment";

/** Where an environment that is started from a snapshot gets its credentials. */
export const CREDENTIALS_PATH = "/2021-04-23/credentials";

/** Header names of the Extensions API. */
export const EXTENSION_HEADER = {
  name: "Lambda-Extension-Name",
  identifier: "Lambda-Extension-Identifier",
  eventIdentifier: "Lambda-Extension-Event-Identifier",
  functionErrorType: "Lambda-Extension-Function-Error-Type",
  acceptFeature: "Lambda-Extension-Accept-Feature",
} as const;

/** Most extensions that one execution environment may register. */
export const EXTENSIONS_MAX = 10;

/** Header names as AWS spells them; compare them in any case. */
export const HEADER = {
  requestId: "Lambda-Runtime-Aws-Request-Id",
  deadlineMs: "Lambda-Runtime-Deadline-Ms",
  invokedFunctionArn: "Lambda-Runtime-Invoked-Function-Arn",
  traceId: "Lambda-Runtime-Trace-Id",
  clientContext: "Lambda-Runtime-Client-Context",
  cognitoIdentity: "Lambda-Runtime-Cognito-Identity",
  tenantId: "Lambda-Runtime-Aws-Tenant-Id",
  invocationId: "Lambda-Runtime-Invocation-Id",
  responseMode: "Lambda-Runtime-Function-Response-Mode",
  errorType: "Lambda-Runtime-Function-Error-Type",
  errorBody: "Lambda-Runtime-Function-Error-Body",
  xrayErrorCause: "Lambda-Runtime-Function-XRay-Error-Cause",
} as const;

/** Headers of `/next` that a runtime hands to the handler all begin so. */
export const INVOCATION_HEADER_PREFIX = "lambda-runtime-";

/** The only value that {@link HEADER.responseMode} may have. */
export const RESPONSE_MODE_STREAMING = "streaming";

/** Media types that have a meaning in the contract. */
export const CONTENT_TYPE = {
  json: "application/json",
  octetStream: "application/octet-stream",
  /** A streamed HTTP response: JSON prelude, {@link PRELUDE_DELIMITER}, body. */
  httpIntegrationResponse: "application/vnd.awslambda.http-integration-response",
  /** An error body whose `errorCause` member is X-Ray's. */
  errorCause: "application/vnd.aws.lambda.error.cause+json",
} as const;

/** Statuses that the Runtime API responds with. */
export const STATUS = {
  ok: 200,
  accepted: 202,
  badRequest: 400,
  unauthorized: 401,
  forbidden: 403,
  notFound: 404,
  methodNotAllowed: 405,
  gone: 410,
  payloadTooLarge: 413,
  internalServerError: 500,
} as const;

/**
 * Most events that one execution environment may handle at once (AWS_LAMBDA_MAX_CONCURRENCY).
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
 */
export const CONCURRENCY_MAX = 1600;

/**
 * Largest buffered response that the Runtime API takes, in bytes: 6 MiB and 100.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const RESPONSE_BYTES_MAX = 6 * 1024 * 1024 + 100;

/** Largest event of a synchronous invocation, in bytes: 6 MiB. */
export const EVENT_BYTES_MAX = 6 * 1024 * 1024;

/** Largest event of an asynchronous invocation, in bytes: 1 MiB. */
export const ASYNC_EVENT_BYTES_MAX = 1024 * 1024;

/** Largest streamed response, in bytes: 200 MiB. */
export const STREAMED_RESPONSE_BYTES_MAX = 200 * 1024 * 1024;

/** Largest function with all its layers, unzipped, in bytes: 250 MiB. */
export const UNZIPPED_BYTES_MAX = 262_144_000;

/** Largest zip that can be uploaded directly, in bytes: 50 MiB. */
export const ZIP_UPLOAD_BYTES_MAX = 52_428_800;

/**
 * Separates the JSON prelude of a streamed HTTP response from its body.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/response-streaming-tutorial.html
 */
export const PRELUDE_DELIMITER = new Uint8Array(8);

/** The prelude of a streamed HTTP response must be complete within so many bytes, 64 KiB. */
export const PRELUDE_BYTES_MAX = 64 * 1024;
