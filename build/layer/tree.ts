/**
 * Walks and measures folders of the staged layer.
 *
 * @module
 */

import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Something in a folder that is not a folder. */
export interface TreeFile {
  /** Path below the walked folder. */
  readonly path: string;
  /** Size in bytes; of a link, the length of what it says. */
  readonly bytes: number;
  readonly executable: boolean;
  /** What it says, for a symbolic link. */
  readonly target: string | undefined;
}

/** Lists every file and link below a folder, sorted by path. */
export function walk(folder: string): TreeFile[] {
  const files: TreeFile[] = [];
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const absolute = join(entry.parentPath, entry.name);
    const path = absolute.slice(folder.length + 1);
    const { mode, size } = lstatSync(absolute);
    files.push({
      path,
      bytes: size,
      executable: (mode & 0o100) !== 0,
      target: entry.isSymbolicLink() ? readlinkSync(absolute) : undefined,
    });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Adds up the sizes of files, in bytes. */
export function totalBytes(files: readonly TreeFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
