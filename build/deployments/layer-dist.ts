/**
 * Where the zips of the layers are.
 *
 * @module
 */

import { join } from "node:path";

/** The root of the repository. */
export const ROOT = join(import.meta.dir, "../..");

/** `dist/`, or the folder of a downloaded release in LAYER_DIST. */
export const LAYER_DIST = process.env["LAYER_DIST"] ?? join(ROOT, "dist");
