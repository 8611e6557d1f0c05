/**
 * Waits for changes in the folders of functions, so that their tests run again.
 *
 * @module
 */

import { watch } from "chokidar";

/** Changes within this time of one another count as one, in milliseconds. */
const DEBOUNCE_MS = 50;

/** What is never part of a function or its tests. */
const IGNORED = /(^|\/)(\.git|node_modules|\.aws-sam)(\/|$)|~$|\.sw[a-z]$/;

/** Folders that are watched. */
export interface WatchedFolders {
  /** Fulfilled at the next change, or at once when there was one since the last call. */
  readonly changed: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * Begins to watch; every change from then on is noticed.
 * @param isOwn True for a file that the tests' own reports go to.
 */
export async function watchFolders(
  directories: readonly string[],
  isOwn: (path: string) => boolean,
): Promise<WatchedFolders> {
  let next = Promise.withResolvers<void>();
  let timer: Timer | undefined;
  const watcher = watch([...directories], {
    ignoreInitial: true,
    ignored: (path) => IGNORED.test(path),
  });
  watcher.on("all", (_event, path) => {
    if (isOwn(path)) return;
    clearTimeout(timer);
    timer = setTimeout(() => next.resolve(), DEBOUNCE_MS);
  });
  await new Promise<void>((resolve) => watcher.on("ready", resolve));
  return {
    changed: async () => {
      await next.promise;
      next = Promise.withResolvers();
    },
    close: async () => {
      clearTimeout(timer);
      await watcher.close();
    },
  };
}
