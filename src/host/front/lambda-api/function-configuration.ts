/**
 * A function as ListFunctions and GetFunction describe it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
 * @module
 */

import { createHash } from "node:crypto";

import { functionArn, type FunctionSettings } from "../../invocation/settings.ts";

/** Settings of the description that are not the function's own. */
export interface DescriptionOptions {
  /** Shows the values of variables instead of asterisks. */
  readonly showVariables: boolean;
}

/** The members that ListFunctions has. */
export function functionConfiguration(
  settings: FunctionSettings,
  options: DescriptionOptions,
): Record<string, unknown> {
  const { name, handler, timeoutMs, memoryMb, variables, version } = settings;
  const shown = Object.entries(variables).map(([variable, value]) => [
    variable,
    options.showVariables ? value : "***",
  ]);
  return {
    FunctionName: name,
    FunctionArn: functionArn(settings),
    Runtime: "provided.al2023",
    Role: `arn:aws:iam::${settings.accountId}:role/local`,
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
    SnapStart: { ApplyOn: "None", OptimizationStatus: "Off" },
    LoggingConfig: { LogFormat: "Text", LogGroup: `/aws/lambda/${name}` },
  };
}

/** What GetFunction and GetFunctionConfiguration have beyond that. */
export function functionState(settings: FunctionSettings): Record<string, unknown> {
  const runtime = `arn:aws:lambda:${settings.region}::runtime:local`;
  return {
    State: "Active",
    LastUpdateStatus: "Successful",
    RuntimeVersionConfig: { RuntimeVersionArn: runtime },
  };
}

const STARTED_AT = new Date().toISOString().replace("Z", "+0000");

function stableId(settings: FunctionSettings): string {
  const hex = createHash("sha256")
    .update(settings.directory + settings.name)
    .digest("hex");
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20, 32)].join("-");
}
