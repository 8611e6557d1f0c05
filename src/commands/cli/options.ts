/**
 * What commands share in reading their arguments: a folder and a bootstrap, ports, times, addresses.
 *
 * Numbers and times are checked before anything listens: one that is wrong found later would leave a
 * server that nobody can use.
 *
 * @module
 */

import type { Command } from "commander";

import { ASYNC_RETRIES } from "../../host/function/async-invoker.ts";
import { parseTime } from "../function/settings.ts";
import { CommandError } from "./exit-status.ts";

/** A setting's text with the option or variable that it comes from; absent where nothing is said. */
type Written = readonly [origin: string, text: string | undefined];

/**
 * The port that was written down first.
 * @throws {CommandError} When it is none.
 */
export function portNumber(places: readonly Written[], fallback: number): number {
  const [origin, text] = places.find(([, each]) => each !== undefined) ?? [];
  if (origin === undefined || text === undefined) return fallback;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= PORT_MAX) return port;
  throw new CommandError(`${origin}: "${text}" is no port from 0 to ${PORT_MAX}`);
}

const PORT_MAX = 65_535;

/**
 * The time of `--grace`, in milliseconds.
 * @throws {CommandError} When it is none.
 */
export function graceMs(text: string): number {
  const ms = parseTime(text);
  if (ms === undefined) throw new CommandError(`--grace: "${text}" is no time: 10, 500ms, 1m30s`);
  return ms;
}

/**
 * The number of `--async-retries`, with Lambda's bounds.
 * @throws {CommandError} When it is none.
 */
export function asyncRetries(text: string): number {
  const retries = Number(text);
  if (/^\d+$/.test(text) && retries <= ASYNC_RETRIES) return retries;
  throw new CommandError(
    `--async-retries: "${text}" is no whole number from 0 to ${ASYNC_RETRIES}`,
  );
}

/** What stands before and behind `--`. */
interface SplitCommand {
  readonly directory: string;
  /** The bootstrap with its arguments; empty when none is named. */
  readonly bootstrap: readonly string[];
}

/** Folders before `--`, `.` when there is none, and the bootstrap behind it. */
export function splitFolders(command: Command): {
  readonly directories: readonly string[];
  readonly bootstrap: readonly string[];
} {
  // Commander drops `--`, so its place is found again in the raw arguments.
  const raw = rawArguments(command);
  const at = raw.indexOf("--");
  const bootstrap = at === -1 ? [] : raw.slice(at + 1);
  const directories = command.args.slice(0, command.args.length - bootstrap.length);
  return { directories: directories.length === 0 ? ["."] : directories, bootstrap };
}

/**
 * Splits the arguments of a command `[dir] [-- command…]`.
 * @throws {CommandError} When there is more than one folder.
 */
export function splitCommand(command: Command): SplitCommand {
  const { directories, bootstrap } = splitFolders(command);
  if (directories.length > 1) {
    throw new CommandError(
      `one folder at a time: ${directories.join(" ")}\n  a bootstrap goes behind --: -- CMD ARGS`,
    );
  }
  return { directory: directories[0] ?? ".", bootstrap };
}

function rawArguments(command: Command): readonly string[] {
  let root: Command = command;
  while (root.parent !== null) root = root.parent;
  return "rawArgs" in root && Array.isArray(root.rawArgs) ? root.rawArgs.map(String) : [];
}

/**
 * An address of http or https.
 * @param source Where it comes from, such as `--url`.
 * @throws {CommandError} When it is none.
 */
export function requireHttpUrl(text: string, source: string, example: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw new CommandError(`${source} ${text}: no address of http or https\n  write: ${example}`);
}
