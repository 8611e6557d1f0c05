/**
 * The part of Lambda's API that callers need, on one's own computer: invoke, list, describe.
 *
 * Any signature is accepted, or none. What Lambda has and we have not is refused by name.
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Operations.html
 * @module
 */

import { setTimeout } from "node:timers/promises";

import { ASYNC_EVENT_BYTES_MAX, EVENT_BYTES_MAX } from "../../../runtime-api/contract.ts";
import type { FunctionPool } from "../../function/function-pool.ts";
import type { FunctionLookup, FunctionRegistry } from "../../function/function-registry.ts";
import { decodePath, type HttpRequest, type HttpResponse } from "../../http/message.ts";
import type { HttpRoute, RequestHead } from "../../http/server.ts";
import {
  type InvocationOutcome,
  type InvocationRequest,
  REJECTION,
} from "../../invocation/outcome.ts";
import { errorWords } from "../../invocation/platform-error.ts";
import type { HostLog } from "../../invocation/platform-log.ts";
import type { FunctionSettings } from "../../invocation/settings.ts";
import { INVOKE_HEADER, lambdaError, lambdaResponse, notImplemented } from "./contract.ts";
import {
  accountSettings,
  describe,
  type DescribeOptions,
  listFunctions,
  queryValue,
} from "./describe.ts";
import {
  invokeRequest,
  invokeResponse,
  rejectedResponse,
  requestTooLarge,
  streamResponse,
} from "./invoke.ts";

/** Attempts after the first, as Lambda has it. */
export const ASYNC_RETRIES = 2;

/** Pause before the first retry, in milliseconds; Lambda waits a minute. It doubles each time. */
const RETRY_PAUSE_MS = 1_000;

/** How another server serves Invoke: with any method, any bytes as event, and the response at once. */
export interface InvokeCompat {
  readonly response: (
    outcome: InvocationOutcome,
    settings: FunctionSettings,
  ) => Promise<HttpResponse>;
  /** What a request gets that cannot be read. */
  readonly refusal: HttpResponse;
}

/** Settings of the API. */
export interface LambdaApiOptions extends DescribeOptions {
  /** Another server whose responses to Invoke are given instead of Lambda's. */
  readonly invoke?: InvokeCompat;
  readonly asyncRetries: number;
  readonly log: HostLog;
}

/**
 * What the paths of Lambda's API begin with, in each of its models: lambda, lambda-core, lambda-web and
 * lambda-microvms. An operation of theirs that is missing here is refused, and not taken for an event.
 */
const API_RESOURCES = [
  ...["account-settings", "capacity-providers", "code-signing-configs", "durable-executions"],
  ...["durable-execution-callbacks", "event-source-mappings", "functions", "layers"],
  ...["layers-by-arn", "resource-policy", "tags"],
  ...["network-connectors", "runtimes"],
  ...["web-account-settings", "web-functions"],
  ...["managed-microvm-images", "microvm-images", "microvms"],
];

/** Paths of Lambda's API in the versions that its SDKs use, those of operations that are not here too. */
const API_PATH = RegExp(`^/(\\d{4}-\\d{2}-\\d{2})(/(?:${API_RESOURCES.join("|")})(?:/.*)?)$`);

/** Operations on one function, by their method and the path after its name. */
const OPERATIONS: ReadonlySet<string> = new Set([
  "POST invocations",
  "POST response-streaming-invocations",
  "POST invoke-async",
  ...["GET ", "GET configuration", "GET versions", "GET aliases", "GET url", "GET urls"],
]);

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Bytes beyond the limit that are read so that the refusal can be Lambda's own. */
const OVERSIZE_BYTES = 64;

/** The route of a request of Lambda's API; nothing for any other request. */
export function lambdaRoute(head: RequestHead, options: LambdaApiOptions): HttpRoute | undefined {
  const match = API_PATH.exec(head.rawPath);
  if (match === null) return undefined;
  const isAsync = head.headers[INVOKE_HEADER.invocationType] === "Event";
  return {
    bodyBytesMax: EVENT_BYTES_MAX + OVERSIZE_BYTES,
    tooLarge: requestTooLarge(isAsync ? ASYNC_EVENT_BYTES_MAX : EVENT_BYTES_MAX, head.requestId),
    noRoom: () => rejectedResponse("queue-full", head.requestId),
    respond: (request, { gone }) => respond(match[1] ?? "", match[2] ?? "", request, gone, options),
  };
}

async function respond(
  version: string,
  path: string,
  received: HttpRequest,
  gone: AbortSignal,
  options: LambdaApiOptions,
): Promise<HttpResponse> {
  const { method } = received;
  const chosenId = received.headers[INVOKE_HEADER.requestId.toLowerCase()];
  const isUuid = chosenId !== undefined && UUID.test(chosenId);
  const request = isUuid ? { ...received, requestId: chosenId } : received;
  const { requestId } = request;
  const here = path.replace(/\/$/, "");
  if (here === "/account-settings" && method === "GET") return accountSettings(requestId);
  const [, functions, label = "", operation = "", ...more] = here.split("/");
  const name = decodePath(label);
  if (here === "/functions" && method === "GET") return listFunctions(request, options);
  const isInvoke = operation === "invocations";
  const isKnown =
    OPERATIONS.has(`${method} ${operation}`) || (isInvoke && options.invoke !== undefined);
  if (functions !== "functions" || name === "" || more.length > 0 || !isKnown) {
    return notImplemented(`${method} ${path}`, requestId);
  }
  const found = find(name, operation, request, options.registry);
  if (found.kind === "refused") return found.response;
  if (method === "POST" && chosenId !== undefined && !isUuid && options.invoke === undefined) {
    const message = `x-amzn-RequestId: "${chosenId}" is not a UUID`;
    const members = { Type: "User", message };
    return lambdaError(400, "InvalidRequestContentException", members, requestId);
  }
  if (isInvoke) return invoke(found.lookup, request, gone, options);
  if (operation === "response-streaming-invocations") {
    return invokeStream(found.lookup, request, gone);
  }
  if (operation === "invoke-async") return invokeAsync(found.lookup, request, options);
  return describe(version, operation, found.lookup.pool.settings, options, requestId);
}

type Found = Extract<FunctionLookup, { kind: "found" }>;

function find(
  name: string,
  operation: string,
  request: HttpRequest,
  registry: FunctionRegistry,
):
  | { readonly kind: "found"; readonly lookup: Found }
  | { readonly kind: "refused"; readonly response: HttpResponse } {
  const { requestId } = request;
  const qualifier = queryValue(request, "Qualifier");
  const lookup = registry.find(name, qualifier);
  switch (lookup.kind) {
    case "found":
      return { kind: "found", lookup };
    case "invalid-name": {
      const { message } = lookup;
      const response = lambdaError(400, "ValidationException", { message }, requestId);
      return { kind: "refused", response };
    }
    case "invalid-qualifier": {
      const members = { Type: "User", message: lookup.message };
      const response = lambdaError(400, "InvalidParameterValueException", members, requestId);
      return { kind: "refused", response };
    }
    case "unknown": {
      const invoked = operation.includes("invo");
      const named = lookup.qualifier ?? (invoked ? "$LATEST" : undefined);
      const arn = registry.unknownArn(lookup.name, named);
      const members = { Type: "User", Message: `Function not found: ${arn}` };
      const response = lambdaError(404, "ResourceNotFoundException", members, requestId);
      return { kind: "refused", response };
    }
  }
}

async function invoke(
  { pool, qualifier }: Found,
  http: HttpRequest,
  gone: AbortSignal,
  options: LambdaApiOptions,
): Promise<HttpResponse> {
  const { requestId } = http;
  const read = invokeRequest(http, qualifier, { anyEvent: options.invoke !== undefined });
  if (read.kind === "refused") {
    return options.invoke?.refusal ?? read.response;
  }
  switch (options.invoke === undefined ? read.invocationType : "RequestResponse") {
    case "DryRun":
      return { status: 204, headers: [[INVOKE_HEADER.requestId, requestId]], body: "" };
    case "Event": {
      const accepted = { headers: [[INVOKE_HEADER.requestId, requestId]], body: "" } as const;
      return invokeLater(pool, read.request, options, { status: 202, ...accepted });
    }
    case "RequestResponse": {
      const outcome = await pool.invoke({ ...read.request, signal: gone });
      if (options.invoke !== undefined) return options.invoke.response(outcome, pool.settings);
      return invokeResponse(outcome, requestId, read.request.logTail === true);
    }
  }
}

async function invokeStream(
  { pool, qualifier }: Found,
  http: HttpRequest,
  gone: AbortSignal,
): Promise<HttpResponse> {
  const { requestId } = http;
  const read = invokeRequest(http, qualifier, { streaming: true });
  if (read.kind === "refused") return read.response;
  if (read.invocationType === "DryRun") {
    return { status: 204, headers: [[INVOKE_HEADER.requestId, requestId]], body: "" };
  }
  const outcome = await pool.invoke({ ...read.request, signal: gone });
  return streamResponse(outcome, requestId, read.request.logTail === true);
}

async function invokeAsync(
  { pool, qualifier }: Found,
  http: HttpRequest,
  options: LambdaApiOptions,
): Promise<HttpResponse> {
  const read = invokeRequest(http, qualifier);
  if (read.kind === "refused") return read.response;
  const accepted = lambdaResponse({ Status: 202 }, http.requestId, 202);
  return invokeLater(pool, read.request, options, accepted);
}

/** Begins to run an event whose caller does not wait; one that finds no place now is refused. */
async function invokeLater(
  pool: FunctionPool,
  request: InvocationRequest,
  options: LambdaApiOptions,
  accepted: HttpResponse,
): Promise<HttpResponse> {
  const first = pool.invoke(request);
  // A refusal is known at once, all else takes its time.
  const refused = await Promise.race([first, undefined]);
  if (refused?.kind === "rejected") {
    return rejectedResponse(refused.reason, request.requestId ?? "");
  }
  return { ...accepted, requestDone: runToEnd(pool, request, first, options) };
}

/**
 * Runs an event whose caller does not wait, until it succeeds or has failed too often. An attempt for which no
 * environment was free does not count.
 * @param first Its first attempt.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 */
async function runToEnd(
  pool: FunctionPool,
  request: InvocationRequest,
  first: Promise<InvocationOutcome>,
  { asyncRetries, log }: LambdaApiOptions,
): Promise<void> {
  const id = request.requestId ?? "";
  let failures = 0;
  for (let outcome = await first; ; outcome = await pool.invoke(request)) {
    const failure = await failureOf(outcome);
    if (failure === undefined) return;
    const rejection = failure.kind === "rejected" ? failure.reason : undefined;
    if (rejection === undefined) failures += 1;
    const why = failure.kind === "rejected" ? REJECTION[failure.reason].words : errorWords(failure);
    if (failures > asyncRetries || rejection === "draining") {
      log("warning", `asynchronous event ${id} dropped after ${failures} failed attempts: ${why}`);
      return;
    }
    const pauseMs = RETRY_PAUSE_MS * 2 ** Math.max(0, failures - 1);
    log("info", `asynchronous event ${id} is tried again in ${pauseMs / 1000} s: ${why}`);
    // Its pause ends with the server, which says then that it is lost.
    await setTimeout(pauseMs, undefined, { signal: pool.closing }).catch(() => undefined);
  }
}

/** Why no response has come, to its last byte; nothing where one has. */
async function failureOf(
  outcome: InvocationOutcome,
): Promise<Extract<InvocationOutcome, { kind: "function-error" | "rejected" }> | undefined> {
  if (outcome.kind === "response") return undefined;
  if (outcome.kind !== "stream") return outcome;
  for await (const _chunk of outcome.chunks);
  const end = await outcome.end;
  return end.kind === "complete" ? undefined : end;
}
