/**
 * The files of a function's folder that belong to the function.
 *
 * @module
 */

import { lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** One file, link or empty folder, its path relative to the folder with `/` between its parts. */
export type FolderFile =
  | {
      readonly kind: "file";
      readonly path: string;
      /** Permission bits. */
      readonly mode: number;
      readonly byteLength: number;
    }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string }
  | { readonly kind: "folder"; readonly path: string };

/** What a folder has, and what of it is not a part of the function. */
interface FolderContent {
  /** In the order of their paths. */
  readonly files: readonly FolderFile[];
  /** Paths of files and of whole folders, a folder's with `/` at its end. */
  readonly leftOut: readonly string[];
}

/** Names that are not a part of a function wherever they stand: version control, secrets, others' litter. */
export const LEFT_OUT = [".git", ".env", ".DS_Store", ".aws-sam", "lambda-shell.toml"] as const;

/**
 * All that a folder has.
 * @param excluded Patterns of names or of whole paths, which are left out too.
 */
export function folderContent(directory: string, excluded: readonly string[] = []): FolderContent {
  const globs = [...LEFT_OUT, ...excluded].map((pattern) => new Bun.Glob(pattern));
  const files: FolderFile[] = [];
  const leftOut: string[] = [];
  const visit = (relative: string) => {
    const names = readdirSync(join(directory, relative));
    if (names.length === 0 && relative !== "") files.push({ kind: "folder", path: relative });
    for (const name of names) {
      const path = relative === "" ? name : `${relative}/${name}`;
      const stat = lstatSync(join(directory, path), { throwIfNoEntry: false });
      // Gone since the folder was read.
      if (stat === undefined) continue;
      const isFolder = stat.isDirectory();
      if (globs.some((glob) => glob.match(name) || glob.match(path))) {
        leftOut.push(isFolder ? `${path}/` : path);
      } else if (isFolder) {
        visit(path);
      } else if (stat.isSymbolicLink()) {
        files.push({ kind: "symlink", path, target: readlinkSync(join(directory, path)) });
      } else if (stat.isFile()) {
        files.push({ kind: "file", path, mode: stat.mode & 0o777, byteLength: stat.size });
      } else {
        // A socket, a pipe, a device: no archive has those.
        leftOut.push(path);
      }
    }
  };
  visit("");
  return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), leftOut: leftOut.sort() };
}

/** The part of {@link folderContent} that belongs to the function. */
export function folderFiles(directory: string): readonly FolderFile[] {
  return folderContent(directory).files;
}
