/**
 * The variables that a runtime is started with: Lambda's, not the developer's.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 * @module
 */

import { randomBytes } from "node:crypto";

import type { FunctionSettings } from "../invocation/settings.ts";
import { endpointVariables } from "./platform-endpoints.ts";

/** Lambda's search path. */
export const LAMBDA_PATH = "/usr/local/bin:/usr/bin/:/bin:/opt/bin";

/**
 * Variables that no function can set for itself.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
 */
export const RESERVED_VARIABLES: readonly string[] = [
  "_HANDLER",
  "_X_AMZN_TRACE_ID",
  ...["AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
  ...["AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV"],
  ...["AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"],
  ...["AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"],
  ...["AWS_LAMBDA_MAX_CONCURRENCY", "AWS_LAMBDA_METADATA_API", "AWS_LAMBDA_METADATA_TOKEN"],
  ...["AWS_LAMBDA_RUNTIME_API", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT"],
];

/** Those of them that the host sets whatever anybody says; the others may be chosen for a test. */
export const PLATFORM_VARIABLES: readonly string[] = [
  "_HANDLER",
  "_X_AMZN_TRACE_ID",
  "AWS_LAMBDA_INITIALIZATION_TYPE",
  "AWS_LAMBDA_MAX_CONCURRENCY",
  "AWS_LAMBDA_METADATA_API",
  "AWS_LAMBDA_METADATA_TOKEN",
  "AWS_LAMBDA_RUNTIME_API",
  "LAMBDA_RUNTIME_DIR",
  "LAMBDA_TASK_ROOT",
];

/** Variables that an environment which is started from a snapshot does not have. */
const NOT_IN_SNAPSHOTS = [
  "AWS_ACCESS_KEY",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "AWS_LAMBDA_LOG_GROUP_NAME",
  "AWS_LAMBDA_LOG_STREAM_NAME",
];

/** Variables that Lambda sets per invocation or that would lead a client astray. */
const NEVER_PASSED = [
  "_X_AMZN_TRACE_ID",
  "AWS_EXECUTION_ENV",
  "HTTP_PROXY",
  "http_proxy",
  "HTTPS_PROXY",
  "https_proxy",
  "ALL_PROXY",
  "all_proxy",
];

/**
 * Composes the environment; a later group wins: inherited, Lambda's unreserved variables, the
 * function's own, Lambda's reserved ones.
 * @param runtimeApi `host:port` of the Runtime API.
 * @param index Number of the execution environment, from 0.
 */
export function functionEnvironment(
  settings: FunctionSettings,
  runtimeApi: string,
  index: number,
): Record<string, string> {
  const { layers, directory, inherited, variables } = settings;
  const layerPaths = layers.map((layer) => `${layer}/bin`);
  const libraries = layers.map((layer) => `${layer}/lib`);
  const environment: Record<string, string> = {
    ...inherited,
    ...unlessInherited(inherited, {
      PATH: [...layerPaths, LAMBDA_PATH].join(":"),
      LD_LIBRARY_PATH: [
        "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib",
        `${directory}:${directory}/lib`,
        ...libraries,
        "/opt/lib",
      ].join(":"),
      LANG: "en_US.UTF-8",
      TZ: ":UTC",
      AWS_XRAY_CONTEXT_MISSING: "LOG_ERROR",
      AWS_REGION: settings.region,
      AWS_DEFAULT_REGION: settings.region,
      AWS_LAMBDA_FUNCTION_NAME: settings.name,
      AWS_LAMBDA_FUNCTION_VERSION: settings.version,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(settings.memoryMb),
      ...loggingVariables(settings),
    }),
    ...variables,
    AWS_LAMBDA_INITIALIZATION_TYPE: initializationType(settings),
    AWS_LAMBDA_RUNTIME_API: runtimeApi,
    LAMBDA_TASK_ROOT: directory,
    LAMBDA_RUNTIME_DIR: "/var/runtime",
    _HANDLER: settings.handler,
    ...endpointVariables(settings, runtimeApi),
    ...settings.environmentVariables?.(index),
  };
  // Whatever is inherited: a runtime with more loops than we hand events to would be wrong.
  delete environment["AWS_LAMBDA_MAX_CONCURRENCY"];
  if (settings.concurrency > 1) {
    environment["AWS_LAMBDA_MAX_CONCURRENCY"] = String(settings.concurrency);
  }
  // A snapshot must hold neither the keys of one environment nor its place in the log.
  if (settings.snapStart) for (const name of NOT_IN_SNAPSHOTS) delete environment[name];
  for (const name of NEVER_PASSED) if (!(name in variables)) delete environment[name];
  return environment;
}

/** What the function's logging configuration tells the runtime; on Managed Instances all logs are JSON. */
function loggingVariables(settings: FunctionSettings): Record<string, string> {
  const { LogGroup, LogFormat, ApplicationLogLevel } = loggingConfig(settings);
  return {
    AWS_LAMBDA_LOG_STREAM_NAME: logStreamName(settings.version),
    AWS_LAMBDA_LOG_GROUP_NAME: LogGroup ?? `/aws/lambda/${settings.name}`,
    ...(LogFormat === undefined ? {} : { AWS_LAMBDA_LOG_FORMAT: LogFormat }),
    ...(ApplicationLogLevel === undefined ? {} : { AWS_LAMBDA_LOG_LEVEL: ApplicationLogLevel }),
  };
}

/** The members of `LoggingConfig` that are text. */
function loggingConfig({ configuration, managedInstances }: FunctionSettings) {
  const { LoggingConfig = {} } = configuration;
  const written: Readonly<Record<string, unknown>> =
    typeof LoggingConfig === "object" && LoggingConfig !== null ? { ...LoggingConfig } : {};
  const text = (name: string) => (typeof written[name] === "string" ? written[name] : undefined);
  return {
    LogGroup: text("LogGroup"),
    LogFormat: managedInstances ? "JSON" : text("LogFormat"),
    ApplicationLogLevel: text("ApplicationLogLevel"),
  };
}

/** How Lambda says that an environment was started. */
export function initializationType({ snapStart, managedInstances }: FunctionSettings): string {
  if (snapStart) return "snap-start";
  return managedInstances ? "lambda-managed-instances" : "on-demand";
}

function unlessInherited(
  inherited: Readonly<Record<string, string>>,
  defaults: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !(name in inherited)));
}

/** `YYYY/MM/DD/[version]32-hex-digits`, as Lambda names the stream of an environment. */
function logStreamName(version: string): string {
  const day = new Date().toISOString().slice(0, 10).replaceAll("-", "/");
  return `${day}/[${version}]${randomBytes(16).toString("hex")}`;
}
