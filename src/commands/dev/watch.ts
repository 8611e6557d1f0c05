/**
 * Tells when files of a folder have changed, a little after the last of them.
 *
 * @module
 */

import { watch } from "node:fs";

import { OutsideWatch } from "./outside-watch.ts";

/** Changes within this time of one another count as one, in milliseconds. */
const DEBOUNCE_MS = 50;

/** What is never part of a function. */
const IGNORED = /(^|\/)(\.git|node_modules|\.aws-sam)(\/|$)|~$|\.sw[a-z]$|\.zip$/;

/**
 * Watches a folder, everything below it, and what links in it lead to.
 * @param named Further files, absolute.
 * @param onChange Gets the files that have changed, relative to the folder; named ones absolute.
 */
export function watchFolder(
  directory: string,
  named: readonly string[],
  onChange: (files: readonly string[]) => void,
): { close(): void } {
  const changed = new Set<string>();
  let timer: Timer | undefined;
  const note = (file: string | null) => {
    if (file === null || IGNORED.test(file)) return;
    changed.add(file);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const files = [...changed];
      changed.clear();
      outside.renew();
      onChange(files);
    }, DEBOUNCE_MS);
  };
  const outside = new OutsideWatch(directory, named, note);
  const inside = watch(directory, { recursive: true }, (_event, file) => note(file));
  return {
    close: () => {
      clearTimeout(timer);
      inside.close();
      outside.close();
    },
  };
}
