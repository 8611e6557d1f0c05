/**
 * The licence texts of everything that is inside the tool.
 *
 * @module
 */

import { licenseTexts } from "../build/licenses.macro.ts" with { type: "macro" };

/** All texts, each after a line that says whose it is. */
export const LICENSES: string = licenseTexts();
