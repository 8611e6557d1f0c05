/**
 * Runs while the runtime is compiled: gives it the shell's side of the fork server as strings.
 *
 * As imports of text the same strings delay the start by 145 µs (measured).
 *
 * @see https://bun.com/docs/bundler/macros
 * @module
 */

import { readFileSync } from "node:fs";

/** In front of the lines that become one. */
const ONE_LINE = "  @ONE_LINE@\n";

/** The text of fork-server.sh or fork-server.bash without comments: a handler can see it in its shell's command line. */
export function forkServerText(name: "fork-server.sh" | "fork-server.bash"): string {
  const text = readFileSync(new URL(name, import.meta.url), "utf8");
  const lines = text.split("\n").filter((line) => !line.trimStart().startsWith("#"));
  const [load, loop] = lines.join("\n").trimEnd().split(ONE_LINE);
  const line = loop?.replace(/\n(?!\}$)\s*/g, " ");
  if (line === undefined) throw new Error(`failed to find the loop of ${name}`);
  return load + line;
}
