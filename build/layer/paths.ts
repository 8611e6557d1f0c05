/**
 * The folders that the packager reads and writes.
 *
 * @module
 */

import { join, resolve } from "node:path";

/** The repository. */
export const ROOT = join(import.meta.dir, "../..");

/** What the build makes; `make clean` removes it. */
export const DIST = resolve(ROOT, process.env["DIST"] || "dist");

/** Downloads and intermediate results, kept between builds and safe to delete at any time. */
export const CACHE = resolve(ROOT, process.env["CACHE"] || "cache");

/** The data of the layer: sources, rules, budgets, licences. */
export const LAYER = join(ROOT, "layer");

/** Where a layer keeps its own papers: manifest, bill of materials, licences. */
export const SHARE = "share/lambda-shell-runtime";
