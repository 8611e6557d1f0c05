/**
 * Tells when files of a folder have changed, a little after the last of them.
 *
 * @module
 */

import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";

import { watch } from "chokidar";

import { say } from "../cli/terminal.ts";

/** Changes within this time of one another count as one, in milliseconds. */
const DEBOUNCE_MS = 50;

/** What is never part of a function. */
const IGNORED = /(^|\/)(\.git|node_modules|\.aws-sam)(\/|$)|~$|\.sw[a-z]$|\.zip$/;

/** A folder that is watched. */
export interface FolderWatch {
  /** Fulfilled when every change from then on is noticed. */
  readonly ready: Promise<void>;
  readonly close: () => void;
}

/**
 * Watches a folder, everything below it, and what links in it lead to.
 * @param named Further files, absolute; they need not be there yet.
 * @param onChange Gets the files that have changed, relative to the folder; named ones absolute.
 */
export function watchFolder(
  directory: string,
  named: readonly string[],
  onChange: (files: readonly string[]) => void,
): FolderWatch {
  const root = realPath(directory) ?? directory;
  const changed = new Set<string>();
  let timer: Timer | undefined;
  const shown = (path: string) => (within(path, directory) ? relative(directory, path) : path);
  const watcher = watch([directory, ...named], {
    ignoreInitial: true,
    ignored: (path) => IGNORED.test(shown(path)) || isCircular(path),
  });
  watcher.on("all", (_event, path) => {
    changed.add(shown(path));
    clearTimeout(timer);
    timer = setTimeout(() => {
      const files = [...changed];
      changed.clear();
      onChange(files);
    }, DEBOUNCE_MS);
  });
  watcher.on("error", (error) => {
    say(
      "warning",
      `failed to watch ${directory}: ${error instanceof Error ? error.message : error}`,
    );
  });
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  watcher.on("ready", resolve);
  return {
    ready,
    close: () => {
      clearTimeout(timer);
      void watcher.close();
    },
  };

  /** True for a link to the folder itself or above it, which would be a watch without end. */
  function isCircular(path: string): boolean {
    const real = path === directory ? undefined : realPath(path);
    return real !== undefined && within(root, real);
  }
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** Whether a path is a folder or lies in it. */
function within(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
