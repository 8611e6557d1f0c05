/**
 * Writes what a build makes into dist/: each file appears there whole or not at all.
 *
 * @module
 */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { version } from "../../package.json" with { type: "json" };
import { zip, type ZipEntry } from "../../src/zip.ts";
import { sha256OfFile } from "./download.ts";
import { DIST } from "./paths.ts";
import { checkBudget, type ZipKind, type ZipSize } from "./size-budget.ts";
import { walk } from "./tree.ts";

/** Modes in a zip: Lambda runs as a user of its own, who must read everything. */
const EXECUTABLE = 0o755;
const PLAIN = 0o644;

/** Names of the executables. */
const EXECUTABLE_NAME = /^(bootstrap|lambda-shell-linux)-(amd64|arm64)$/;

/** A written zip. */
export interface Artifact {
  readonly name: string;
  readonly kind: ZipKind;
  readonly size: ZipSize;
}

/** Makes a zip's entry of the executable, under the name that Lambda looks for. */
export function bootstrapEntry(bytes: Uint8Array<ArrayBuffer>): ZipEntry {
  return { kind: "file", path: "bootstrap", bytes, mode: EXECUTABLE };
}

/** Makes zip entries of a staged tree. */
export function treeEntries(tree: string): ZipEntry[] {
  return walk(tree).map((file): ZipEntry => {
    if (file.target !== undefined) {
      return { kind: "symlink", path: file.path, target: file.target };
    }
    return {
      kind: "file",
      path: file.path,
      bytes: new Uint8Array(readFileSync(join(tree, file.path))),
      mode: file.executable ? EXECUTABLE : PLAIN,
    };
  });
}

/**
 * Writes a zip, if it keeps its budget.
 * @throws {Error} When it is too large.
 */
export function writeZip(name: string, kind: ZipKind, entries: readonly ZipEntry[]): Artifact {
  const bytes = zip(entries);
  const files = entries.map((entry) => ({
    path: entry.path,
    bytes: entry.kind === "file" ? entry.bytes.length : entry.target.length,
  }));
  const unzipped = files.reduce((sum, file) => sum + file.bytes, 0);
  const size = { unzipped, zipped: bytes.length, files };
  checkBudget(name, kind, size);
  writeWhole(name, bytes);
  return { name, kind, size };
}

/** Writes SHA256SUMS over every artefact in dist/ and returns its text. */
export async function writeChecksums(): Promise<string> {
  const names = readdirSync(DIST)
    .filter((name) => EXECUTABLE_NAME.test(name) || name.endsWith(`-${version}.zip`))
    // Other zips that somebody put there are not ours to vouch for.
    .filter((name) => /^(bootstrap|lambda-shell)-/.test(name))
    .sort();
  const lines: string[] = [];
  for (const name of names) {
    lines.push(`${await sha256OfFile(join(DIST, name))}  ${name}`);
    // Whatever the umask: others must be able to read and run what a build gives away.
    chmodSync(join(DIST, name), EXECUTABLE_NAME.test(name) ? EXECUTABLE : PLAIN);
  }
  const text = `${lines.join("\n")}\n`;
  writeWhole("SHA256SUMS", text);
  return text;
}

/** Writes a file into dist/ under another name first. */
export function writeWhole(name: string, content: Uint8Array | string): void {
  mkdirSync(DIST, { recursive: true });
  // A name of this process's own: two builds may write the same artefact at the same time.
  const unfinished = join(DIST, `.${name}.${process.pid}.unfinished`);
  try {
    writeFileSync(unfinished, content);
    chmodSync(unfinished, PLAIN);
    renameSync(unfinished, join(DIST, name));
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** Removes from dist/ what builds that were killed had begun to write. */
export function sweepUnfinished(): void {
  if (!existsSync(DIST)) return;
  for (const name of readdirSync(DIST)) {
    const pid = /^\..*\.(\d+)\.unfinished$/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(join("/proc", pid))) {
      rmSync(join(DIST, name), { recursive: true, force: true });
    }
  }
}
