/**
 * What `_HANDLER` names in a function's folder, as the runtime resolves it.
 *
 * @module
 */

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  statSync,
} from "node:fs";

import { type Files, type Handler, resolveHandler } from "../../handler/resolve.ts";
import { baseName } from "../../handler/script.ts";

/** Bytes of a file that are looked at, as many as the runtime reads at once. */
const START_BYTES = 64 * 1024;

/** Programs that Lambda has, whatever this computer has. */
const LAMBDA_PROGRAMS: Readonly<Record<string, string>> = {
  bash: "/usr/bin/bash",
  env: "/usr/bin/env",
  sh: "/usr/bin/sh",
};

const FILES: Files = {
  isFile: (path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true,
  mayExecute: (path) => isLambdaProgram(path) || isAllowed(path, constants.X_OK),
  start: (path) => {
    try {
      return startOf(path);
    } catch {
      return undefined;
    }
  },
  program: (name) => LAMBDA_PROGRAMS[name] ?? Bun.which(name) ?? undefined,
  searchPath: () => process.env["PATH"] ?? "",
};

/** What a handler's name means in a folder. */
export function functionHandler(directory: string, handler: string): Handler {
  return resolveHandler(handler, directory, FILES);
}

/** What the shell of a function handler says of its script's syntax; nothing when it is right. */
export function syntaxError({ script, shell }: Handler & { kind: "function" }): string | undefined {
  const program = existsSync(shell.path) ? shell.path : baseName(shell.path);
  const command = [program, ...shell.options, "-n", script];
  const check = Bun.spawnSync(command, { stdout: "ignore", stderr: "pipe" });
  return check.exitCode === 0 ? undefined : check.stderr.toString().trim();
}

function isLambdaProgram(path: string): boolean {
  return /^(\/usr)?\/bin\/[^/]+$/.test(path) && baseName(path) in LAMBDA_PROGRAMS;
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

function startOf(path: string): string {
  const bytes = Buffer.alloc(START_BYTES);
  const file = openSync(path, "r");
  try {
    return bytes.toString("utf8", 0, readSync(file, bytes));
  } finally {
    closeSync(file);
  }
}
