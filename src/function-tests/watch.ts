/**
 * Waits for changes in the folders of functions, so that their tests run again.
 *
 * @module
 */

import { dirname } from "node:path";

import { watch } from "chokidar";

/** Changes within this time of one another count as one, in milliseconds. */
const DEBOUNCE_MS = 50;

/** What is never part of a function or its tests. */
const IGNORED = /(^|\/)(\.git|node_modules|\.aws-sam)(\/|$)|~$|\.sw[a-z]$/;

/** Folders that are watched while tests run again and again. */
export interface WatchedFolders {
  /**
   * Called when a run has ended; fulfilled at the next change, or at once when there was one in the run. What
   * the run itself has written does not count.
   * @param onWait Called when nothing has changed in the run: from then on every change counts.
   */
  readonly changed: (onWait: () => void) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * Begins to watch; every change from then on is noticed.
 * @param isOwn True for a file that the tests' own reports go to.
 * @param onWritten Gets a file, or a folder, that the functions turn out to write in, the first time.
 */
export async function watchFolders(
  directories: readonly string[],
  isOwn: (path: string) => boolean,
  onWritten: (path: string) => void,
): Promise<WatchedFolders> {
  /** What has changed since it was last looked at: files, and folders in which something came or went. */
  const changes = new Set<string>();
  const written = new Set<string>();
  /** What changed in the run before, if nothing else was the reason for this one. */
  let reasons: ReadonlySet<string> = new Set();
  let next = Promise.withResolvers<void>();
  let timer: Timer | undefined;
  const watcher = watch([...directories], {
    ignoreInitial: true,
    ignored: (path) => IGNORED.test(path),
  });
  watcher.on("all", (event, path) => {
    if (isOwn(path)) return;
    // Temporary files have other names in each run.
    changes.add(event === "change" ? path : dirname(path));
    clearTimeout(timer);
    timer = setTimeout(() => next.resolve(), DEBOUNCE_MS);
  });
  await new Promise<void>((resolve) => watcher.on("ready", resolve));

  /** What has changed in the run that has ended, but for what the run before has changed as well. */
  function changedInRun(): ReadonlySet<string> {
    for (const path of [...changes].filter((each) => reasons.has(each) && !written.has(each))) {
      written.add(path);
      onWritten(path);
    }
    const others = new Set([...changes].filter((path) => !written.has(path)));
    changes.clear();
    return others;
  }

  return {
    changed: async (onWait) => {
      await Bun.sleep(DEBOUNCE_MS);
      clearTimeout(timer);
      next = Promise.withResolvers();
      reasons = changedInRun();
      if (reasons.size > 0) return;
      onWait();
      await next.promise;
      changes.clear();
    },
    close: async () => {
      clearTimeout(timer);
      await watcher.close();
    },
  };
}
