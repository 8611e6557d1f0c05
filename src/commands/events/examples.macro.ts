/**
 * Runs while the tool is compiled: gives it every file of fixtures/events/aws/ as text.
 *
 * @see https://bun.com/docs/bundler/macros
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";

/** The text of each example, by its name, sorted. */
export function exampleEventTexts(): Record<string, string> {
  const folder = new URL("../../../fixtures/events/aws/", import.meta.url);
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  const names = files.map((file) => file.slice(0, -".json".length)).sort();
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(new URL(`${name}.json`, folder), "utf8")]),
  );
}
