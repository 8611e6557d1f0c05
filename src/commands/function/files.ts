/**
 * The files of a function's folder that belong to the function.
 *
 * @module
 */

import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** One file or link, its path relative to the folder with `/` between its parts. */
type FolderFile =
  | {
      readonly kind: "file";
      readonly path: string;
      /** Permission bits. */
      readonly mode: number;
      readonly byteLength: number;
    }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string };

/** Names that never belong to a function: version control, secrets, earlier packages. */
const LEFT_OUT = [
  ".git",
  ".gitignore",
  ".env",
  ".DS_Store",
  "*.zip",
  ".aws-sam",
  "lambda-shell.toml",
];

/** All files below a folder in the order of their paths. */
export function folderFiles(
  directory: string,
  excluded: readonly string[] = [],
): readonly FolderFile[] {
  const globs = [...LEFT_OUT, ...excluded].map((pattern) => new Bun.Glob(pattern));
  const files: FolderFile[] = [];
  const visit = (relative: string) => {
    for (const name of readdirSync(join(directory, relative))) {
      const path = relative === "" ? name : `${relative}/${name}`;
      if (globs.some((glob) => glob.match(name) || glob.match(path))) continue;
      const stat = lstatSync(join(directory, path), { throwIfNoEntry: false });
      // Gone since the folder was read.
      if (stat === undefined) continue;
      if (stat.isDirectory()) visit(path);
      else if (stat.isSymbolicLink()) {
        files.push({ kind: "symlink", path, target: readlinkSync(join(directory, path)) });
      } else if (stat.isFile()) {
        files.push({ kind: "file", path, mode: stat.mode & 0o777, byteLength: stat.size });
      }
    }
  };
  visit("");
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}
