/**
 * The examples of fixtures/functions, as the tests and the checks of the deployments read them.
 *
 * An example is a folder with a handler and tests for `lambda-shell test`. `arrange.sh` runs before
 * them, `assert.sh` after.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { z } from "zod";

/** The folder of the examples. */
export const EXAMPLES = join(import.meta.dir, "../../fixtures/functions");

/** A test, as far as the checks need it; `lambda-shell test` says what is wrong with one. */
const TEST = z.object({
  event: z.unknown().optional(),
  eventFile: z.string().optional(),
  handler: z.string().default("function.handler"),
  env: z.record(z.string(), z.string()).default({}),
  headers: z.record(z.string(), z.string()).default({}),
  expect: z.object({ response: z.unknown().optional(), responseContains: z.unknown().optional() }),
});

/** One event of an example, with what must come back. */
export interface ExampleTest extends Omit<z.infer<typeof TEST>, "event"> {
  readonly event: Uint8Array;
}

/** One example. */
export interface Example {
  readonly name: string;
  readonly folder: string;
  readonly tests: readonly ExampleTest[];
}

/**
 * Reads every example.
 * @throws {Error} When a folder has no tests, or a test no expectation.
 */
export function readExamples(): readonly Example[] {
  return readdirSync(EXAMPLES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => readExample(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Reads one example.
 * @throws {Error} As {@link readExamples} does, and when there is none of that name.
 */
export function readExample(name: string): Example {
  const folder = join(EXAMPLES, name);
  const files = readdirSync(join(folder, "tests")).sort();
  const tests = files.flatMap((file) => readTests(join(folder, "tests", file)));
  if (tests.length === 0) throw new Error(`failed to read example ${name}: it has no tests`);
  return { name, folder, tests };
}

function readTests(path: string): readonly ExampleTest[] {
  const content: unknown = JSON.parse(readFileSync(path, "utf8"));
  return (Array.isArray(content) ? content : [content]).map((each) => {
    const { event, ...test } = TEST.parse(each);
    const { eventFile } = test;
    const bytes =
      eventFile === undefined
        ? Buffer.from(JSON.stringify(event))
        : readFileSync(resolve(path, "..", eventFile));
    return { ...test, event: bytes };
  });
}
