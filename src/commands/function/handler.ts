/**
 * What `_HANDLER` names in a function's folder, as the runtime resolves it.
 *
 * @module
 */

import { constants, existsSync, readFileSync, realpathSync } from "node:fs";

import { isAllowed, isRegularFile, startBytes, statOf } from "../../file-facts.ts";
import { type Files, type Handler, resolveHandler, type Shell } from "../../handler/resolve.ts";
import { baseName } from "../../handler/script.ts";
import type { StartFiles } from "../../host/function/function-pool.ts";
import type { FunctionSettings } from "../../host/invocation/settings.ts";
import { isOurBootstrap } from "./architecture.ts";

/** Bytes of a file that are looked at, as many as the runtime reads at once. */
const START_BYTES = 16 * 1024;

const FILES: Files = {
  isFile: isRegularFile,
  mayExecute: (path) => isAllowed(path, constants.X_OK),
  start: startOfFile,
  program: (name) => Bun.which(name) ?? undefined,
  searchPath: () => process.env["PATH"] ?? "",
};

/** What a handler's name means in a folder, on this computer. */
export function functionHandler(directory: string, handler: string): Handler {
  return resolveHandler(handler, directory, FILES);
}

/** What a start of a function depends on in files: its bootstrap and, with this tool's own, those that its handler may be. */
export function startFiles({ command, directory, handler }: FunctionSettings): StartFiles {
  const [program = ""] = command;
  const paths = [program];
  const hasHandler = isOurBootstrap(command);
  if (hasHandler) {
    const isFile = (path: string) => {
      paths.push(path);
      return FILES.isFile(path);
    };
    resolveHandler(handler, directory, { ...FILES, isFile });
  }
  return { stamp: paths.map(stampOf).join("\n"), hasHandler };
}

/** What tells that a file has been saved, or made; the same for every one that is not there. */
export function stampOf(path: string): string {
  const stat = statOf(path);
  return stat === undefined ? "" : `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.mode}`;
}

/** A function of a script that is loaded. */
type FunctionHandler = Handler & { readonly kind: "function" };

/** What this computer's shell says of the syntax of a function handler's script; nothing when it is right. */
export function localSyntaxError({ script, shell }: FunctionHandler): string | undefined {
  const program = existsSync(shell.path) ? shell.path : baseName(shell.path);
  return complaintOf([program, ...shell.options], script);
}

/**
 * What Lambda's shell says of the syntax of a script: its `/bin/sh` is bash, in the mode that keeps to
 * POSIX. Where bash is not installed, this computer's shell stands in for it.
 */
export function syntaxError(script: string, shell: Shell): string | undefined {
  const name = baseName(shell.path);
  const bash = name === "sh" || name === "bash" ? Bun.which("bash") : null;
  if (bash === null) return complaintOf([name, ...shell.options], script);
  const mode = name === "sh" ? ["--posix"] : [];
  return complaintOf([bash, ...mode, ...shell.options], script);
}

function complaintOf(shell: readonly string[], script: string): string | undefined {
  try {
    const [program = ""] = shell;
    const isBash = baseName(realPath(Bun.which(program) ?? program)) === "bash";
    // A bash that only reads the script (-n) does not run the command that turns this on.
    const isExtended = isBash && readFileSync(script, "utf8").includes("extglob");
    const further = isExtended ? ["-O", "extglob"] : [];
    const check = Bun.spawnSync([...shell, ...further, "-n", script], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    return check.exitCode === 0 ? undefined : check.stderr.toString().trim();
  } catch {
    // The shell is not on this computer.
    return undefined;
  }
}

/** The shell that `/bin/sh` is on this computer, as `dash`; nothing where it is bash, as on Lambda. */
export function otherSh(): string | undefined {
  const name = baseName(realPath("/bin/sh"));
  return name === "bash" || name === "" ? undefined : name;
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return "";
  }
}

/** How a file begins, as much as the runtime reads at once; nothing when it cannot be read. */
export function startOfFile(path: string): string | undefined {
  return startBytes(path, START_BYTES)?.toString("utf8");
}
