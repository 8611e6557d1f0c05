/**
 * What a shell reports when it has loaded a script: point 2 of the fork server's protocol.
 *
 * @module
 */

import type { ShellState } from "./event-script.ts";

/** What the shell said. */
export interface LoadReport {
  /** Status of the script's last command. */
  readonly status: number;
  /** What `command -V` says of the function's name. */
  readonly description: string;
  readonly state: ShellState;
}

/**
 * Reads a report, past what a DEBUG trap may have written between its lines.
 * @param posixlyCorrect POSIXLY_CORRECT as the shell inherited it.
 */
export function parseLoadReport(text: string, posixlyCorrect: string | undefined): LoadReport {
  const line = firstLine(text);
  const [status = "", flags = "", shellOptions = "", bashOptions = ""] = line.split(" ");
  return {
    status: Number(status),
    description: text.slice(text.indexOf(line) + line.length).trimStart(),
    state: {
      flags,
      isBash: bashOptions !== "",
      isPosix: shellOptions.split(":").includes("posix"),
      inheritsErrexit: bashOptions.split(":").includes("inherit_errexit"),
      posixlyCorrect,
    },
  };
}

/** The line that has the last status, $-, SHELLOPTS and BASHOPTS, which may be empty. */
function firstLine(text: string): string {
  for (const line of text.split("\n")) {
    const words = line.split(" ");
    if (words.length === 4 && words[0] !== "" && Number.isInteger(Number(words[0]))) return line;
  }
  return "";
}
