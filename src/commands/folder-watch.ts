/**
 * Tells when files of a folder have changed, a little after the last of them.
 *
 * @module
 */

import { type FSWatcher, watch } from "node:fs";

/** Changes within this time of one another count as one, in milliseconds. */
const DEBOUNCE_MS = 50;

/** What is never part of a function. */
const IGNORED = /(^|\/)(\.git|node_modules|\.aws-sam)(\/|$)|~$|\.sw[a-z]$|\.zip$/;

/**
 * Watches a folder and everything below it.
 * @param onChange Gets the files that have changed, relative to the folder.
 */
export function watchFolder(
  directory: string,
  onChange: (files: readonly string[]) => void,
): FSWatcher {
  const changed = new Set<string>();
  let timer: Timer | undefined;
  return watch(directory, { recursive: true }, (_event, file) => {
    if (file === null || IGNORED.test(file)) return;
    changed.add(file);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const files = [...changed];
      changed.clear();
      onChange(files);
    }, DEBOUNCE_MS);
  });
}
