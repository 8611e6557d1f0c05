/**
 * What Lambda would refuse of a function's template: values beyond its limits, and those that it does not
 * have.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
 * @module
 */

import {
  FUNCTION_NAME,
  MANAGED_TIMEOUT_MS_MAX,
  MEMORY_MB_MAX,
  TIMEOUT_MS_MAX,
  wrongFunctionName,
} from "../host/invocation/settings.ts";
import { RESERVED_VARIABLES } from "../host/sandbox/variables.ts";
import { memberOf } from "../json-object.ts";
import { megabytesFix, secondsFix } from "../quantities.ts";
import { CONCURRENCY_MAX } from "../runtime-api/contract.ts";
import type { TemplateFunction } from "./function.ts";

/** Lambda's smallest memory, in MB; a function that is tried here may have less. */
const MEMORY_MB_MIN = 128;

/** Bounds of `/tmp`, in MB; the second maximum is that of functions with an accelerator. */
const STORAGE_MB_MIN = 512;
const STORAGE_MB_MAX = 10_240;
const ACCELERATED_STORAGE_MB_MAX = 32_768;

const DESCRIPTION_LENGTH_MAX = 256;

/** Bounds of a durable execution: its time in seconds, and days for which its history is kept. */
const EXECUTION_S_MAX = 31_622_400;
const RETENTION_DAYS_MAX = 90;

/** Bounds of the memory for each virtual processor of Managed Instances, in GiB. */
const GIB_PER_CPU_MIN = 2;
const GIB_PER_CPU_MAX = 8;

/** File systems of one function. */
const FILE_SYSTEMS_MAX = 1;

/** Why a value is refused; nothing when it is not. */
type Rule = (value: unknown) => string | undefined;

/** What Lambda would refuse of a function, one line for each value, with its place. */
export function wrongSettings(described: TemplateFunction, path: string): readonly string[] {
  const rules = [...settingRules(described), ...memberRules(described)];
  const refused = rules.flatMap(([property, value, rule]) => {
    // What is not written has a default; what only a deployment knows cannot be told.
    const reason = value === undefined ? undefined : rule(value);
    return reason === undefined ? [] : [`${property}: ${reason}`];
  });
  const wrong = [...described.refused, ...refused];
  const reserved = Object.keys(described.variables).filter((each) =>
    RESERVED_VARIABLES.includes(each),
  );
  if (reserved.length > 0) wrong.push(`Environment: ${reservedComplaint(reserved)}`);
  return wrong.map((each) => `${path}: ${described.logicalId}: ${each}`);
}

type AppliedRule = readonly [property: string, value: unknown, rule: Rule];

function settingRules(described: TemplateFunction): readonly AppliedRule[] {
  const { name, timeout, memory, concurrency, managedInstances, architecture } = described;
  const timeoutMsMax = managedInstances ? MANAGED_TIMEOUT_MS_MAX : TIMEOUT_MS_MAX;
  return [
    [
      "FunctionName",
      name,
      (text) => (FUNCTION_NAME.test(String(text)) ? undefined : wrongFunctionName(text)),
    ],
    ["Architectures", architecture, oneOf("x86_64", "arm64")],
    ["Timeout", timeout, wholeNumber(1, timeoutMsMax / 1000, SECONDS)],
    ["MemorySize", memory, wholeNumber(MEMORY_MB_MIN, MEMORY_MB_MAX, MEGABYTES)],
    ["PerExecutionEnvironmentMaxConcurrency", concurrency, wholeNumber(1, CONCURRENCY_MAX)],
  ];
}

function memberRules({ configuration, codeInS3, idle }: TemplateFunction): readonly AppliedRule[] {
  const { Description, DurableConfig, CapacityProviderConfig, PublishTo } = configuration;
  const isAccelerated = idle.includes("AcceleratorConfig");
  const storageMbMax = isAccelerated ? ACCELERATED_STORAGE_MB_MAX : STORAGE_MB_MAX;
  const more = isAccelerated ? "" : `, ${ACCELERATED_STORAGE_MB_MAX} with AcceleratorConfig`;
  const managed = memberOf(CapacityProviderConfig, "LambdaManagedInstancesCapacityProviderConfig");
  const perCpu = "ExecutionEnvironmentMemoryGiBPerVCpu";
  return [
    ["Description", Description, shorterThan(DESCRIPTION_LENGTH_MAX)],
    [
      "EphemeralStorage.Size",
      memberOf(configuration["EphemeralStorage"], "Size"),
      wholeNumber(STORAGE_MB_MIN, storageMbMax, MEGABYTES, more),
    ],
    [
      "DurableConfig.ExecutionTimeout",
      memberOf(DurableConfig, "ExecutionTimeout"),
      wholeNumber(1, EXECUTION_S_MAX, SECONDS),
    ],
    [
      "DurableConfig.RetentionPeriodInDays",
      memberOf(DurableConfig, "RetentionPeriodInDays"),
      wholeNumber(1, RETENTION_DAYS_MAX),
    ],
    [perCpu, memberOf(managed, perCpu), between(GIB_PER_CPU_MIN, GIB_PER_CPU_MAX)],
    ["PublishTo", PublishTo, oneOf("LATEST_PUBLISHED")],
    [
      "TenancyConfig.TenantIsolationMode",
      memberOf(configuration["TenancyConfig"], "TenantIsolationMode"),
      oneOf("PER_TENANT"),
    ],
    [
      codeInS3?.modeProperty ?? "Code",
      memberOf(codeInS3?.members, "S3ObjectStorageMode"),
      oneOf("COPY", "REFERENCE"),
    ],
    ...fileSystemRules(configuration["FileSystemConfigs"]),
  ];
}

function fileSystemRules(configs: unknown): readonly AppliedRule[] {
  if (!Array.isArray(configs)) return [];
  const several: AppliedRule = [
    "FileSystemConfigs",
    configs.length,
    (count) =>
      configs.length <= FILE_SYSTEMS_MAX
        ? undefined
        : `${count} file systems, Lambda takes at most ${FILE_SYSTEMS_MAX}`,
  ];
  const each = configs.flatMap((config): readonly AppliedRule[] => {
    const files = memberOf(config, "S3FilesConfig");
    const arn = memberOf(config, "Arn");
    return [
      ["FileSystemConfigs.LocalMountPath", memberOf(config, "LocalMountPath"), mountPath],
      ["FileSystemConfigs.S3FilesConfig", files, () => otherFileSystem(arn)],
      [
        "FileSystemConfigs.S3FilesConfig.DirectS3Read",
        memberOf(files, "DirectS3Read"),
        oneOf("ENABLED", "DISABLED", "AUTO"),
      ],
    ];
  });
  return [several, ...each];
}

function mountPath(path: unknown): string | undefined {
  if (/^\/mnt\/[a-zA-Z0-9-_.]+$/.test(String(path))) return undefined;
  return `"${path}" is not a folder in /mnt, of letters, digits, -, _ and .`;
}

/** Only file systems of S3 Files have settings of how they read from S3. */
function otherFileSystem(arn: unknown): string | undefined {
  if (typeof arn !== "string" || /^arn:[a-z-]+:s3files:/.test(arn)) return undefined;
  return `is for access points of S3 Files, not for ${arn}`;
}

function wholeNumber(min: number, max: number, unit?: Unit, more = ""): Rule {
  return (value) => {
    if (/^\d+$/.test(String(value)) && Number(value) >= min && Number(value) <= max)
      return undefined;
    const [of, fix] =
      unit === undefined ? ["", ""] : [` of ${unit.name}`, unit.fix(String(value), min, max)];
    return `"${value}" is not a whole number${of} from ${min} to ${max}${more}${fix}`;
  };
}

/** What a number counts, and the advice for one with a unit of its own. */
interface Unit {
  readonly name: string;
  readonly fix: (text: string, min: number, max: number) => string;
}

const SECONDS: Unit = { name: "seconds", fix: secondsFix };
const MEGABYTES: Unit = { name: "MB", fix: megabytesFix };

function between(min: number, max: number): Rule {
  return (value) =>
    Number(value) >= min && Number(value) <= max
      ? undefined
      : `"${value}" is not a number from ${min} to ${max}`;
}

function oneOf(...names: readonly string[]): Rule {
  const words = names.join(", ").replace(/, (\w+)$/, " or $1");
  return (value) => (names.includes(String(value)) ? undefined : `"${value}" is not ${words}`);
}

function shorterThan(lengthMax: number): Rule {
  return (value) => {
    const { length } = String(value);
    return length <= lengthMax
      ? undefined
      : `has ${length} characters, Lambda takes at most ${lengthMax}`;
  };
}

/** Lambda's own words for variables that it sets itself. */
function reservedComplaint(names: readonly string[]): string {
  return (
    "Lambda was unable to configure your environment variables because the environment variables " +
    "you have provided contains reserved keys that are currently not supported for modification. " +
    `Reserved keys used in this request: ${names.join(", ")}`
  );
}
