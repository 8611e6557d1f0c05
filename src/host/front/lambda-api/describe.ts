/**
 * The operations of Lambda's API that list and describe functions.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
 * @module
 */

import { createHash } from "node:crypto";

import type { FunctionRegistry } from "../../function/function-registry.ts";
import { type HttpRequest, type HttpResponse, queryPairs } from "../../http/message.ts";
import { functionArn, type FunctionSettings, partitionOf } from "../../invocation/settings.ts";
import type { InvokeMode } from "../adapter.ts";
import { invalidParameter, lambdaResponse, notImplemented } from "./contract.ts";

/** What a description has that is not of the function's own settings. */
export interface DescribeOptions {
  readonly registry: FunctionRegistry;
  /** Of the Function URL. */
  readonly invokeMode: InvokeMode;
  /** Shows the values of variables instead of asterisks. */
  readonly showVariables: boolean;
  /** `http://host:port` of this server, for the Function URL that it names. */
  readonly baseUrl: () => string;
}

/** Responds to ListFunctions, a page at a time. */
export function listFunctions(request: HttpRequest, options: DescribeOptions): HttpResponse {
  const marker = queryValue(request, "Marker");
  const asked = queryValue(request, "MaxItems") ?? String(LIST_ITEMS_MAX);
  if (!/^[1-9]\d*$/.test(asked)) {
    const constraint = "have value greater than or equal to 1";
    return invalidParameter("maxItems", asked, constraint, request.requestId);
  }
  const maxItems = Math.min(Number(asked), LIST_ITEMS_MAX);
  const all = options.registry.pools.map(({ settings }) => settings);
  const start = marker === undefined ? 0 : all.findIndex(({ name }) => name > marker);
  const page = start === -1 ? [] : all.slice(start, start + maxItems);
  const last = page.at(-1);
  const more = last !== undefined && last !== all.at(-1);
  const functions = page.map((settings) => functionConfiguration(settings, options));
  return lambdaResponse(
    { Functions: functions, ...(more ? { NextMarker: last.name } : {}) },
    request.requestId,
  );
}

/** Functions in one page of a listing, as Lambda has it. */
const LIST_ITEMS_MAX = 50;

/** Responds to the operations that describe one function. */
export function describe(
  version: string,
  operation: string,
  settings: FunctionSettings,
  options: DescribeOptions,
  requestId: string,
): HttpResponse {
  const configuration = functionConfiguration(settings, options);
  const described = { ...configuration, ...functionState(settings) };
  switch (operation) {
    case "": {
      const location = { RepositoryType: "S3", Location: `file://${settings.directory}` };
      const code = { ...location, ...settings.code };
      return lambdaResponse({ Configuration: described, Code: code, Tags: {} }, requestId);
    }
    case "configuration":
      return lambdaResponse(described, requestId);
    case "versions":
      return lambdaResponse({ Versions: [configuration] }, requestId);
    case "aliases":
      return lambdaResponse({ Aliases: [] }, requestId);
    case "url":
      return lambdaResponse(urlConfiguration(settings.name, configuration, options), requestId);
    case "urls": {
      const url = urlConfiguration(settings.name, configuration, options);
      return lambdaResponse({ FunctionUrlConfigs: [url] }, requestId);
    }
    // Lambda has more operations than a local host needs.
    default:
      return notImplemented(`GET /${version}/functions/${settings.name}/${operation}`, requestId);
  }
}

function urlConfiguration(
  name: string,
  configuration: Record<string, unknown>,
  { registry, baseUrl, invokeMode }: DescribeOptions,
): Record<string, unknown> {
  const path = registry.defaultPool?.settings.name === name ? "/" : `/lambda-url/${name}/`;
  return {
    FunctionUrl: `${baseUrl()}${path}`,
    FunctionArn: configuration["FunctionArn"],
    AuthType: "NONE",
    InvokeMode: invokeMode === "response-stream" ? "RESPONSE_STREAM" : "BUFFERED",
    CreationTime: configuration["LastModified"],
    LastModifiedTime: configuration["LastModified"],
  };
}

/** Responds to GetAccountSettings. */
export function accountSettings(requestId: string): HttpResponse {
  const limits = {
    TotalCodeSize: 80_530_636_800,
    CodeSizeUnzipped: 262_144_000,
    CodeSizeZipped: 52_428_800,
    ConcurrentExecutions: 1000,
    UnreservedConcurrentExecutions: 1000,
  };
  const usage = { TotalCodeSize: 0, FunctionCount: 1 };
  return lambdaResponse({ AccountLimit: limits, AccountUsage: usage }, requestId);
}

/** The members that ListFunctions has; what the function's template says stands over what is usual. */
function functionConfiguration(
  settings: FunctionSettings,
  options: DescribeOptions,
): Record<string, unknown> {
  const { name, handler, timeoutMs, memoryMb, variables, version, snapStart } = settings;
  const shown = Object.entries(variables).map(([variable, value]) => [
    variable,
    options.showVariables ? value : "***",
  ]);
  const { LoggingConfig, ...configuration } = settings.configuration;
  return {
    FunctionName: name,
    FunctionArn: functionArn(settings),
    Runtime: settings.runtime,
    Role: `arn:${partitionOf(settings.region)}:iam::${settings.accountId}:role/local`,
    Handler: handler,
    CodeSize: 0,
    Description: "",
    Timeout: Math.ceil(timeoutMs / 1000),
    MemorySize: memoryMb,
    LastModified: STARTED_AT,
    CodeSha256: createHash("sha256").update(settings.directory).digest("base64"),
    Version: version,
    Environment: { Variables: Object.fromEntries(shown) },
    TracingConfig: { Mode: "PassThrough" },
    RevisionId: stableId(settings),
    PackageType: "Zip",
    Architectures: [process.arch === "arm64" ? "arm64" : "x86_64"],
    EphemeralStorage: { Size: 512 },
    SnapStart: {
      ApplyOn: snapStart ? "PublishedVersions" : "None",
      // Only of a version that is published.
      OptimizationStatus: "Off",
    },
    ...configuration,
    LoggingConfig: {
      LogFormat: "Text",
      LogGroup: `/aws/lambda/${name}`,
      ...(typeof LoggingConfig === "object" ? LoggingConfig : {}),
    },
  };
}

/** What GetFunction and GetFunctionConfiguration have beyond that. */
function functionState(settings: FunctionSettings): Record<string, unknown> {
  return {
    State: "Active",
    LastUpdateStatus: "Successful",
    RuntimeVersionConfig: { RuntimeVersionArn: runtimeVersionArn(settings) },
  };
}

/** Of AWS's own runtime, or of the customer-managed one that ours stands in for. */
function runtimeVersionArn({ region, configuration }: FunctionSettings): string {
  const { RuntimeConfig } = configuration;
  const isCustom =
    typeof RuntimeConfig === "object" && RuntimeConfig !== null && "RuntimeArn" in RuntimeConfig;
  return isCustom
    ? `${RuntimeConfig.RuntimeArn}/version/local`
    : `arn:${partitionOf(region)}:lambda:${region}::runtime:local`;
}

const STARTED_AT = new Date().toISOString().replace("Z", "+0000");

function stableId(settings: FunctionSettings): string {
  const hex = createHash("sha256")
    .update(settings.directory + settings.name)
    .digest("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20, 32)].join("-");
}

/** The value of a name in the query. */
export function queryValue(request: HttpRequest, name: string): string | undefined {
  return queryPairs(request.rawQuery).find(([each]) => each === name)?.[1];
}
