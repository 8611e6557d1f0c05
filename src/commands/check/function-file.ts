/**
 * Where a handler's name leads in a folder: a file to execute, or a function of a script.
 *
 * The runtime resolves the same way; this is the developer's side of it, which explains instead of
 * failing.
 * @module
 */

import { readFileSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";

/** What a handler's name means in a folder. */
type HandlerTarget =
  | { readonly kind: "file"; readonly path: string; readonly file: string }
  | {
      readonly kind: "function";
      readonly path: string;
      readonly file: string;
      readonly functionName: string;
    }
  | { readonly kind: "malformed" }
  | { readonly kind: "missing"; readonly tried: readonly string[] };

/** Resolves a handler's name: an existing file of exactly that name, else `script.function`. */
export function handlerTarget(directory: string, handler: string): HandlerTarget {
  const inFolder = (name: string) => (isAbsolute(name) ? name : join(directory, name));
  if (handler !== "" && isFile(inFolder(handler))) {
    return { kind: "file", path: inFolder(handler), file: handler };
  }
  const slash = handler.lastIndexOf("/") + 1;
  const dot = handler.lastIndexOf(".");
  if (dot <= slash || dot === handler.length - 1) return { kind: "malformed" };
  const script = handler.slice(0, dot);
  const file = script.endsWith(".sh") ? script : `${script}.sh`;
  const path = inFolder(file);
  if (!isFile(path)) return { kind: "missing", tried: [inFolder(handler), path] };
  return { kind: "function", path, file, functionName: handler.slice(dot + 1) };
}

/** Names of the functions that a script defines, as far as its text tells. */
export function definedFunctions(script: string): readonly string[] {
  const names = new Set<string>();
  const definition =
    /^[ \t]*(?:function[ \t]+([A-Za-z_][A-Za-z0-9_]*)|([A-Za-z_][A-Za-z0-9_]*)[ \t]*\([ \t]*\))/gm;
  for (const [, keyword, posix] of script.matchAll(definition)) {
    const name = keyword ?? posix;
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

/** True when a script takes in other files, which may define anything. */
export function sourcesOthers(script: string): boolean {
  return /^[ \t]*(\.|source)[ \t]+\S/m.test(script);
}

/** The shell that a script's first line names, `/bin/sh` without one. */
function scriptShell(script: string): readonly string[] {
  const words = /^#![ \t]*(.+)$/m
    .exec(script.split("\n", 1)[0] ?? "")?.[1]
    ?.trim()
    .split(/\s+/);
  const [first = "/bin/sh", ...rest] = words ?? [];
  const program = first.endsWith("/env") ? rest.find((word) => !word.startsWith("-")) : first;
  const name = program?.split("/").at(-1) ?? "sh";
  if (name === "busybox") return ["busybox", "sh"];
  return SHELLS.has(name) ? [name] : ["/bin/sh"];
}

const SHELLS = new Set(["sh", "bash", "dash", "ash", "ksh", "mksh"]);

/** What a shell says of a script's syntax; nothing when it is right. */
export function syntaxError(path: string): string | undefined {
  const [program = "/bin/sh", ...rest] = scriptShell(readFileSync(path, "utf8"));
  const check = Bun.spawnSync([program, ...rest, "-n", path], { stdout: "ignore", stderr: "pipe" });
  return check.exitCode === 0 ? undefined : check.stderr.toString().trim();
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
