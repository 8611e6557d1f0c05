/**
 * The reloads of `dev`: when files or settings of a function change.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { isAbsolute, relative, resolve } from "node:path";

import type { FunctionPool } from "../../host/function/function-pool.ts";
import type { FunctionSettings } from "../../host/invocation/settings.ts";
import { systemFault } from "../cli/ending.ts";
import { CommandError } from "../cli/exit-status.ts";
import { say } from "../cli/terminal.ts";
import { functionHandler, syntaxError } from "../function/handler.ts";
import type { FunctionOptions } from "../function/options.ts";
import { CONFIG_FILE } from "../function/settings.ts";
import { type FolderWatch, watchFolder } from "./watch.ts";

/** Options that name files of settings. */
type SettingFileOptions = Pick<FunctionOptions, "template" | "envFile">;

/**
 * Reloads a function when its files change; one that is broken keeps running as it was.
 * @param read Reads its settings again.
 */
export function watchFunction(
  pool: FunctionPool,
  options: SettingFileOptions,
  read: () => FunctionSettings,
): FolderWatch {
  const guard = new ReloadGuard();
  const { directory } = pool.settings;
  return watchFolder(directory, settingFiles(options), (files) => {
    const verdicts = files.map((file) => [file, guard.note(file, performance.now())] as const);
    for (const [file, verdict] of verdicts) {
      if (verdict !== "give-up") continue;
      say(
        "warning",
        `${file} changes all the time; it is written by the function and not watched any more`,
      );
    }
    const changed = verdicts.filter(([, verdict]) => verdict === "reload").map(([file]) => file);
    if (changed.length > 0) void reload(pool, changed, read);
  });
}

async function reload(
  pool: FunctionPool,
  changed: readonly string[],
  read: () => FunctionSettings,
): Promise<void> {
  const startedAtMs = performance.now();
  const { counts } = pool;
  const { directory } = pool.settings;
  // Editors write a temporary file and rename it.
  const kept = changed.filter((file) => existsSync(resolve(directory, file)));
  const names = (kept.length > 0 ? kept : changed).map(shownPath).join(", ");
  const { settings, forRestart, wrong } = freshSettings(pool, read);
  if (wrong !== undefined) {
    say("info", `~ ${names} changed · wrong settings, the old version keeps running`);
    return say("info", wrong.replace(/^/gm, "  "));
  }
  const broken = brokenHandler(settings);
  if (broken !== undefined) {
    say("info", `~ ${names} changed · syntax error, the old version keeps running`);
    return say("info", broken.replace(/^/gm, "  "));
  }
  pool.reload(settings);
  await untilReady([pool]);
  const ms = Math.round(performance.now() - startedAtMs);
  const living = counts.starting + counts.ready + counts.busy;
  const workers = living <= 1 ? "worker 1" : `${living} workers`;
  if (pool.counts.ready + pool.counts.busy > 0)
    say("info", `~ ${names} changed · ${workers} restarted (${ms} ms)`);
  if (forRestart.length > 0) {
    say("warning", `what has changed of ${forRestart.join(", ")} takes a restart of dev`);
  }
}

/** Reads the settings again; those that are wrong are told instead. */
function freshSettings(
  pool: FunctionPool,
  read: () => FunctionSettings,
): ReloadedSettings & { readonly wrong?: string } {
  try {
    return reloadedSettings(pool.settings, read());
  } catch (error) {
    const wrong = error instanceof CommandError ? error.message : systemFault(error)?.fact;
    if (wrong === undefined) throw error;
    return { settings: pool.settings, forRestart: [], wrong };
  }
}

/** Files outside the folders that settings come from. */
function settingFiles({ template, envFile = [] }: SettingFileOptions): readonly string[] {
  const named = [CONFIG_FILE, ...(template === undefined ? [] : [template]), ...envFile];
  return named.map((path) => resolve(path));
}

function shownPath(file: string): string {
  return isAbsolute(file) ? relative(process.cwd(), file) : file;
}

function brokenHandler({ directory, handler }: FunctionSettings): string | undefined {
  const target = functionHandler(directory, handler);
  if (target.kind !== "function") return undefined;
  return syntaxError(target)?.replaceAll(`${directory}/`, "");
}

/** How long a message waits for the first environment, in milliseconds. */
const READY_WAIT_MS = 2_000;

/** Waits until each function has an environment that is ready, or has none that starts. */
export async function untilReady(pools: readonly FunctionPool[]): Promise<void> {
  const untilMs = performance.now() + READY_WAIT_MS;
  const starting = () => pools.some(({ counts }) => counts.ready === 0 && counts.starting > 0);
  do await Bun.sleep(1);
  while (starting() && performance.now() < untilMs);
}

/** Reloads by one file within the window after which it is no longer watched. */
const RELOADS_MAX = 5;

/** Length of the window, in milliseconds. */
const WINDOW_MS = 2_000;

/** Counts reloads per file, to notice those that the function itself keeps writing. */
class ReloadGuard {
  readonly #times = new Map<string, number[]>();
  readonly #ignored = new Set<string>();

  /**
   * Notes that a file has changed.
   * @param nowMs Monotonic time, in milliseconds.
   * @returns "reload", "ignore" from now on without words, or "give-up" the first time it is too
   * much.
   */
  note(file: string, nowMs: number): "reload" | "ignore" | "give-up" {
    if (this.#ignored.has(file)) return "ignore";
    const recent = (this.#times.get(file) ?? []).filter((time) => nowMs - time < WINDOW_MS);
    recent.push(nowMs);
    this.#times.set(file, recent);
    if (recent.length <= RELOADS_MAX) return "reload";
    this.#ignored.add(file);
    return "give-up";
  }
}

/** What the host has built upon since it was started, as users call it. */
const FIXED = [
  ["name", "the name"],
  ["directory", "the folder"],
  ["region", "the region"],
  ["environments", "workers"],
  ["environmentsMin", "workers"],
] as const satisfies readonly (readonly [keyof FunctionSettings, string])[];

/** The new settings as far as they can be taken, and what waits for a restart. */
interface ReloadedSettings {
  readonly settings: FunctionSettings;
  readonly forRestart: readonly string[];
}

/** Takes new settings for old ones. */
function reloadedSettings(old: FunctionSettings, fresh: FunctionSettings): ReloadedSettings {
  const differing = FIXED.filter(([key]) => old[key] !== fresh[key]).map(([, words]) => words);
  const { name, directory, region, environments, environmentsMin } = old;
  const { environmentsMin: _, ...changeable } = fresh;
  const kept = { name, directory, region, environments };
  return {
    settings: {
      ...changeable,
      ...kept,
      ...(environmentsMin === undefined ? {} : { environmentsMin }),
    },
    forRestart: [...new Set(differing)],
  };
}
