/**
 * Loaded before all tests (bunfig.toml): how long a test may take where it does not say.
 *
 * Bun forgets `setDefaultTimeout()` with each file of tests, and bunfig.toml has no such setting, so
 * that each file is given the call when it is loaded, on its first line.
 * @module
 */

import { setDefaultTimeout } from "bun:test";
import { readFileSync } from "node:fs";

import { plugin } from "bun";

/** Processes take their time on a loaded machine, in milliseconds. */
const TEST_MS_MAX = 120_000;

declare global {
  /** Sets the default of the file of tests that is being loaded. */
  var allowTime: () => void;
}

globalThis.allowTime = () => setDefaultTimeout(TEST_MS_MAX);

plugin({
  name: "timeout of tests",
  setup(build) {
    build.onLoad({ filter: /\.(test|compat)\.ts$/ }, ({ path }) => ({
      contents: `globalThis.allowTime();${readFileSync(path, "utf8")}`,
      loader: "ts",
    }));
  },
});
