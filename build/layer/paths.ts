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

/**
 * apt's settings end at `"`, the loader of the layer's Python separates folders by `:` and `;`, zig's
 * linker writes other characters for `%`, and the AWS CLI a variable's value for `$NAME`.
 */
const UNUSABLE = /["$%:;\p{Cc}]/u;

/**
 * Refuses a cache in which a build would fail after a minute, with other words.
 * @throws {Error} When its path has characters that programs of the build do not understand there.
 */
export function checkCachePath(path = CACHE): void {
  const [character] = UNUSABLE.exec(path) ?? [];
  if (character === undefined) return;
  throw new Error(
    `failed to use the cache ${JSON.stringify(path)}: its path has ${JSON.stringify(character)}, which ` +
      "apt, zig, Python's loader or the AWS CLI takes for something else; CACHE=FOLDER names another folder",
  );
}
