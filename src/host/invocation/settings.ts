/**
 * Everything that the host must know of one function to run it.
 *
 * @module
 */

import type { ErrorReading, PostedError } from "./platform-error.ts";

/** Account of every function here, in ARNs. */
const LOCAL_ACCOUNT_ID = "123456789012";

/** One function: where it is, how it is started, and its bounds. */
export interface FunctionSettings {
  readonly name: string;
  /** `LAMBDA_TASK_ROOT`, absolute. */
  readonly directory: string;
  /** The bootstrap with its arguments. */
  readonly command: readonly string[];
  /** `_HANDLER`. */
  readonly handler: string;
  readonly version: string;
  /** `Runtime` of its configuration. */
  readonly runtime: string;
  /** Further members of its code, as GetFunction shows them. */
  readonly code: Readonly<Record<string, unknown>>;
  /** Further members of its configuration, as GetFunctionConfiguration shows them. */
  readonly configuration: Readonly<Record<string, unknown>>;
  /** Started as from a snapshot: `AWS_LAMBDA_INITIALIZATION_TYPE` is `snap-start`. */
  readonly snapStart: boolean;
  /** As on Lambda Managed Instances: a time-out does not end the environment. */
  readonly managedInstances: boolean;
  readonly region: string;
  readonly accountId: string;
  readonly memoryMb: number;
  /** Kills an environment that has more memory than {@link memoryMb}, as Lambda does. */
  readonly memoryEnforced: boolean;
  /** From delivery of an event to the next `/next`, in milliseconds. */
  readonly timeoutMs: number;
  /** From start to the first `/next`, in milliseconds. */
  readonly initTimeoutMs: number;
  /** The function's own variables; they win over Lambda's unreserved ones. */
  readonly variables: Readonly<Record<string, string>>;
  /** Variables that the whole process has, below all others; empty unless asked for. */
  readonly inherited: Readonly<Record<string, string>>;
  /** What a REST API in front of it hands on as base64. */
  readonly binaryMediaTypes: readonly string[];
  /** Folders that stand in for `/opt`. */
  readonly layers: readonly string[];
  /** Execution environments, at most. */
  readonly environments: number;
  /** Environments that are kept when they have nothing to do; all of them where it is absent. */
  readonly environmentsMin?: number;
  /** How long one more than that may have nothing to do, in milliseconds. */
  readonly idleMs: number;
  /** Port of the Runtime API for a runtime that somebody else starts; absent, we start it. */
  readonly attachedPort?: number;
  /** Loops of one environment, `AWS_LAMBDA_MAX_CONCURRENCY`; 1 is the plain contract. */
  readonly concurrency: number;
  /** Events that may wait. */
  readonly queueMax: number;
  /** Longest wait of an event for an environment, in milliseconds; 0 means no limit. */
  readonly queueTimeoutMs: number;
  /** Further variables of an environment, by its number from 0. */
  readonly environmentVariables?: (index: number) => Readonly<Record<string, string>>;
  /** How the errors that the runtime posts are read; Lambda's way when absent. */
  readonly readError?: (posted: PostedError) => ErrorReading;
}

/** What Lambda takes as the name of a function. */
export const FUNCTION_NAME = /^[a-zA-Z0-9-_]{1,64}$/;

/** What is said of a text that {@link FUNCTION_NAME} does not match. */
export function wrongFunctionName(text: unknown): string {
  return `"${text}" is not a function name: 1 to 64 letters, digits, - and _`;
}

/**
 * Lambda's longest time for an event, in milliseconds; on Managed Instances events without a caller who
 * waits may take longer.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 */
export const TIMEOUT_MS_MAX = 1_800_000;
export const MANAGED_TIMEOUT_MS_MAX = 5_400_000;

/** Lambda's megabytes are those of 1,048,576 bytes. */
export const BYTES_PER_MB = 1024 * 1024;

/** Lambda's largest memory, in MB: that of Managed Instances. */
export const MEMORY_MB_MAX = 32_768;

/** Lambda's own limits and the host's, as defaults. */
export const DEFAULT_SETTINGS = {
  version: "$LATEST",
  runtime: "provided.al2023",
  code: {},
  configuration: {},
  snapStart: false,
  managedInstances: false,
  region: "us-east-1",
  accountId: LOCAL_ACCOUNT_ID,
  memoryMb: 128,
  memoryEnforced: false,
  timeoutMs: 3_000,
  // Lambda allows 10 s for the init phase of an on-demand function.
  initTimeoutMs: 10_000,
  variables: {},
  inherited: {},
  binaryMediaTypes: [],
  layers: [],
  environments: 1,
  idleMs: 60_000,
  concurrency: 1,
  queueMax: 100,
  queueTimeoutMs: 0,
} as const satisfies Partial<FunctionSettings>;

/** What the ARN of a function is made of. */
type NamedFunction = Pick<FunctionSettings, "name" | "region" | "accountId">;

/** The ARN of a function, with the qualifier that its caller named. */
export function functionArn(
  { name, region, accountId }: NamedFunction,
  qualifier?: string,
): string {
  const arn = `arn:${partitionOf(region)}:lambda:${region}:${accountId}:function:${name}`;
  return qualifier === undefined ? arn : `${arn}:${qualifier}`;
}

/** AWS's first partition, in which all other regions are. */
const FIRST_PARTITION = { partition: "aws", urlSuffix: "amazonaws.com" };

/** The others, by how the names of their regions begin. */
const PARTITIONS: readonly (readonly [prefix: string, partition: string, urlSuffix: string])[] = [
  ["cn-", "aws-cn", "amazonaws.com.cn"],
  ["us-gov-", "aws-us-gov", "amazonaws.com"],
  ["us-iso-", "aws-iso", "c2s.ic.gov"],
  ["us-isob-", "aws-iso-b", "sc2s.sgov.gov"],
  ["eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"],
  ["us-isof-", "aws-iso-f", "csp.hci.ic.gov"],
  ["eusc-", "aws-eusc", "amazonaws.eu"],
];

/**
 * The partition of a region, the second part of every ARN there.
 * @see https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html
 */
export function partitionOf(region: string): string {
  return partitionWith(region).partition;
}

/** What the host names of services end with in a region. */
export function urlSuffixOf(region: string): string {
  return partitionWith(region).urlSuffix;
}

function partitionWith(region: string): typeof FIRST_PARTITION {
  const [, partition, urlSuffix] = PARTITIONS.find(([prefix]) => region.startsWith(prefix)) ?? [];
  return partition === undefined || urlSuffix === undefined
    ? FIRST_PARTITION
    : { partition, urlSuffix };
}
