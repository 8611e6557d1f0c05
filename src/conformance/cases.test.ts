/**
 * Every case of fixtures/cases under every shell: the compiled bootstrap, a real Runtime API.
 *
 * @module
 */

import { describe, test } from "bun:test";

import { conformanceCases } from "../testing/conformance-case.ts";
import { runCase } from "../testing/run-case.ts";
import { FURTHER_SHELLS, SHELLS } from "../testing/shells.ts";

const ALL = SHELLS.map(({ name }) => name);

for (const { name: shell } of [...SHELLS, ...FURTHER_SHELLS]) {
  describe(shell, () => {
    const cases = conformanceCases()
      .filter(({ shells = ALL }) => shells.includes(shell))
      .map((given) => [given.name, given] as const);
    test.concurrent.each(cases)("%s", (_name, given) => runCase(given, { shell }));
  });
}
