/**
 * Writes dist/LICENSES.txt: the licence of every part of the executables, which lie in a release as
 * single files. A layer carries its own in share/lambda-shell-runtime/.
 *
 *     bun build/deployments/release/licenses.ts
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { licenseTexts } from "../../licenses.macro.ts";
import { reportErrors } from "../../plain-errors.ts";
import { ROOT } from "../layer-dist.ts";

/** Name of the file in dist/ and in a release. */
export const LICENSES_FILE = "LICENSES.txt";

// What `lambda-shell --licenses` prints.
if (import.meta.main) {
  reportErrors();
  writeFileSync(join(ROOT, "dist", LICENSES_FILE), licenseTexts());
}
