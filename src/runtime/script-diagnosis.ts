/**
 * Looks at a script that could not be loaded, for the words of the error.
 *
 * @module
 */

import { readScript } from "./handler-files.ts";
import { close, fileType, pipe, read, SystemError } from "./libc.ts";
import type { Poller } from "./poller.ts";
import { endOf, type ExitStatus, forget, openProcess } from "./process.ts";
import { type ShellOptions, spawnShell } from "./shell-process.ts";

/** What is wrong with a file that has NUL bytes: some shells leave them out, some stop there. */
export const NOT_A_TEXT = "it has NUL bytes, so it is not a script";
/** Longest text of a shell about a syntax error, in bytes. */
const TEXT_BYTES_MAX = 4 * 1024;
/** Has bash know what a script may turn on; other shells refuse it. */
const EXTENDED_PATTERNS = ["-O", "extglob"];
/** The shell that most scripts are written for that another shell cannot read. */
const BASH = "/bin/bash";

/**
 * What the handler's own shell says of the script's syntax (`sh -n`), if it said the same when it loaded the
 * script: that may turn on syntax that the check does not know (`shopt -s extglob`), or return before the end
 * of the file. Undefined also if that shell cannot be started now.
 * @param lines The last lines that the shell wrote while it loaded the script.
 */
export function syntaxError(
  options: ShellOptions,
  lines: readonly string[],
  poller: Poller,
): string | undefined {
  if (lines.length === 0) return undefined;
  for (const further of [[], EXTENDED_PATTERNS]) {
    const text = complaint(options, further, poller);
    if (text === undefined) return undefined;
    if (!text.split(/\r?\n/).some((line) => isSaid(line, lines))) continue;
    return `${text.trim()}${hint(text, options, poller)}`;
  }
  return undefined;
}

/** What to do about a script that its shell cannot read, where that can be seen. */
function hint(text: string, options: ShellOptions, poller: Poller): string {
  const { handler } = options;
  // What a shell says of itself is not about the script.
  if (!text.includes(handler.script)) return "";
  const script = readScript(handler.script);
  if (script.includes("\r\n"))
    return ` (it has CRLF line ends: convert it to LF, for example with sed -i 's/\\r$//')`;
  if (script.includes("\0")) return ` (${NOT_A_TEXT})`;
  if (fileType(BASH) !== "file") return "";
  const bash = { ...options, handler: { ...handler, shell: { path: BASH, options: [] } } };
  return complaint(bash, [], poller) === undefined
    ? ` (bash can read it: begin the file with #!${BASH})`
    : "";
}

/** What a shell says that only reads the script; undefined if it has no complaint. */
function complaint(
  options: ShellOptions,
  further: readonly string[],
  poller: Poller,
): string | undefined {
  const [readEnd, writeEnd] = pipe();
  const pid = startCheck(options, further, writeEnd);
  close(writeEnd);
  const text = readText(readEnd, poller);
  close(readEnd);
  const end = pid === undefined ? undefined : waitForEnd(pid, poller);
  return end === undefined || (end.kind === "exited" && end.status === 0) ? undefined : text;
}

/** Whether the words of a line, which follow names of files and lines in them, are among others. */
function isSaid(line: string, lines: readonly string[]): boolean {
  const words = line.slice(line.lastIndexOf(": ") + 1);
  return words !== "" && lines.some((other) => other.endsWith(words));
}

function startCheck(
  options: ShellOptions,
  further: readonly string[],
  output: number,
): number | undefined {
  try {
    return spawnShell(options, [...further, "-n", options.handler.script], output);
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

function readText(descriptor: number, poller: Poller): string {
  const chunk = Buffer.alloc(TEXT_BYTES_MAX);
  let text = "";
  for (;;) {
    poller.waitReadable(descriptor);
    const count = read(descriptor, chunk);
    if (count <= 0) return text;
    if (text.length < TEXT_BYTES_MAX) text += chunk.toString("utf8", 0, count);
  }
}

function waitForEnd(pid: number, poller: Poller): ExitStatus | undefined {
  // Another end may have had it collected while its text was read.
  if (endOf(pid) === undefined) {
    const descriptor = openProcess(pid);
    poller.waitReadable(descriptor);
    close(descriptor);
  }
  const end = endOf(pid);
  forget(pid);
  return end;
}
