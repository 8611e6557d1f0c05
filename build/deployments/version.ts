/**
 * The version of everything, from its one place: package.json.
 *
 * @module
 */

import packageJson from "../../package.json" with { type: "json" };

/** `MAJOR.MINOR.PATCH`, with a pre-release part at most. */
export const VERSION: string = packageJson.version;
