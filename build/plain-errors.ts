/**
 * The end of every program of the build: an error is one line that says what failed, why, and what
 * to do; where it happened is shown on request only.
 *
 * @module
 */

import { CommandError, FULL_DISK } from "./layer/command.ts";

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

/** What helps after a target that was run as root, as the tests are. */
const TAKE_BACK =
  "if make was run as root, take the files back, as root: " +
  `chown -R ${process.getuid?.()}:${process.getgid?.()} .`;

/** An error that somebody else has told already. */
export class SaidError extends Error {
  override readonly name = "SaidError";
}

/**
 * From now on, an error that nothing catches ends this process with status 1 and one line on standard
 * error; with DEBUG set, the stack and the failed program's output follow.
 * @param elsewhere What to do when a file cannot be written, besides what the reason says.
 */
export function reportErrors(elsewhere?: string): void {
  const end = (error: unknown) => {
    if (!(error instanceof SaidError)) console.error(describe(error, elsewhere));
    if (process.env["DEBUG"]) console.error(details(error));
    else if (isSurprise(error)) console.error("(DEBUG=1 shows where)");
    // The event "exit" still removes what is half done.
    process.exit(1);
  };
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);
}

/** An error in one line; tables that an error brings along stay below it. */
function describe(error: unknown, elsewhere: string | undefined): string {
  if (!(error instanceof Error)) return `error: ${String(error)}`;
  const { code = "", path } = error as NodeJS.ErrnoException;
  const reason = FILE_SYSTEM_REASONS[code];
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  if (reason === undefined || (path === undefined && !isFull)) {
    const remedy = FULL_DISK.test(error.message) ? elsewhere : undefined;
    return [`error: ${error.message}`, remedy].filter(Boolean).join("; ");
  }
  const remedies = [code === "EACCES" || code === "EPERM" ? TAKE_BACK : undefined, elsewhere];
  const failure = `error: failed to write ${path ?? "a file"}: ${reason}`;
  return [failure, ...remedies.filter(Boolean)].join("; ");
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
