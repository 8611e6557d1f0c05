/**
 * The files that `_HANDLER` may name, by system calls.
 *
 * @module
 */

import type { Files } from "../handler/resolve.ts";
import { fileType, isAllowed, MAY_EXECUTE, readFile, readStart } from "./libc.ts";
import { decodeUtf8 } from "./utf8.ts";

/** @param searchPath PATH as the handler has it, for a shell that is named by way of `env`. */
export function handlerFiles(searchPath: () => string): Files {
  return {
    isFile: (path) => fileType(path) === "file",
    mayExecute: (path) => isAllowed(path, MAY_EXECUTE),
    start: (path) => {
      try {
        return decodeUtf8(readStart(path));
      } catch {
        return undefined;
      }
    },
    program: (name) => Bun.which(name, { PATH: searchPath() }) ?? undefined,
    searchPath,
  };
}

/** A script's whole text; empty when it can't be read. */
export function readScript(path: string): string {
  try {
    return decodeUtf8(readFile(path));
  } catch {
    return "";
  }
}
