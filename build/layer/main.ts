/**
 * The end of every program of the build: an error is one line that says what failed, why, and what
 * to do; where it happened is shown on request only.
 *
 * @module
 */

import { CommandError } from "./command.ts";

/** Reasons of the file system, in words. */
const FILE_SYSTEM_REASONS: Readonly<Record<string, string>> = {
  EACCES: "this user may not write there",
  EDQUOT: "the disk quota is used up",
  ENAMETOOLONG: "the name is too long",
  ENOSPC: "the disk is full",
  ENOTDIR: "a part of the path is a file, not a folder",
  EPERM: "this user may not write there",
  EROFS: "the file system is read-only",
};

/** An error that somebody else has told already. */
export class SaidError extends Error {
  override readonly name = "SaidError";
}

/**
 * Runs a program of the build. If it throws, prints the error as one line on standard error and
 * ends with status 1; with DEBUG set, the stack and the failed program's output follow.
 */
export async function main(program: () => Promise<void>): Promise<void> {
  try {
    await program();
  } catch (error) {
    if (!(error instanceof SaidError)) console.error(describe(error));
    if (process.env["DEBUG"]) console.error(details(error));
    else if (isSurprise(error)) console.error("(DEBUG=1 shows where)");
    // The event "exit" still removes what is half done.
    process.exit(1);
  }
}

/** An error in one line; tables that an error brings along stay below it. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return `error: ${String(error)}`;
  const { code, path } = error as NodeJS.ErrnoException;
  const reason = FILE_SYSTEM_REASONS[code ?? ""];
  if (reason !== undefined && path !== undefined) {
    return (
      `error: failed to write ${path}: ${reason}; ` +
      "CACHE=FOLDER and DIST=FOLDER name other folders for the cache and for the result"
    );
  }
  return `error: ${error.message}`;
}

/** Errors that no message was written for: where they happened helps more than what they say. */
function isSurprise(error: unknown): boolean {
  return !(error instanceof Error) || error instanceof TypeError || error instanceof SyntaxError;
}

function details(error: unknown): string {
  const parts: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause) {
    parts.push(current.stack ?? current.message);
    if (current instanceof CommandError && current.output !== "") parts.push(current.output);
  }
  return parts.join("\n\n");
}
