/**
 * What a template says of a function's configuration and code, under the names of Lambda's API: members
 * that change nothing here, and are shown as they are written.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html
 * @module
 */

import { isObject } from "../json-object.ts";
import type { Properties } from "./document.ts";
import {
  knownPart,
  NO_VALUE,
  resolveIntrinsics,
  type TemplateScope,
} from "./intrinsic-functions.ts";

/** Members by their names; what only a deployment knows of them is left out. */
type Members = Readonly<Record<string, unknown>>;

/** How a property is shown, where not as it is written. */
interface ShownProperty {
  /** Its name in the API. */
  readonly name: string;
  readonly value?: (written: unknown) => unknown;
}

/** Properties that GetFunctionConfiguration shows; SAM has names and forms of its own for some. */
const SHOWN: Readonly<Record<string, ShownProperty>> = {
  AcceleratorConfig: { name: "AcceleratorConfig" },
  CapacityProviderConfig: { name: "CapacityProviderConfig", value: capacityProvider },
  DeadLetterConfig: { name: "DeadLetterConfig" },
  DeadLetterQueue: { name: "DeadLetterConfig", value: deadLetterConfig },
  Description: { name: "Description" },
  DurableConfig: { name: "DurableConfig" },
  EphemeralStorage: { name: "EphemeralStorage" },
  FileSystemConfigs: { name: "FileSystemConfigs" },
  KmsKeyArn: { name: "KMSKeyArn" },
  LoggingConfig: { name: "LoggingConfig" },
  PublishTo: { name: "PublishTo" },
  Role: { name: "Role" },
  TenancyConfig: { name: "TenancyConfig" },
  Tracing: { name: "TracingConfig", value: (Mode) => ({ Mode }) },
  TracingConfig: { name: "TracingConfig" },
  VpcConfig: { name: "VpcConfig" },
};

/** Those of them that change nothing when the function runs on this computer. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  ...["AcceleratorConfig", "DeadLetterConfig", "DeadLetterQueue", "DurableConfig"],
  ...["FileSystemConfigs", "KmsKeyArn", "PublishTo", "TenancyConfig", "Tracing", "TracingConfig"],
  "VpcConfig",
]);

/** The configuration, and which properties have no effect here. */
export function shownConfiguration(
  properties: Properties,
  scope: TemplateScope,
): { readonly configuration: Members; readonly idle: readonly string[] } {
  const written = Object.keys(SHOWN).filter((name) => isWritten(properties[name], scope));
  const members = written.flatMap((property) => {
    const { name = property, value = (same: unknown) => same } = SHOWN[property] ?? {};
    const known = knownPart(properties[property], scope);
    return known === undefined ? [] : [[name, withNumbers(value(known))] as const];
  });
  return {
    configuration: Object.fromEntries(members),
    idle: written.filter((name) => WITHOUT_EFFECT.has(name)),
  };
}

/** Code that is in S3, as the API has it. */
export interface CodeInS3 {
  /** The property that says so. */
  readonly property: string;
  /** What the template calls the mode in which it is stored; nothing where it says nothing of it. */
  readonly modeProperty: string | undefined;
  readonly members: Members;
}

/** Where each kind of template has code that is in S3, and its names of what the API has. */
const CODE_FORMS = [
  {
    property: "Code",
    names: {
      S3Bucket: "S3Bucket",
      S3Key: "S3Key",
      S3ObjectVersion: "S3ObjectVersion",
      S3ObjectStorageMode: "S3ObjectStorageMode",
    },
  },
  {
    property: "CodeUri",
    names: {
      S3Bucket: "Bucket",
      S3Key: "Key",
      S3ObjectVersion: "Version",
      S3ObjectStorageMode: "StorageMode",
    },
  },
] as const;

/** The code where it is in S3; nothing where it is a folder, or inside the template. */
export function codeInS3(properties: Properties, scope: TemplateScope): CodeInS3 | undefined {
  for (const { property, names } of CODE_FORMS) {
    const written = properties[property];
    if (!isObject(written) || !(names.S3Bucket in written)) continue;
    const members = Object.entries(names).flatMap(([api, name]) => {
      const known = knownPart(written[name], scope);
      return known === undefined ? [] : [[api, known] as const];
    });
    const mode = names.S3ObjectStorageMode;
    return {
      property,
      modeProperty: isWritten(written[mode], scope) ? `${property}.${mode}` : undefined,
      members: Object.fromEntries(members),
    };
  }
  return undefined;
}

/** Whether a property is there, as far as that is known. */
function isWritten(value: unknown, scope: TemplateScope): boolean {
  const resolved = resolveIntrinsics(value, scope);
  return value !== undefined && !(resolved.kind === "known" && resolved.value === NO_VALUE);
}

/** SAM's form of the capacity provider as the API has it. */
function capacityProvider(written: unknown): unknown {
  const inner = "LambdaManagedInstancesCapacityProviderConfig";
  if (!isObject(written) || inner in written) return written;
  const { Arn, ...others } = written;
  return { [inner]: Arn === undefined ? others : { CapacityProviderArn: Arn, ...others } };
}

/** SAM's form of the queue, which says too of which kind it is. */
function deadLetterConfig(written: unknown): unknown {
  if (!isObject(written)) return written;
  const { Type: _type, ...others } = written;
  return others;
}

/** Members that are numbers in the API; a template has all of them as text. */
const NUMBERS: ReadonlySet<string> = new Set([
  ...["AcceleratorMemorySize", "ExecutionEnvironmentMemoryGiBPerVCpu", "ExecutionTimeout"],
  ...["PerExecutionEnvironmentMaxConcurrency", "RetentionPeriodInDays", "Size"],
]);

function withNumbers(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) return value.map((each) => withNumbers(each));
  if (isObject(value)) {
    const members = Object.entries(value).map(([key, each]) => [key, withNumbers(each, key)]);
    return Object.fromEntries(members);
  }
  const isNumber = typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value);
  return isNumber && NUMBERS.has(name) ? Number(value) : value;
}
