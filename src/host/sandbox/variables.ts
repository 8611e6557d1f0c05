/**
 * The variables that a runtime is started with: Lambda's, not the developer's.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 * @module
 */

import { randomBytes } from "node:crypto";

import type { FunctionSettings } from "../invocation/settings.ts";

/** Lambda's search path. */
export const LAMBDA_PATH = "/usr/local/bin:/usr/bin/:/bin:/opt/bin";

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
      AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${settings.name}`,
      AWS_LAMBDA_LOG_STREAM_NAME: logStreamName(settings.version),
    }),
    ...variables,
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_RUNTIME_API: runtimeApi,
    LAMBDA_TASK_ROOT: directory,
    LAMBDA_RUNTIME_DIR: "/var/runtime",
    _HANDLER: settings.handler,
    ...settings.environmentVariables?.(index),
  };
  if (settings.concurrency > 1) {
    environment["AWS_LAMBDA_MAX_CONCURRENCY"] = String(settings.concurrency);
  }
  for (const name of NEVER_PASSED) if (!(name in variables)) delete environment[name];
  return environment;
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
