/**
 * Looks at a script that could not be loaded, for the words of the error.
 *
 * @module
 */

import type { ForkServerOptions } from "./fork-server.ts";
import { readScript } from "./handler-files.ts";
import { close, openFile, pipe, read } from "./libc.ts";
import type { Poller } from "./poller.ts";
import { endOf, type ExitStatus, forget, openProcess } from "./process.ts";
import { spawn } from "./spawn.ts";

/** Longest text of a shell about a syntax error, in bytes. */
const TEXT_BYTES_MAX = 4 * 1024;

/** What the handler's own shell says of the script's syntax (`sh -n`); undefined if it is right. */
export function syntaxError(
  { handler, environment, taskRoot }: ForkServerOptions,
  poller: Poller,
): string | undefined {
  const { path, options } = handler.shell;
  const nothing = openFile("/dev/null");
  const [readEnd, writeEnd] = pipe();
  const pid = spawn({
    path,
    argv: [path, ...options, "-n", handler.script],
    environment,
    cwd: taskRoot,
    stdio: [nothing, writeEnd, writeEnd],
  });
  close(nothing);
  close(writeEnd);
  const text = readText(readEnd, poller);
  close(readEnd);
  const end = waitForEnd(pid, poller);
  if (end?.kind === "exited" && end.status === 0) return undefined;
  const hasCarriageReturns = readScript(handler.script).includes("\r\n");
  const hint = hasCarriageReturns
    ? ` (it has CRLF line ends: convert it to LF, for example with sed -i 's/\\r$//')`
    : "";
  return `${text.trim()}${hint}`;
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
  const descriptor = openProcess(pid);
  poller.waitReadable(descriptor);
  close(descriptor);
  const end = endOf(pid);
  forget(pid);
  return end;
}
