/**
 * The shells that every handler must work under, each by the shebang that names it.
 *
 * Handlers without a shebang run in /bin/sh: dash on Debian, bash as `sh` on Lambda. So that all
 * are tested on one machine, tests put a shebang above the handlers that have none.
 *
 * @module
 */

import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "./temporary-folder.ts";

/** The names of the shells, as cases and test titles use them. */
export type ShellName = "dash" | "bash" | "bash as sh" | "busybox ash";

/** One shell under test. */
export interface Shell {
  readonly name: ShellName;
  /** First line of a handler for it, without the line end. */
  readonly shebang: string;
}

/** Where Debian and Amazon Linux have bash. */
const BASH = "/bin/bash";

/** A folder on its own: bash is POSIX-like when it is started under the name `sh`, as on Lambda. */
function bashAsSh(): string {
  const folder = join(temporaryFolder("bash-as-sh"), "bin");
  mkdirSync(folder);
  symlinkSync(BASH, join(folder, "sh"));
  return join(folder, "sh");
}

/** Every shell under test. */
export const SHELLS: readonly Shell[] = [
  { name: "dash", shebang: "#!/bin/dash" },
  { name: "bash", shebang: `#!${BASH}` },
  { name: "bash as sh", shebang: `#!${bashAsSh()}` },
  { name: "busybox ash", shebang: "#!/bin/busybox sh" },
];

/** Finds a shell by its name. */
export function shell(name: ShellName): Shell {
  const found = SHELLS.find((candidate) => candidate.name === name);
  if (found === undefined) throw new RangeError(`unknown shell ${name}`);
  return found;
}
