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

import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { decodeUtf8 } from "../../host/http/json-text.ts";
import {
  DEFAULT_SETTINGS,
  FUNCTION_NAME,
  type FunctionSettings,
  MANAGED_TIMEOUT_MS_MAX,
  MEMORY_MB_MAX,
  TIMEOUT_MS_MAX,
  wrongFunctionName,
} from "../../host/invocation/settings.ts";
import { megabytesFix, parseTime, timeFix } from "../../quantities.ts";
import { CONCURRENCY_MAX } from "../../runtime-api/contract.ts";
import { CommandError } from "../cli/exit-status.ts";
import { unreadable } from "../cli/input.ts";
import { available } from "../cli/suggest.ts";

/** The handler where nobody names one: what `init` makes. */
export const DEFAULT_HANDLER = "function.handler";

/** A time in milliseconds within bounds. */
function time(minMs: number, maxMs: number) {
  return z.string().transform((text, context) => {
    const ms = parseTime(text);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({
      code: "custom",
      message:
        `"${text}" is not a duration between ${shownTime(minMs)} and ${shownTime(maxMs)}` +
        timeFix(text, minMs, maxMs),
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

/** A number of MB within bounds. */
function megabytes(min: number, max: number) {
  return count(min, max, " of MB", (text) => megabytesFix(text, min, max));
}

/** A whole number within bounds. */
function count(min: number, max: number, unit = "", fix = (_text: string) => "") {
  return z.string().transform((text, context) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max) return number;
    context.addIssue({
      code: "custom",
      message: `"${text}" is not a whole number${unit} from ${min} to ${max}${fix(text)}`,
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
      error: ({ input }) => wrongFunctionName(input),
    }),
    timeout: time(1, timeoutMsMax).optional(),
    initTimeout: time(1, timeoutMsMax).optional(),
    memory: megabytes(16, MEMORY_MB_MAX).optional(),
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

const BELOW_ITS_NAME = "write its settings below [function.NAME]";

/** What may stand for a region in an ARN; one of a test may have any name. */
export const REGION = /^[a-z0-9-]+$/;
export const NO_REGION = "is not a region, such as us-east-1";

const numberOrText = z
  .union([z.string(), z.number()], { error: "write a number, or a text in quotes" })
  .transform(String);

const text = z.string({ error: "write it as text, in quotes" });

const functionSchema = z.strictObject(
  {
    handler: text.optional(),
    timeout: numberOrText.optional(),
    memory: numberOrText.optional(),
    region: text.regex(REGION, { error: ({ input }) => `"${input}" ${NO_REGION}` }).optional(),
    workers: numberOrText.optional(),
    env: z
      .record(z.string(), text, { error: 'write a table, as in { NAME = "value" }' })
      .optional(),
  },
  { error: BELOW_ITS_NAME },
);

const configSchema = z.strictObject({
  function: z.record(z.string(), functionSchema, { error: BELOW_ITS_NAME }).default({}),
});

/** Settings of one function in the file. */
export type FunctionConfig = z.output<typeof functionSchema>;

/**
 * The settings of a function; empty when no file names it.
 * @param onOthersOnly Takes what to say of a file in the function's own folder that names others alone.
 * @throws {CommandError} When the file is wrong, with the place.
 */
export function functionConfig(
  directory: string,
  name: string,
  onOthersOnly?: (message: string) => void,
): FunctionConfig {
  const own = join(directory, CONFIG_FILE);
  let others: readonly string[] = [];
  for (const path of new Set([own, join(process.cwd(), CONFIG_FILE)])) {
    if (!existsSync(path)) continue;
    const file = ConfigFile.read(path);
    const config = file.functions[name];
    if (path === own) others = Object.keys(file.functions);
    if (config === undefined) continue;
    const { timeout, memory, workers } = config;
    const checked = parseSettings({ name, timeout, memory, workers });
    if (checked.kind === "valid") return config;
    throw file.fault(["function", name, checked.field], checked.reason);
  }
  if (others.length > 0) {
    onOthersOnly?.(
      `${own} has no [function.${name}]: nothing of it is used\n${available(name, others)}`,
    );
  }
  return {};
}

/** Members on the way to a value. */
type Place = readonly PropertyKey[];

/** A file of settings. */
class ConfigFile {
  readonly #path: string;
  readonly #text: string;
  #functions: Readonly<Record<string, FunctionConfig>> = {};

  private constructor(path: string, content: string) {
    this.#path = path;
    this.#text = content;
  }

  /** @throws {CommandError} When it cannot be read, or is wrong. */
  static read(path: string): ConfigFile {
    const content = decodeUtf8(readConfig(path))?.replace(/^\ufeff/, "");
    if (content === undefined)
      throw new CommandError(`${path}: not UTF-8: save it in that encoding`);
    const file = new ConfigFile(path, content);
    const parsed = parseToml(content);
    if (parsed.kind === "fault") {
      throw new CommandError(`${path}:${faultLine(content, parsed.words)}: ${parsed.words}`);
    }
    const checked = configSchema.safeParse(parsed.value);
    if (!checked.success) throw file.#firstFault(checked.error.issues);
    file.#functions = checked.data.function;
    return file;
  }

  get functions(): Readonly<Record<string, FunctionConfig>> {
    return this.#functions;
  }

  /** What is thrown of a value. */
  fault(place: Place, reason: string): CommandError {
    const line = lineOf(this.#text, place);
    return new CommandError(`${this.#path}:${line}: ${place.map(String).join(".")}: ${reason}`);
  }

  #firstFault([issue]: readonly z.core.$ZodIssue[]): CommandError {
    const place = issue?.path ?? [];
    if (issue?.code !== "unrecognized_keys") return this.fault(place, issue?.message ?? "is wrong");
    const [key = ""] = issue.keys;
    const schema = place.length === 0 ? configSchema : functionSchema;
    const words = `unknown setting\n${available(key, Object.keys(schema.shape))}`;
    return this.fault([...place, key], words);
  }
}

function readConfig(path: string): Buffer {
  try {
    // A pipe without a writer would be waited for.
    if (statSync(path).isFIFO()) throw new CommandError(`${path}: it is not a regular file`);
    return readFileSync(path);
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** A text of TOML as it is read. */
type ParsedToml =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "fault"; readonly words: string };

function parseToml(content: string): ParsedToml {
  try {
    return { kind: "value", value: Bun.TOML.parse(content) };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return { kind: "fault", words: words.replace(/^TOML Parse error: /, "not TOML: ") };
  }
}

/**
 * The beginnings of a text that end with one of its lines, as they are read. Bun tells no places: a line is found by
 * the first beginning that has what the whole has.
 */
function* beginnings(content: string): Generator<readonly [line: number, parsed: ParsedToml]> {
  let end = 0;
  for (let line = 1; end < content.length; line += 1) {
    const at = content.indexOf("\n", end);
    end = at === -1 ? content.length : at + 1;
    yield [line, parseToml(content.slice(0, end))];
  }
}

/** The line at which the reading of a text ends with a fault, from 1. */
function faultLine(content: string, words: string): number {
  let found = 1;
  let isOpen = false;
  for (const [line, parsed] of beginnings(content)) {
    // What several lines have together is not whole in the first of them.
    const isSame = parsed.kind === "fault" && parsed.words === words;
    if (isSame && !isOpen) found = line;
    isOpen = isSame;
  }
  return found;
}

/** The line at which a value begins, from 1. */
function lineOf(content: string, place: Place): number {
  let first = 1;
  for (const [line, parsed] of beginnings(content)) {
    if (parsed.kind === "fault") continue;
    if (isThere(parsed.value, place)) return first;
    first = line + 1;
  }
  return first;
}

function isThere(value: unknown, place: Place): boolean {
  let inner = value;
  for (const key of place) {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, key)) return false;
    inner = Reflect.get(inner, key);
  }
  return true;
}
