/**
 * The shells that every handler must work under, each by the shebang that names it.
 *
 * Handlers without a shebang run in /bin/sh: dash on Debian, bash as `sh` on Lambda. So that all
 * are tested on one machine, tests put a shebang above the handlers that have none.
 *
 * @module
 */

import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "./temporary-folder.ts";

/** The names of the shells, as cases and test titles use them. */
export type ShellName = "dash" | "bash" | "bash as sh" | "busybox ash" | "ksh93" | "mksh";

/** One shell under test. */
export interface Shell {
  readonly name: ShellName;
  /** First line of a handler for it, without the line end. */
  readonly shebang: string;
}

/** Where Debian and Amazon Linux have bash. */
const BASH = "/bin/bash";

/** A shell under another name, in a folder of its own. */
function named(name: string, path: string): string {
  const parent = temporaryFolder("shell");
  // For tests in which another user runs it.
  chmodSync(parent, 0o755);
  const folder = join(parent, "bin");
  mkdirSync(folder);
  symlinkSync(path, join(folder, name));
  return join(folder, name);
}

/** The shells of every test. */
export const SHELLS: readonly Shell[] = [
  { name: "dash", shebang: "#!/bin/dash" },
  { name: "bash", shebang: `#!${BASH}` },
  // Bash is POSIX-like when it is started under the name `sh`, as on Lambda.
  { name: "bash as sh", shebang: `#!${named("sh", BASH)}` },
  { name: "busybox ash", shebang: "#!/bin/busybox sh" },
];

/** Those of single cases. */
export const FURTHER_SHELLS: readonly Shell[] = [
  { name: "ksh93", shebang: `#!${named("ksh", "/bin/ksh93")}` },
  { name: "mksh", shebang: "#!/bin/mksh" },
];

/** Finds a shell by its name. */
export function shell(name: ShellName): Shell {
  const found = [...SHELLS, ...FURTHER_SHELLS].find((candidate) => candidate.name === name);
  if (found === undefined) throw new RangeError(`unknown shell ${name}`);
  return found;
}
