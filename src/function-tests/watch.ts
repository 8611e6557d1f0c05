/**
 * Waits for changes in the folders of functions, so that their tests run again.
 *
 * The watcher only says when to look: its notice of what a run has written may come after the run. Whether
 * something has changed is seen in the files themselves.
 *
 * @module
 */

import { type BigIntStats, readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

import { watch } from "chokidar";

import { say } from "../commands/cli/terminal.ts";

/** Changes within this time of one another count as one, in milliseconds. */
const DEBOUNCE_MS = 50;

/** What is never part of a function or its tests. */
const IGNORED = /(^|\/)(\.git|node_modules|\.aws-sam)(\/|$)|~$|\.sw[a-z]$/;

/** Each file with what tells one version of it from another. */
type FolderState = ReadonlyMap<string, string>;

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
  const written = new Set<string>();
  /** What changed in the run before, if nothing else was the reason for this one. */
  let reasons: ReadonlySet<string> = new Set();
  let noticed = Promise.withResolvers<void>();
  let timer: Timer | undefined;
  const watcher = watch([...directories], {
    ignoreInitial: true,
    ignored: (path) => IGNORED.test(path),
  });
  watcher.on("all", () => {
    clearTimeout(timer);
    timer = setTimeout(() => noticed.resolve(), DEBOUNCE_MS);
  });
  // Without a listener it would be thrown, and nothing noticed any more.
  watcher.on("error", (error) => {
    say("warning", `failed to watch all: ${error instanceof Error ? error.message : error}`);
  });
  await new Promise<void>((resolve) => watcher.on("ready", resolve));
  let known = folderState(directories, isOwn);

  /** What has changed since this was asked last. */
  function changes(): ReadonlySet<string> {
    const now = folderState(directories, isOwn);
    const paths = differences(known, now);
    known = now;
    return paths;
  }

  /** What has changed in the run that has ended, but for what the run before has changed as well. */
  function changedInRun(): ReadonlySet<string> {
    const paths = changes();
    for (const path of [...paths].filter((each) => reasons.has(each) && !written.has(each))) {
      written.add(path);
      onWritten(path);
    }
    return new Set([...paths].filter((path) => !written.has(path)));
  }

  return {
    changed: async (onWait) => {
      noticed = Promise.withResolvers();
      reasons = changedInRun();
      if (reasons.size > 0) return;
      onWait();
      do {
        await noticed.promise;
        noticed = Promise.withResolvers();
      } while (changes().size === 0);
    },
    close: async () => {
      clearTimeout(timer);
      await watcher.close();
    },
  };
}

/** The files in folders, links to folders followed. */
function folderState(
  directories: readonly string[],
  isOwn: (path: string) => boolean,
): FolderState {
  const state = new Map<string, string>();
  const visited = new Set<string>();
  const read = (directory: string): void => {
    try {
      const real = realpathSync(directory);
      if (visited.has(real)) return;
      visited.add(real);
      for (const name of readdirSync(directory)) {
        const path = join(directory, name);
        if (IGNORED.test(path) || isOwn(path)) continue;
        const status = statusOf(path);
        if (status?.isDirectory() === true) read(path);
        const { ino, size, mtimeNs, ctimeNs } = status ?? {};
        const isFile = status?.isFile() === true;
        state.set(path, isFile ? [ino, size, mtimeNs, ctimeNs].join(" ") : "no file");
      }
    } catch {
      // It has gone meanwhile, or may not be read: the next notice has us look again.
    }
  };
  for (const directory of directories) read(directory);
  return state;
}

/** Nothing of what has gone, or of a link that leads to itself. */
function statusOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/** The files that have changed, and the folders in which one has come or gone. */
function differences(before: FolderState, after: FolderState): ReadonlySet<string> {
  const paths = new Set<string>();
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(path), after.get(path)];
    if (was === is) continue;
    // Temporary files have other names in each run.
    paths.add(was === undefined || is === undefined ? dirname(path) : path);
  }
  return paths;
}
