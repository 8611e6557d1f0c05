/**
 * Removes what layer/prune.json names, and counts what each rule saved.
 *
 * @module
 */

import { readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

import { z } from "zod";

import { LAYER } from "./paths.ts";
import { walk } from "./tree.ts";

const rulesSchema = z.array(
  z.strictObject({
    name: z.string(),
    reason: z.string(),
    paths: z.array(z.string()),
    keep: z.array(z.string()).default([]),
  }),
);

/** What one step of making the layer smaller has saved. */
export interface Saving {
  readonly name: string;
  readonly files: number;
  /** Bytes; negative for a step that adds some. */
  readonly bytes: number;
}

/** Applies every rule to a staged tree. */
export function prune(tree: string): Saving[] {
  const rules = rulesSchema.parse(JSON.parse(readFileSync(join(LAYER, "prune.json"), "utf8")));
  return rules.map(({ name, paths, keep }) => {
    const kept = keep.map((pattern) => new Bun.Glob(pattern));
    let files = 0;
    let bytes = 0;
    for (const pattern of paths) {
      for (const path of new Bun.Glob(pattern).scanSync({ cwd: tree, dot: true })) {
        if (kept.some((glob) => glob.match(path))) continue;
        const absolute = join(tree, path);
        bytes += statSync(absolute).size;
        files += 1;
        rmSync(absolute);
        removeEmptyFolders(dirname(absolute));
      }
    }
    return { name, files, bytes };
  });
}

/** Bytes of a whole tree, to count what a step saved. */
export function treeBytes(tree: string): number {
  return walk(tree).reduce((sum, { bytes }) => sum + bytes, 0);
}

function removeEmptyFolders(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    return; // Not empty: so are its parents.
  }
  removeEmptyFolders(dirname(folder));
}
