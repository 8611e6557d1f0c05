/**
 * `lambda-shell.toml`: settings of functions that need not be typed each time.
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

import { CommandError } from "../cli/exit-status.ts";
import { parseSettings } from "./settings.ts";

/** Name of the file, in the function's folder or the current one. */
export const CONFIG_FILE = "lambda-shell.toml";

const numberOrText = z.union([z.string(), z.number()]).transform(String);

const functionSchema = z.strictObject({
  handler: z.string().optional(),
  timeout: numberOrText.optional(),
  memory: numberOrText.optional(),
  region: z.string().optional(),
  workers: numberOrText.optional(),
  env: z.record(z.string(), z.string()).optional(),
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
