/**
 * The variables that the tool was started with.
 *
 * `process.env` has all of them only where Bun runs the sources. The compiled tool hides from Bun what
 * would configure it, such as BUN_OPTIONS (build/prefetch/README.md): that is the user's, for the programs
 * that the tool starts.
 *
 * @see https://man7.org/linux/man-pages/man5/proc_pid_environ.5.html
 * @module
 */

import { readFileSync } from "node:fs";

/** Returns them by name; of a name that was there twice the first value counts, as for getenv(3). */
export function startVariables(): Readonly<Record<string, string | undefined>> {
  return { ...parseEnvironment(ownRecord()), ...process.env };
}

function ownRecord(): string {
  try {
    return readFileSync("/proc/self/environ", "utf8");
  } catch {
    // Not Linux, or without /proc: the compiled tool runs on Linux only.
    return "";
  }
}

/** Reads entries `NAME=value`, each ended by a NUL; what is not of that form is left out. */
export function parseEnvironment(block: string): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const entry of block.split("\0")) {
    const at = entry.indexOf("=");
    const name = entry.slice(0, Math.max(at, 0));
    if (name !== "" && !Object.hasOwn(variables, name)) variables[name] = entry.slice(at + 1);
  }
  return variables;
}
