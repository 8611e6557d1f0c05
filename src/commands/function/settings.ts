/**
 * The settings that users write, on the command line or in `lambda-shell.toml`, checked once: numbers,
 * times, names, and what is wrong with them.
 *
 *     [function.hello]
 *     handler = "function.handler"
 *     timeout = 10
 *     memory = 256
 *     env = { GREETING = "Hello" }
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import {
  DEFAULT_SETTINGS,
  FUNCTION_NAME,
  type FunctionSettings,
  MANAGED_TIMEOUT_MS_MAX,
  MEMORY_MB_MAX,
  TIMEOUT_MS_MAX,
} from "../../host/invocation/settings.ts";
import { CONCURRENCY_MAX } from "../../runtime-api/contract.ts";
import { CommandError } from "../cli/exit-status.ts";

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Reads a time: bare seconds (`10`, `0.5`) or Go's form (`10s`, `1m30s`, `250ms`).
 * @returns Milliseconds, or nothing when it is not a time.
 */
export function parseTime(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sumMs = 0;
  for (const [, count, , unit] of text.matchAll(/(\d+(\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    sumMs += Number(count) * (MS_PER_UNIT[unit ?? ""] ?? 0);
  }
  return sumMs;
}

/** The handler where nobody names one: what `init` makes. */
export const DEFAULT_HANDLER = "function.handler";

/** A time in milliseconds within bounds. */
function time(minMs: number, maxMs: number) {
  return z.string().transform((text, context) => {
    const ms = parseTime(text);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({
      code: "custom",
      message: `"${text}" is not a duration between ${shownTime(minMs)} and ${shownTime(maxMs)}`,
    });
    return z.NEVER;
  });
}

/** A bound as it is written on the command line. */
function shownTime(ms: number): string {
  const units = [["h", 3_600_000] as const, ["m", 60_000] as const, ["s", 1000] as const];
  const [unit, size] = units.find(([, each]) => ms > 0 && ms % each === 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}

/** A whole number within bounds. */
function count(min: number, max: number) {
  return z.string().transform((text, context) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    context.addIssue({
      code: "custom",
      message: `"${text}" is not a whole number from ${min} to ${max}`,
    });
    return z.NEVER;
  });
}

/** Most execution environments of one function. */
const ENVIRONMENTS_MAX = 1000;

/** A number of execution environments, or the fewest and the most. */
function workers() {
  return z.string().transform((text, context) => {
    const [, first, second = first] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
    const [min, max] = [Number(first), Number(second)];
    if (first !== undefined && min >= 1 && min <= max && max <= ENVIRONMENTS_MAX) {
      return { environments: max, ...(min === max ? {} : { environmentsMin: min }) };
    }
    context.addIssue({
      code: "custom",
      message:
        `"${text}" is not a whole number from 1 to ${ENVIRONMENTS_MAX}, ` +
        "or the fewest and the most, as in 1:10",
    });
    return z.NEVER;
  });
}

/** Time for one event: as much as on Lambda, and less than its 1 s for tests. */
export const eventTime = time(1, TIMEOUT_MS_MAX);

function settingsSchema(timeoutMsMax: number) {
  return z.strictObject({
    name: z.string().refine((text) => FUNCTION_NAME.test(text), {
      error: ({ input }) => `"${input}" is not a function name: 1 to 64 letters, digits, - and _`,
    }),
    timeout: time(1, timeoutMsMax).optional(),
    initTimeout: time(1, timeoutMsMax).optional(),
    memory: count(16, MEMORY_MB_MAX).optional(),
    workers: workers().optional(),
    concurrency: count(1, CONCURRENCY_MAX).optional(),
    queue: count(1, 1_000_000).optional(),
    queueTimeout: time(0, 86_400_000).optional(),
  });
}

/** Settings as text, before they are checked. */
type SettingsText = {
  readonly [Key in keyof z.input<ReturnType<typeof settingsSchema>>]: string | undefined;
};

type ParsedSettings = Pick<
  FunctionSettings,
  | "name"
  | "timeoutMs"
  | "initTimeoutMs"
  | "memoryMb"
  | "environments"
  | "environmentsMin"
  | "concurrency"
  | "queueMax"
  | "queueTimeoutMs"
>;

/** A setting that is wrong. */
export interface InvalidSetting {
  readonly kind: "invalid";
  readonly field: string;
  readonly reason: string;
  /** Both, as of an option of the command line. */
  readonly message: string;
}

/** Checked settings, or what is wrong. */
type SettingsResult =
  { readonly kind: "valid"; readonly settings: ParsedSettings } | InvalidSetting;

/**
 * Checks the settings that users write.
 * @param managedInstances Whether events may take as long as on Managed Instances.
 */
export function parseSettings(text: SettingsText, managedInstances = false): SettingsResult {
  const given = Object.fromEntries(Object.entries(text).filter(([, value]) => value !== undefined));
  const schema = settingsSchema(managedInstances ? MANAGED_TIMEOUT_MS_MAX : TIMEOUT_MS_MAX);
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = String(issue?.path[0] ?? "settings");
    const option = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const reason = issue?.message ?? "is wrong";
    return { kind: "invalid", field, reason, message: `--${option}: ${reason}` };
  }
  const { name, timeout, initTimeout, memory, workers, concurrency, queue, queueTimeout } =
    parsed.data;
  return {
    kind: "valid",
    settings: {
      name,
      timeoutMs: timeout ?? DEFAULT_SETTINGS.timeoutMs,
      initTimeoutMs: initTimeout ?? DEFAULT_SETTINGS.initTimeoutMs,
      memoryMb: memory ?? DEFAULT_SETTINGS.memoryMb,
      ...(workers ?? { environments: DEFAULT_SETTINGS.environments }),
      concurrency: concurrency ?? DEFAULT_SETTINGS.concurrency,
      queueMax: queue ?? DEFAULT_SETTINGS.queueMax,
      queueTimeoutMs: queueTimeout ?? DEFAULT_SETTINGS.queueTimeoutMs,
    },
  };
}

/** Name of the file, in the function's folder or the current one. */
export const CONFIG_FILE = "lambda-shell.toml";

const numberOrText = z.union([z.string(), z.number()]).transform(String);

/** What may stand for a region in an ARN; one of a test may have any name. */
export const REGION = /^[a-z0-9-]+$/;
export const NO_REGION = "is not a region, such as us-east-1";

const functionSchema = z.strictObject({
  handler: z.string().optional(),
  timeout: numberOrText.optional(),
  memory: numberOrText.optional(),
  region: z
    .string()
    .regex(REGION, { error: ({ input }) => `"${input}" ${NO_REGION}` })
    .optional(),
  workers: numberOrText.optional(),
  env: z.record(z.string(), z.string({ error: "write its value as text, in quotes" })).optional(),
});

const configSchema = z.strictObject({
  function: z.record(z.string(), functionSchema).default({}),
});

/** Settings of one function in the file. */
export type FunctionConfig = z.output<typeof functionSchema>;

/**
 * The settings of a function; empty when no file names it.
 * @throws {CommandError} When the file is wrong, with the place.
 */
export function functionConfig(directory: string, name: string): FunctionConfig {
  for (const path of new Set([join(directory, CONFIG_FILE), join(process.cwd(), CONFIG_FILE)])) {
    if (!existsSync(path)) continue;
    const config = readConfig(path)[name];
    if (config === undefined) continue;
    const { timeout, memory, workers } = config;
    const checked = parseSettings({ name, timeout, memory, workers });
    if (checked.kind === "valid") return config;
    throw new CommandError(`${path}: function.${name}.${checked.field}: ${checked.reason}`);
  }
  return {};
}

function readConfig(path: string): Readonly<Record<string, FunctionConfig>> {
  let parsed: unknown;
  try {
    parsed = Bun.TOML.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new CommandError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const checked = configSchema.safeParse(parsed);
  if (checked.success) return checked.data.function;
  const [issue] = checked.error.issues;
  throw new CommandError(
    `${path}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "is wrong"}`,
  );
}
