/**
 * What is known of a file, without an error: of one that is missing, that may not be reached, or whose path
 * cannot be one, nothing is known.
 *
 * `statSync` with `throwIfNoEntry: false` still throws of a path that is too long, that leads below a file,
 * or to a link to itself; and paths come from users.
 *
 * @module
 */

import {
  accessSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";

/** What the system says of a file, at the end of all links; nothing where it says nothing. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** True for a regular file, at the end of all links. */
export function isRegularFile(path: string): boolean {
  return statOf(path)?.isFile() === true;
}

/** True for a folder, at the end of all links. */
export function isFolder(path: string): boolean {
  return statOf(path)?.isDirectory() === true;
}

/** Where a link leads, as it is written in it; nothing of what is not a link. */
export function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Whether this process may do with a file what a mode of access(2) says. */
export function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** Whether a relative path leads out of the folder to which it is relative. */
export function leadsOut(path: string): boolean {
  // A name may begin with two dots.
  return path.startsWith("/") || /^\.\.(?:\/|$)/.test(path);
}

/** The names in a folder, sorted; none where it is not there, or may not be read. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/**
 * All of a regular file.
 * @returns Nothing where it is not one, since a pipe without a writer would be waited for, or cannot be read.
 */
export function fileBytes(path: string): Buffer<ArrayBuffer> | undefined {
  try {
    return isRegularFile(path) ? readFileSync(path) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The first bytes of a file, which must not be a pipe: one without a writer would be waited for.
 * @returns Nothing when it cannot be read: it may be executed all the same.
 */
export function startBytes(path: string, bytesMax: number): Buffer | undefined {
  const bytes = Buffer.alloc(bytesMax);
  try {
    const file = openSync(path, "r");
    try {
      return bytes.subarray(0, readSync(file, bytes));
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}
