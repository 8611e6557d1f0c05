/**
 * Tells when files of a folder have changed, a little after the last of them.
 *
 * @module
 */

import { type FSWatcher, realpathSync, statSync, watch } from "node:fs";
import { basename, dirname, join, sep } from "node:path";

import { warn } from "../cli/terminal.ts";
import { folderFiles } from "../function/files.ts";

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

/** Watches them; {@link renew} finds the links anew. */
class OutsideWatch {
  readonly #directory: string;
  readonly #named: readonly string[];
  readonly #onChange: (file: string) => void;
  /** By what is watched: the name in the folder and the path that it leads to. */
  readonly #watchers = new Map<string, FSWatcher | undefined>();

  /**
   * @param named Further files, absolute; one that lies in the folder is not watched twice.
   * @param onChange Gets the link, relative to the folder, or the absolute path of a named file.
   */
  constructor(directory: string, named: readonly string[], onChange: (file: string) => void) {
    this.#directory = directory;
    this.#named = named;
    this.#onChange = onChange;
    this.renew();
  }

  /** Watches links that are new and leaves those that are gone. */
  renew(): void {
    const wanted = new Map<string, () => FSWatcher>();
    for (const { file, path } of [...this.#links(), ...this.#namedOutside()]) {
      wanted.set(`${file}\0${path}`, () => this.#watch(file, path));
    }
    for (const [key, watcher] of this.#watchers) {
      if (wanted.has(key)) continue;
      watcher?.close();
      this.#watchers.delete(key);
    }
    for (const [key, start] of wanted) {
      if (!this.#watchers.has(key)) this.#watchers.set(key, started(key, start));
    }
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher?.close();
    this.#watchers.clear();
  }

  *#links(): Generator<{ readonly file: string; readonly path: string }> {
    const root = realPath(this.#directory) ?? this.#directory;
    for (const { kind, path: file } of folderFiles(this.#directory)) {
      if (kind !== "symlink") continue;
      const path = realPath(join(this.#directory, file));
      // A link to the folder itself or above it would be a watch without end.
      if (path === undefined || within(root, path) || within(path, root)) continue;
      yield { file, path };
    }
  }

  *#namedOutside(): Generator<{ readonly file: string; readonly path: string }> {
    for (const path of this.#named) if (!within(path, this.#directory)) yield { file: path, path };
  }

  #watch(file: string, path: string): FSWatcher {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
      return watch(path, { recursive: true }, (_event, name) => {
        this.#onChange(name === null ? file : `${file}/${name}`);
      });
    }
    // Editors write a new file and rename it, which a watch of the file itself would not outlive.
    return watch(dirname(path), (_event, name) => {
      if (name === basename(path)) this.#onChange(file);
    });
  }
}

function started(key: string, start: () => FSWatcher): FSWatcher | undefined {
  const [file = ""] = key.split("\0");
  const complain = (error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    warn(`warning: failed to watch ${file}: ${reason}`);
  };
  try {
    return start().on("error", complain);
  } catch (error) {
    complain(error);
    return undefined;
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
