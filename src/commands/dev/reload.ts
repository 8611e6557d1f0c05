/**
 * The reloads of `dev`: when files or settings of a function change.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { basename, isAbsolute, join, relative, resolve } from "node:path";

import { fileBytes, isRegularFile } from "../../file-facts.ts";
import type { FunctionPool } from "../../host/function/function-pool.ts";
import type { FunctionSettings } from "../../host/invocation/settings.ts";
import { isOwnLog } from "../../own-log.ts";
import { sayHints } from "../check.ts";
import { systemFault } from "../cli/ending.ts";
import { CommandError } from "../cli/exit-status.ts";
import { say } from "../cli/terminal.ts";
import { folderFiles } from "../function/files.ts";
import { functionHandler, localSyntaxError, stampOf } from "../function/handler.ts";
import type { FunctionOptions } from "../function/options.ts";
import { CONFIG_FILE } from "../function/settings.ts";
import { Changes, type FolderWatch, watchFolder } from "./watch.ts";

/** Options that name files which a function is made of. */
type FileOptions = Pick<FunctionOptions, "template" | "envFile">;

/**
 * Reloads a function when its files change; one that is broken keeps running as it was. Whatever is
 * saved is served: a change waits at most for further changes, or for the function's own work.
 * @param read Reads its settings again.
 */
export function watchFunction(
  pool: FunctionPool,
  options: FileOptions,
  read: () => FunctionSettings,
): FolderWatch {
  const { directory, command, layers } = pool.settings;
  const settings = [...settingFiles(options), join(directory, CONFIG_FILE)];
  // What a function is loaded from, no function writes.
  const isUsers = (file: string) => {
    const path = resolve(directory, file);
    return path === handlerScript(pool.settings) || settings.includes(path);
  };
  const changes = new Changes(pool, isUsers, (files) => reload(pool, files, read));
  const before = stamps(directory);
  const programs = command.filter((word) => isAbsolute(word) && isRegularFile(word));
  const others = [...settings, ...layers, ...programs];
  const outside = others.filter((path) => !path.startsWith(`${directory}/`));
  const note = (file: string) => {
    if (!isOwnLog(resolve(directory, file))) changes.note(file);
  };
  const watch = watchFolder(directory, outside, note, loadsModules(pool));
  const ready = watch.ready.then(() => {
    // What was saved while the watch began has not been seen by it.
    for (const [file, stamp] of stamps(directory)) if (before.get(file) !== stamp) note(file);
  });
  return {
    ready,
    close: () => {
      changes.close();
      watch.close();
    },
  };
}

/** What tells that a file of the folder has been saved. */
function stamps(directory: string): ReadonlyMap<string, string> {
  return new Map(folderFiles(directory).map(({ path }) => [path, stampOf(join(directory, path))]));
}

/** Whether the handler's script says that it loads packages of Node.js. */
function loadsModules({ settings }: FunctionPool): boolean {
  const script = handlerScript(settings);
  return script !== undefined && fileBytes(script)?.includes("node_modules") === true;
}

/** The file that the handler names; nothing when it names none. */
function handlerScript({ directory, handler }: FunctionSettings): string | undefined {
  const target = functionHandler(directory, handler);
  return target.kind === "rejected" ? undefined : target.script;
}

async function reload(
  pool: FunctionPool,
  changed: readonly string[],
  read: () => FunctionSettings,
): Promise<void> {
  const startedAtMs = performance.now();
  const { directory } = pool.settings;
  // Editors write a temporary file and rename it.
  const kept = changed.filter((file) => existsSync(resolve(directory, file)));
  const names = (kept.length > 0 ? kept : changed)
    .map((file) => (file === "" ? basename(directory) : shownPath(file)))
    .join(", ");
  const { settings, forRestart, wrong } = freshSettings(pool, read);
  if (wrong !== undefined) {
    say("info", `~ ${names} changed · invalid settings, still running the previous version`);
    return say("info", wrong.replace(/^/gm, "  "));
  }
  const broken = brokenHandler(settings);
  // Not waited for: a later reload must not overtake this one.
  void sayHints(settings);
  if (broken !== undefined) {
    say("info", `~ ${names} changed · syntax error, still running the previous version`);
    return say("info", broken.replace(/^/gm, "  "));
  }
  const { counts } = pool;
  pool.reload(settings);
  await untilReady([pool]);
  const isOver = () => pool.settings !== settings || pool.isStopped;
  if (isOver()) return;
  if (forRestart.length > 0) {
    say("warning", `restart dev to apply the change to: ${forRestart.join(", ")}`);
  }
  if (pool.counts.ready + pool.counts.busy === 0) {
    say("info", `~ ${names} changed · no worker ready yet`);
    await untilReady([pool], isOver);
  }
  if (isOver()) return;
  const ms = Math.round(performance.now() - startedAtMs);
  const living = counts.starting + counts.ready + counts.busy;
  const workers = living <= 1 ? "worker 1" : `${living} workers`;
  say("info", `~ ${names} changed · ${workers} restarted (${ms} ms)`);
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

/** Files that settings come from, absolute. */
function settingFiles({ template, envFile = [] }: FileOptions): readonly string[] {
  const named = [CONFIG_FILE, ...(template === undefined ? [] : [template]), ...envFile];
  return named.map((path) => resolve(path));
}

function shownPath(file: string): string {
  return isAbsolute(file) ? relative(process.cwd(), file) : file;
}

function brokenHandler({ directory, handler }: FunctionSettings): string | undefined {
  const target = functionHandler(directory, handler);
  if (target.kind !== "function") return undefined;
  return localSyntaxError(target)?.replaceAll(`${directory}/`, "");
}

/** How long a message waits for the first environment, in milliseconds. */
const READY_WAIT_MS = 2_000;

/**
 * Waits until each function has an environment that is ready, or has none that starts.
 * @param giveUp Ends the wait; without it the wait ends after a moment, and where nothing starts.
 */
export async function untilReady(
  pools: readonly FunctionPool[],
  giveUp?: () => boolean,
): Promise<void> {
  const untilMs = performance.now() + READY_WAIT_MS;
  const isReady = ({ counts }: FunctionPool) => counts.ready + counts.busy > 0;
  const isOver = () =>
    giveUp === undefined
      ? performance.now() > untilMs ||
        !pools.some((pool) => !isReady(pool) && pool.counts.starting > 0)
      : giveUp() || pools.every(isReady);
  do await Bun.sleep(giveUp === undefined ? 1 : READY_POLL_MS);
  while (!isOver());
}

/** How often is looked whether an environment that takes long is ready, in milliseconds. */
const READY_POLL_MS = 20;

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
