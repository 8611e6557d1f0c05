/**
 * The variables by which TriggerMesh's invoker and AWS's emulator are configured, under all their
 * names.
 *
 * @module
 */

import type { ServeFormat } from "../../host/front/select.ts";
import { parseTime } from "../../quantities.ts";

/** What the variables say; a member is absent when no variable says it. */
export interface ServeVariables {
  readonly format?: ServeFormat;
  readonly handler?: string;
  readonly directory?: string;
  readonly name?: string;
  readonly timeout?: string;
  readonly port?: string;
  readonly workers?: string;
  readonly sink?: string;
  readonly metricsPort?: string;
  readonly bodyBytesMax?: number;
  readonly ceType?: string;
  readonly ceSource?: string;
  readonly ceSubject?: string;
  readonly responseMode: "data" | "event";
  readonly metricPrefix: string;
  readonly metricName: string;
  readonly metricNamespace: string;
  readonly resourceGroup: string;
  /** True in a container that is the function's own, whose variables are meant for it. */
  readonly ownsEnvironment: boolean;
  readonly onKnative: boolean;
  /** Old names that were used, one line for each. */
  readonly warnings: readonly string[];
}

/** Variables that cannot be understood, in words. */
type VariablesResult =
  | { readonly kind: "valid"; readonly settings: ServeVariables }
  | { readonly kind: "invalid"; readonly message: string };

type Variables = Readonly<Record<string, string | undefined>>;

const FORMATS: ReadonlyMap<string, ServeFormat> = new Map([
  ["API_GATEWAY", "api-gateway"],
  ["CLOUDEVENTS", "cloudevents"],
  ["FUNCTION_URL", "function-url"],
  ["HTTP_API_V2", "http-api-v2"],
  ["PLAIN", "plain"],
]);

/** Bytes of one unit of REQUEST_SIZE_LIMIT. */
const SIZE_UNIT_BYTES = 1_000_000;

/** Reads the variables. */
export function serveVariables(variables: Variables): VariablesResult {
  const warnings: string[] = [];
  const named = (...names: readonly string[]) => firstOf(variables, names, warnings);
  const formatName = named("RESPONSE_FORMAT", "RESPONSE_WRAPPER", "EVENT_TYPE", "EVENT");
  const format =
    formatName === undefined || formatName === "" ? undefined : FORMATS.get(formatName);
  if (formatName !== undefined && formatName !== "" && format === undefined) {
    const known = [...FORMATS.keys()].join(", ");
    return { kind: "invalid", message: `RESPONSE_FORMAT=${formatName} is not one of ${known}` };
  }
  const timeout = variables["FUNCTION_TTL"];
  if (timeout !== undefined && parseTime(timeout) === undefined) {
    return {
      kind: "invalid",
      message: `FUNCTION_TTL=${timeout} is not a duration: 10, 10s, 1m30s`,
    };
  }
  const limit = variables["REQUEST_SIZE_LIMIT"];
  if (limit !== undefined && !(Number(limit) > 0)) {
    const fix = "set megabytes, such as 5, or unset it";
    return { kind: "invalid", message: `REQUEST_SIZE_LIMIT=${limit} is not a size: ${fix}` };
  }
  const responseMode = variables["CE_FUNCTION_RESPONSE_MODE"] ?? "data";
  if (responseMode !== "data" && responseMode !== "event") {
    const message = `CE_FUNCTION_RESPONSE_MODE=${responseMode} is not one of data, event`;
    return { kind: "invalid", message };
  }
  // Knative names every service; a variable without a value is one that is not set.
  const service = variables["K_SERVICE"] || undefined;
  const onKnative = service !== undefined;
  const settings: ServeVariables = {
    ...present("format", format),
    ...present("handler", variables["_HANDLER"]),
    ...present("directory", variables["LAMBDA_TASK_ROOT"]),
    ...present("name", variables["AWS_LAMBDA_FUNCTION_NAME"]),
    ...present("timeout", timeout),
    ...present("port", named("PORT", "EXTERNAL_API_PORT")),
    ...present("workers", variables["INVOKER_COUNT"]),
    ...present("sink", variables["K_SINK"]),
    ...present("metricsPort", variables["METRICS_PROMETHEUS_PORT"]),
    ...present("bodyBytesMax", limit === undefined ? undefined : Number(limit) * SIZE_UNIT_BYTES),
    ...present("ceType", named("CE_OVERRIDES_TYPE", "CE_TYPE")),
    ...present("ceSource", named("CE_OVERRIDES_SOURCE", "CE_SOURCE") ?? service),
    ...present("ceSubject", named("CE_OVERRIDES_SUBJECT", "CE_SUBJECT")),
    responseMode,
    metricPrefix: variables["K_COMPONENT"] ?? "function",
    metricName: variables["NAME"] ?? "",
    metricNamespace: variables["NAMESPACE"] ?? "",
    resourceGroup: variables["RESOURCE_GROUP"] ?? "functions.extensions.triggermesh.io",
    ownsEnvironment: onKnative || format !== undefined,
    onKnative,
    warnings,
  };
  return { kind: "valid", settings };
}

/** The first of several names of one setting that is set; an old name is warned of. */
function firstOf(
  variables: Variables,
  names: readonly string[],
  warnings: string[],
): string | undefined {
  const [current = ""] = names;
  for (const name of names) {
    const value = variables[name];
    if (value === undefined) continue;
    // EVENT and EVENT_TYPE are common words; they only count with one of the values that TriggerMesh gave them.
    if (name.startsWith("EVENT") && !FORMATS.has(value)) {
      continue;
    }
    if (name !== current) {
      warnings.push(`${name} is an old name for ${current} (using it)`);
    }
    return value;
  }
  return undefined;
}

function present<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]?: Value });
}
