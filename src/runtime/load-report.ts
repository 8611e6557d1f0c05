/**
 * What a shell reports when it has loaded a script: point 2 of the fork server's protocol.
 *
 * @module
 */

import type { ShellState } from "./event-script.ts";
import { lazy } from "./lazy.ts";

/** ERR and DEBUG as `trap` lists them: the action in quotes, then the name. */
const trapLines = lazy(() => /^trap -- ((?:'[^']*'|\\'|"'+")+ (?:ERR|DEBUG))$/gm);

/** What the shell said. */
export interface LoadReport {
  /** Status of the script's last command. */
  readonly status: number;
  /** What `command -V` says of the function's name. */
  readonly description: string;
  readonly state: ShellState;
}

/**
 * Reads a report, past what a DEBUG trap may have written in front of its lines.
 * @param posixlyCorrect POSIXLY_CORRECT as the shell inherited it.
 */
export function parseLoadReport(text: string, posixlyCorrect: string | undefined): LoadReport {
  const line = stateLine(text);
  const [status = "", flags = "", shellOptions = "", bashOptions = ""] = line.split(" ");
  return {
    status: Number(status),
    description: text.slice(text.indexOf(line) + line.length).trimStart(),
    state: {
      flags,
      isBash: bashOptions !== "",
      isPosix: shellOptions.split(":").includes("posix"),
      bashOptions: bashOptions.split(":"),
      posixlyCorrect,
      traps: trapsIn(text.slice(0, text.indexOf(line)), flags),
    },
  };
}

/** The traps that a fork is to have again. It has no DEBUG trap unless it inherits it, by `set -T`. */
function trapsIn(text: string, flags: string): string[] {
  const traps: string[] = [];
  // Most scripts have none: then the expression is not even made.
  if (!text.includes("trap -- ")) return traps;
  for (const [, trap = ""] of text.matchAll(trapLines())) {
    if (trap.endsWith(" ERR") || flags.includes("T")) traps.push(trap);
  }
  return traps;
}

/** The line that has the last status, $-, SHELLOPTS and BASHOPTS, which may be empty. */
function stateLine(text: string): string {
  for (const line of text.split("\n")) {
    const words = line.split(" ");
    if (words.length === 4 && words[0] !== "" && Number.isInteger(Number(words[0]))) return line;
  }
  return "";
}
