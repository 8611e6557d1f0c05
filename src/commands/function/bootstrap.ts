/**
 * Where the bootstrap of a function is: in its folder, or the one that this tool brings.
 *
 * The tool does not carry our bootstrap inside itself, which would double its 110 MB; it looks for
 * `bootstrap-amd64` or `-arm64` next to its own executable (as in `dist/`), in the `dist/` of the
 * checkout that it runs from, and for `/opt/bootstrap`, where a layer has it.
 * @module
 */

import { statSync } from "node:fs";
import { dirname, join } from "node:path";

/** A bootstrap, or every place where there is none. */
export type BootstrapSearch =
  | { readonly kind: "found"; readonly path: string; readonly own: boolean }
  | { readonly kind: "missing"; readonly tried: readonly string[] };

/** The architecture of this computer in the words of our artifacts. */
export function localArchitecture(): "amd64" | "arm64" {
  return process.arch === "arm64" ? "arm64" : "amd64";
}

/** Looks for the bootstrap of the function in a folder. */
export function findBootstrap(directory: string): BootstrapSearch {
  const inFolder = join(directory, "bootstrap");
  if (isFile(inFolder)) return { kind: "found", path: inFolder, own: false };
  const places = carriedBootstraps(localArchitecture());
  const path = places.find(isFile);
  if (path !== undefined) return { kind: "found", path, own: true };
  return { kind: "missing", tried: [inFolder, ...places] };
}

/** Places of our own bootstrap for an architecture, the first that exists wins. */
export function carriedBootstraps(architecture: "amd64" | "arm64"): readonly string[] {
  const file = `bootstrap-${architecture}`;
  return [
    join(dirname(process.execPath), file),
    join(import.meta.dir, "..", "..", "..", "dist", file),
    ...(architecture === localArchitecture() ? ["/opt/bootstrap"] : []),
  ];
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
