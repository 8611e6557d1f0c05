/**
 * Looks at a script that could not be loaded, for the words of the error.
 *
 * @module
 */

import { readScript } from "./handler-files.ts";
import { close, pipe, read, SystemError } from "./libc.ts";
import type { Poller } from "./poller.ts";
import { endOf, type ExitStatus, forget, openProcess } from "./process.ts";
import { type ShellOptions, spawnShell } from "./shell-process.ts";

/** Longest text of a shell about a syntax error, in bytes. */
const TEXT_BYTES_MAX = 4 * 1024;

/**
 * What the handler's own shell says of the script's syntax (`sh -n`); undefined if it is right, or if
 * that shell cannot be started now.
 */
export function syntaxError(options: ShellOptions, poller: Poller): string | undefined {
  const { handler } = options;
  const [readEnd, writeEnd] = pipe();
  const pid = startCheck(options, writeEnd);
  close(writeEnd);
  const text = readText(readEnd, poller);
  close(readEnd);
  const end = pid === undefined ? undefined : waitForEnd(pid, poller);
  if (end === undefined || (end.kind === "exited" && end.status === 0)) return undefined;
  const hasCarriageReturns = readScript(handler.script).includes("\r\n");
  const hint = hasCarriageReturns
    ? ` (it has CRLF line ends: convert it to LF, for example with sed -i 's/\\r$//')`
    : "";
  return `${text.trim()}${hint}`;
}

function startCheck(options: ShellOptions, output: number): number | undefined {
  try {
    return spawnShell(options, ["-n", options.handler.script], output);
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
