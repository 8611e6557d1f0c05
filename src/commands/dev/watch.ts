/**
 * Tells when files of a folder have changed, and for which of the changes a function is reloaded.
 *
 * @module
 */

import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";

import { watch } from "chokidar";

import type { FunctionPool } from "../../host/function/function-pool.ts";
import { say } from "../cli/terminal.ts";

/** What is never part of a function, and what editors leave while they write. */
const IGNORED = /(^|\/)(\.git|\.aws-sam)(\/|$)|~$|\.sw[a-z]$/;

/** Packages of Node.js: thousands of files, which a shell function seldom loads. */
const NODE_MODULES = /(^|\/)node_modules(\/|$)/;

/** A folder that is watched. */
export interface FolderWatch {
  /** Fulfilled when every change from then on is noticed. */
  readonly ready: Promise<void>;
  readonly close: () => void;
}

/**
 * Watches a folder, everything below it, and what links in it lead to.
 * @param named Further files and folders, absolute; they need not be there yet.
 * @param onChange Gets each file that has changed, relative to the folder; named ones absolute.
 * @param nodeModules Whether folders of that name are watched too.
 */
export function watchFolder(
  directory: string,
  named: readonly string[],
  onChange: (file: string) => void,
  nodeModules: boolean,
): FolderWatch {
  const root = realPath(directory) ?? directory;
  const shown = (path: string) => (within(path, directory) ? relative(directory, path) : path);
  const roots = [directory, ...named];
  const watcher = watch(roots, {
    ignoreInitial: true,
    ignored: (path) => isIgnored(path) || isCircular(path),
  });
  watcher.on("all", (_event, path) => onChange(shown(path)));
  watcher.on("error", (error) => {
    say(
      "warning",
      `failed to watch ${directory}: ${error instanceof Error ? error.message : error}`,
    );
  });
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  watcher.on("ready", resolve);
  return { ready, close: () => void watcher.close() };

  /** By what lies below the folder that is watched: that may stand anywhere itself. */
  function isIgnored(path: string): boolean {
    const folder = roots.find((each) => within(path, each)) ?? "/";
    const below = relative(folder, path);
    return IGNORED.test(below) || (!nodeModules && NODE_MODULES.test(below));
  }

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

/** Changes within this time of one another are one reload, in milliseconds; editors write in steps. */
const QUIET_MS = 100;

/** Longest wait for the end of changes that go on and on, in milliseconds. */
const UNQUIET_MS = 500;

/**
 * Changes of a file in a row, all while an event runs or all while the function is loaded, after which
 * they count as the function's own: then it is not reloaded in the midst of its work.
 */
const OWN_CHANGES_MAX = 5;

/** How long a function must have nothing to do before it is reloaded for a file of its own, in milliseconds. */
const IDLE_MS = 1_000;

/** Longest wait for that, in milliseconds: under requests without a pause it never comes. */
const IDLE_WAIT_MS = 10_000;

/** Collects changes until it is quiet, and tells the user's from those that the function makes itself. */
export class Changes {
  readonly #pool: Pick<FunctionPool, "inFlight" | "counts">;
  readonly #isUsers: (file: string) => boolean;
  readonly #reload: (files: readonly string[]) => Promise<void>;
  readonly #changed = new Set<string>();
  #timer: Timer | undefined;
  #sinceMs = 0;
  /** Changes while an event ran, and while the function was loaded, since the last one without either. */
  readonly #duringEvents = new Map<string, number>();
  readonly #duringStarts = new Map<string, number>();
  /** Files for which it is reloaded when it is idle. */
  readonly #waiting = new Set<string>();
  #idleTimer: Timer | undefined;
  #waitingSinceMs = 0;
  /** Files for which it was last reloaded when all was quiet: a change in that start is its own. */
  readonly #reloadedIdle = new Set<string>();
  /** Files that it writes whenever it is loaded. */
  readonly #writtenAtStart = new Set<string>();

  /**
   * @param isUsers True for a file that the function never writes.
   * @param reload Reloads the function for files that have changed.
   */
  constructor(
    pool: Pick<FunctionPool, "inFlight" | "counts">,
    isUsers: (file: string) => boolean,
    reload: (files: readonly string[]) => Promise<void>,
  ) {
    this.#pool = pool;
    this.#isUsers = isUsers;
    this.#reload = reload;
  }

  /** Notes that a file has changed. */
  note(file: string): void {
    switch (this.#cause(file)) {
      case "user":
        return this.#collect(file);
      case "event":
        return this.#wait(file);
      case "start":
        if (!this.#writtenAtStart.has(file)) this.#wait(file);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#idleTimer);
  }

  #collect(file: string): void {
    const nowMs = performance.now();
    if (this.#changed.size === 0) this.#sinceMs = nowMs;
    this.#changed.add(file);
    clearTimeout(this.#timer);
    const waitMs = Math.max(0, Math.min(QUIET_MS, this.#sinceMs + UNQUIET_MS - nowMs));
    this.#timer = setTimeout(() => this.#take(this.#changed), waitMs);
  }

  /** Who seems to have changed a file. */
  #cause(file: string): "user" | "event" | "start" {
    const { inFlight, counts } = this.#pool;
    if (this.#isUsers(file)) return "user";
    if (inFlight > 0) {
      const count = increment(this.#duringEvents, file);
      if (count === OWN_CHANGES_MAX + 1) {
        say("warning", `${file} changes while events run: it is reloaded for that when it is idle`);
      }
      return count > OWN_CHANGES_MAX ? "event" : "user";
    }
    if (counts.starting > 0) {
      const count = increment(this.#duringStarts, file);
      if (this.#reloadedIdle.has(file) && !this.#writtenAtStart.has(file)) {
        this.#writtenAtStart.add(file);
        say(
          "warning",
          `${file} is written when the function is loaded: it is not reloaded for that`,
        );
      }
      return count > OWN_CHANGES_MAX ? "start" : "user";
    }
    this.#duringEvents.delete(file);
    this.#duringStarts.delete(file);
    this.#reloadedIdle.delete(file);
    this.#writtenAtStart.delete(file);
    return "user";
  }

  /** Lets a change wait for a pause of the function's work. */
  #wait(file: string): void {
    if (this.#waiting.size === 0) this.#waitingSinceMs = performance.now();
    this.#waiting.add(file);
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      const { inFlight, counts } = this.#pool;
      const waitedMs = performance.now() - this.#waitingSinceMs;
      if (inFlight + counts.starting > 0 && waitedMs < IDLE_WAIT_MS) return this.#wait(file);
      for (const each of this.#waiting) this.#reloadedIdle.add(each);
      this.#take(this.#waiting);
    }, IDLE_MS);
  }

  #take(files: Set<string>): void {
    const taken = [...files];
    files.clear();
    void this.#reload(taken);
  }
}

function increment(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}
