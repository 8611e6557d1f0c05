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
  const line = text.split("\n").find(isFirstLine) ?? "";
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

/** The first line has the last status, $-, SHELLOPTS and BASHOPTS, which may be empty. */
function isFirstLine(line: string): boolean {
  const [status = "", ...rest] = line.split(" ");
  return status !== "" && Number.isInteger(Number(status)) && rest.length === 3;
}
