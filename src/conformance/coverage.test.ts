/**
 * Every rule of the runtime, every fault of the prior shell runtimes and every check of the Runtime
 * API's list for runtimes is named by a case or a test.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { conformanceCases } from "../testing/conformance-case.ts";

const range = (prefix: string, first: number, last: number, digits = 1) =>
  Array.from({ length: last - first + 1 }, (_, at) => {
    return `${prefix}${String(first + at).padStart(digits, "0")}`;
  });

/** T-46 to T-48 and T-50 are of the layer; B-21 is SnapStart, for which there is no rule. */
const REQUIRED = [...range("R", 1, 25), ...range("T-", 1, 45), "T-49", ...range("B-", 1, 20, 2)];

/** The ids in the names of cases, and in the tests and their module comments. */
function namedIds(): Set<string> {
  const tests = readdirSync(import.meta.dir)
    .filter((name) => name.endsWith(".test.ts") && name !== "coverage.test.ts")
    .map((name) => readFileSync(join(import.meta.dir, name), "utf8"));
  // A case names its ids in front of the colon.
  const cases = conformanceCases().map(({ name }) => name.split(":")[0]);
  return new Set([...tests, ...cases].join(" ").match(/\b(R\d+|[TB]-\d+)\b/g));
}

test("every rule, fault and check is named by a case or a test", () => {
  const named = namedIds();
  expect(REQUIRED.filter((id) => !named.has(id))).toEqual([]);
});

test("every case names what it shows", () => {
  const nameless = conformanceCases().filter(
    ({ name }) => !/^([RTB]-?\d+ )*[RTB]-?\d+: /.test(name),
  );
  expect(nameless.map(({ name }) => name)).toEqual([]);
});
