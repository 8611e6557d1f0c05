/**
 * What is made once and kept in the cache, for as long as its recipe stays the same: a compiled program, an
 * unpacked tree.
 *
 * @module
 */

import { mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { exclusively } from "./exclusive.ts";
import { CACHE } from "./paths.ts";
import { workFolder } from "./work-folder.ts";

/** How something is made, and of what. */
export interface Recipe {
  /** The folder of the cache that has all that is made so. */
  readonly kind: string;
  /** What it is for. */
  readonly target: Architecture;
  /** Pins, flags and whatever else makes another one when it changes. */
  readonly values: readonly unknown[];
  /** Files that it is made of, or by. */
  readonly files: readonly string[];
  /** Whether what is kept at a path is all there: a disk may have damaged it. */
  readonly isWhole: (path: string) => boolean;
  /** Makes it in an empty folder, and returns its path there: it may be the folder itself. */
  readonly make: (folder: string) => Promise<string>;
}

/**
 * Returns the path of what the cache has, else makes it. Of several that want it at a time, here or in other
 * processes, one makes it.
 * @throws What making it throws; then nothing is kept.
 */
export async function keptOrMade(recipe: Recipe): Promise<string> {
  const kept = join(CACHE, recipe.kind, `${recipe.target.name}-${hashOf(recipe)}`);
  await exclusively(`${recipe.kind}-${recipe.target.name}`, async () => {
    if (recipe.isWhole(kept)) return;
    const folder = workFolder(recipe.kind);
    try {
      const made = await recipe.make(folder);
      mkdirSync(dirname(kept), { recursive: true });
      rmSync(kept, { recursive: true, force: true });
      renameSync(made, kept);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  return kept;
}

/** Of all that it is made of; long enough that no two recipes share one. */
function hashOf({ values, files }: Recipe): string {
  const hash = new Bun.CryptoHasher("sha256").update(JSON.stringify(values));
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}
