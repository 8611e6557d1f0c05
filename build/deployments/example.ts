/**
 * The examples of fixtures/functions, as the tests and the documentation read them.
 *
 * An example is a folder with a handler and pairs `event*.json` and `expected*.json` (compared as
 * JSON) or `expected*.txt` (byte for byte). `arrange.sh` runs before its events, `assert.sh` after.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

/** The folder of the examples. */
export const EXAMPLES = join(import.meta.dir, "../../fixtures/functions");

/** What `example.json` may say; everything has a default. */
const SETTINGS = z.strictObject({
  /** `_HANDLER`. */
  handler: z.string().default("function.handler"),
  /** Variables of the function. */
  env: z.record(z.string(), z.string()).default({}),
  /** Headers of GET /next, such as a host adds for a CloudEvent. */
  headers: z.record(z.string(), z.string()).default({}),
  /** Whether the response must be one that an Api event accepts. */
  proxy: z.boolean().default(false),
  /** Texts that the log must contain. */
  logs: z.array(z.string()).default([]),
  /** Texts of secrets, which neither a response nor the log may contain. */
  secrets: z.array(z.string()).default([]),
  /** Members of the response that change from run to run, as patterns; the rest is compared. */
  patterns: z.record(z.string(), z.string()).default({}),
  /** Programs that a second layer brings. */
  path: z.array(z.enum(["node16"])).default([]),
});

/** One event with the response that it must get. */
export interface ExampleEvent {
  /** File name of the event, which also names the test. */
  readonly name: string;
  readonly event: Uint8Array;
  /** Path of the expected response. */
  readonly expected: string;
}

/** One example. */
export interface Example {
  readonly name: string;
  readonly folder: string;
  readonly settings: z.infer<typeof SETTINGS>;
  readonly events: readonly ExampleEvent[];
}

/**
 * Reads every example.
 * @throws {Error} When an event has no expected response, or a folder no event.
 */
export function readExamples(): readonly Example[] {
  return readdirSync(EXAMPLES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => readExample(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readExample(name: string): Example {
  const folder = join(EXAMPLES, name);
  const settingsFile = join(folder, "example.json");
  const settings: unknown = existsSync(settingsFile)
    ? JSON.parse(readFileSync(settingsFile, "utf8"))
    : {};
  const events = readdirSync(folder)
    .filter((file) => /^event.*\.json$/.test(file))
    .sort()
    .map((file) => readEvent(folder, file));
  if (events.length === 0) throw new Error(`failed to read example ${name}: it has no event.json`);
  return { name, folder, settings: SETTINGS.parse(settings), events };
}

function readEvent(folder: string, name: string): ExampleEvent {
  const json = join(folder, name.replace(/^event/, "expected"));
  // What a program says of itself may differ by architecture: expected.arm64.json.
  const ending = [`${process.arch}.json`, "json", "txt"];
  const expected = ending
    .map((each) => json.replace(/json$/, each))
    .find((path) => existsSync(path));
  if (expected === undefined) throw new Error(`failed to find the expected response ${json}`);
  return { name, event: readFileSync(join(folder, name)), expected };
}
