/**
 * Every case of fixtures/cases under every shell: the compiled bootstrap, a real Runtime API.
 *
 * @module
 */

import { describe, test } from "bun:test";

import { conformanceCases } from "../testing/conformance-case.ts";
import { runCase } from "../testing/run-case.ts";
import { SHELLS } from "../testing/shells.ts";

for (const { name: shell } of SHELLS) {
  describe(shell, () => {
    const cases = conformanceCases()
      .filter(({ shells }) => shells?.includes(shell) ?? true)
      .map((given) => [given.name, given] as const);
    test.concurrent.each(cases)("%s", (_name, given) => runCase(given, { shell }));
  });
}
