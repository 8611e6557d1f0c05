/**
 * The variables of a function that the command line gives: `--env`, `--env-file`.
 *
 * @module
 */

import { parseEnv } from "node:util";

import { CommandError } from "../cli/exit-status.ts";
import { readInputFile } from "../cli/input.ts";
import { warn } from "../cli/terminal.ts";

/** Where the variables come from, each in the order in which it was given. */
export interface VariableOptions {
  readonly env?: readonly string[];
  readonly envFile?: readonly string[];
}

/**
 * Reads them; `--env` counts more than a file, and what is later more than what was before.
 * @throws {CommandError} When a file cannot be read or a name is none.
 */
export function functionVariables(options: VariableOptions): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const file of options.envFile ?? []) {
    const text = readInputFile(file, "--env-file").toString("utf8");
    for (const line of otherLines(text)) {
      // What stands there may be half of a secret.
      warn(`warning: --env-file ${file}: line ${line} is no NAME=VALUE and is left out`);
    }
    Object.assign(variables, definedOnly(parseEnv(text)));
  }
  for (const assignment of options.env ?? []) {
    const at = assignment.indexOf("=");
    const name = at === -1 ? assignment : assignment.slice(0, at);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new CommandError(`--env ${assignment}: not a variable name: "${name}"`);
    }
    const value = at === -1 ? process.env[name] : assignment.slice(at + 1);
    if (value !== undefined) variables[name] = value;
  }
  return variables;
}

/** An assignment as `parseEnv` reads it; a value in quotes may have several lines. */
const ASSIGNMENT =
  /^[ \t]*(?:export[ \t]+)?[\w.-]+(?:[ \t]*=|:[ \t])[ \t]*(?:'[^']*'|"(?:\\"|[^"])*"|`[^`]*`)?.*$/gm;

/** Numbers of the lines that are no assignment, comment or empty line, from 1. */
function otherLines(text: string): readonly number[] {
  const others = text.replace(ASSIGNMENT, (found) => found.replace(/[^\n]+/g, ""));
  return others
    .split("\n")
    .flatMap((line, at) => (/^\s*(#|$)/.test(line.replace("\ufeff", "")) ? [] : [at + 1]));
}

/** The members that have a value. */
export function definedOnly(
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}
