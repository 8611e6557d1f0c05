/**
 * What a shell reports when it has loaded a script: point 2 of the fork server's protocol.
 *
 * @module
 */

import type { ShellState } from "./event-script.ts";
import { lazy } from "./lazy.ts";

/** ERR and DEBUG as `trap` lists them: the action, quoted in the shell's way, then the name. */
const trapLines = lazy(
  () => /^trap -- ((?:'[^']*'|\\'|"'+"|\$'(?:[^'\\]|\\.)*'|[\w@%+=:,./-])+ (?:ERR|DEBUG))$/gms,
);

/** What the shell said. */
export interface LoadReport {
  /** Status of the script's last command. */
  readonly status: number;
  /** What `command -V` says of the function's name. */
  readonly description: string;
  readonly state: ShellState;
}

/**
 * Reads a report.
 * @param stateToken The line in front of the state.
 * @param posixlyCorrect POSIXLY_CORRECT as the shell inherited it.
 */
export function parseLoadReport(
  text: string,
  stateToken: string,
  posixlyCorrect: string | undefined,
): LoadReport {
  const marker = `\n${stateToken}\n`;
  const traps = text.slice(0, text.indexOf(marker));
  const start = traps.length + marker.length;
  const end = text.indexOf("\n", start);
  const [status = "", flags = "", shellOptions = "", bashOptions = ""] = text
    .slice(start, end)
    .split(" ");
  return {
    status: Number(status),
    description: text.slice(end).trimStart(),
    state: {
      flags,
      isBash: bashOptions !== "",
      isPosix: shellOptions.split(":").includes("posix"),
      bashOptions: bashOptions.split(":"),
      posixlyCorrect,
      traps: trapsIn(traps, flags),
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
