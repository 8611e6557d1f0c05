/**
 * The files of a function's folder that belong to the function.
 *
 * @module
 */

import { lstatSync, readdirSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";

import { systemFault } from "../cli/ending.ts";

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
  /** Paths of folders that may not be read, and of which nothing else is known. */
  readonly closed: readonly string[];
  /** Patterns that leave nothing out. */
  readonly unmatched: readonly string[];
}

/** Names that are not a part of a function wherever they stand: version control, secrets, others' litter. */
export const LEFT_OUT = [".git", ".env", ".DS_Store", ".aws-sam", "lambda-shell.toml"] as const;

/** Stands in a name for bytes that are not UTF-8. */
const REPLACEMENT = "\uFFFD";

/** What is left out by one pattern. */
class Exclusion {
  readonly pattern: string;
  hasMatched = false;
  readonly #glob: Bun.Glob;
  /** Whether it begins in the folder itself, as `./data` and `/data`. */
  readonly #isPath: boolean;
  /** Whether it is for folders alone, as `data/`. */
  readonly #isFolder: boolean;

  constructor(pattern: string) {
    this.pattern = pattern;
    this.#glob = new Bun.Glob(pattern.replace(/^(?:\.?\/)+/, "").replace(/\/+$/, ""));
    this.#isPath = /^\.?\//.test(pattern);
    this.#isFolder = pattern.endsWith("/");
  }

  matches(name: string, path: string, isFolder: boolean): boolean {
    const isIn = this.#glob.match(path) || (!this.#isPath && this.#glob.match(name));
    const matches = isIn && (isFolder || !this.#isFolder);
    this.hasMatched ||= matches;
    return matches;
  }
}

/**
 * All that a folder has.
 * @param excluded Patterns of names or of whole paths, which are left out too; one with a slash at its end is for
 * folders, one with a slash at its beginning for paths.
 */
export function folderContent(directory: string, excluded: readonly string[] = []): FolderContent {
  const exclusions = [...LEFT_OUT, ...excluded].map((pattern) => new Exclusion(pattern));
  const files: FolderFile[] = [];
  const leftOut: string[] = [];
  const closed: string[] = [];
  const visit = (relative: string) => {
    const entries = listed(join(directory, relative), relative === "");
    if (entries === undefined) closed.push(relative);
    if (entries?.length === 0 && relative !== "") files.push({ kind: "folder", path: relative });
    for (const { name, stat } of entries ?? []) {
      const path = relative === "" ? name : `${relative}/${name}`;
      if (stat === undefined) {
        // Gone since the folder was read; or its name is not UTF-8, and the file cannot be reached by it.
        if (name.includes(REPLACEMENT)) leftOut.push(path);
        continue;
      }
      const isFolder = stat.isDirectory();
      // Each is asked, so that all that match are known.
      if (exclusions.filter((each) => each.matches(name, path, isFolder)).length > 0) {
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
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const unmatched = exclusions.filter(({ hasMatched }) => !hasMatched);
  return {
    files,
    leftOut: leftOut.sort(),
    closed: closed.sort(),
    unmatched: unmatched.map(({ pattern }) => pattern),
  };
}

/** A name in a folder, and what it stands for: nothing when that is gone, or cannot be reached by it. */
interface Entry {
  readonly name: string;
  readonly stat: Stats | undefined;
}

/**
 * What stands in a folder; nothing where this user may not read that, as in one that a container's user has made.
 * @param isWhole Whether without it nothing is known at all.
 * @throws When it cannot be read for another reason, or is the whole.
 */
function listed(folder: string, isWhole: boolean): readonly Entry[] | undefined {
  try {
    return readdirSync(folder).map((name) => ({
      name,
      stat: lstatSync(join(folder, name), { throwIfNoEntry: false }),
    }));
  } catch (error) {
    if (isWhole) throw error;
    switch (systemFault(error)?.code) {
      case "ENOENT":
        // Gone since the folder around it was read.
        return [];
      case "EACCES":
      case "EPERM":
        return undefined;
      default:
        throw error;
    }
  }
}

/** The part of {@link folderContent} that belongs to the function. */
export function folderFiles(directory: string): readonly FolderFile[] {
  return folderContent(directory).files;
}

/** Names of the shell scripts in a folder, sorted; none of one that may not be read. */
export function shellScripts(directory: string): readonly string[] {
  const entries = listed(directory, false) ?? [];
  return entries
    .filter(({ name, stat }) => /^[^.].*\.sh$/s.test(name) && stat?.isDirectory() === false)
    .map(({ name }) => name)
    .sort();
}
