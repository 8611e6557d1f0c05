/**
 * Tells the folder of a function from the bootstrap behind `--`.
 *
 * @module
 */

import type { Command } from "commander";

import { CommandError } from "./exit-status.ts";

/** What stands before and behind `--`. */
export interface SplitCommand {
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
