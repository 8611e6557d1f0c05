/**
 * Writes dist/SHA256SUMS and dist/RELEASE_NOTES.md for the artefacts of this version.
 *
 *     bun build/deployments/release-notes.ts
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { VERSION } from "./version.ts";

const ROOT = join(import.meta.dir, "../..");
const DIST = join(ROOT, "dist");

/** One file of a release. */
interface Artefact {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The names of everything that a release has, for one architecture. */
function artefactNames(architecture: "amd64" | "arm64"): readonly string[] {
  return [
    `bootstrap-${architecture}`,
    `bootstrap-${architecture}-${VERSION}.zip`,
    `lambda-shell-linux-${architecture}`,
    `lambda-shell-runtime-${architecture}-${VERSION}.zip`,
    `lambda-shell-runtime-slim-${architecture}-${VERSION}.zip`,
  ];
}

/**
 * Reads the artefacts of this version.
 * @throws {Error} When one is missing: a release is whole or none.
 */
function readArtefacts(): readonly Artefact[] {
  const templates = existsSync(join(DIST, "sar"))
    ? readdirSync(join(DIST, "sar"))
        .filter((name) => name.endsWith(".yaml") && !name.endsWith(".packaged.yaml"))
        .map((name) => `sar/${name}`)
    : [];
  return [...artefactNames("amd64"), ...artefactNames("arm64"), ...templates].sort().map((name) => {
    const path = join(DIST, name);
    if (!existsSync(path)) throw new Error(`failed to find dist/${name}: run "make release"`);
    const sha256 = new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
    return { name, bytes: statSync(path).size, sha256 };
  });
}

/**
 * The part of the changelog that is about a version, or the unreleased part before its heading is
 * written.
 * @throws {Error} When it has neither.
 */
export function changesOf(changelog: string, version: string): string {
  const parts = changelog.split(/^## /m);
  const part =
    parts.find((text) => text.startsWith(version)) ??
    parts.find((text) => text.startsWith("Unreleased"));
  if (part === undefined) throw new Error(`failed to find ${version} in CHANGELOG.md`);
  return part.slice(part.indexOf("\n") + 1).trim();
}

/** The notes, in Markdown. */
export function releaseNotes(changes: string, artefacts: readonly Artefact[]): string {
  const rows = artefacts.map(
    ({ name, bytes, sha256 }) => `| ${basename(name)} | ${bytes} | \`${sha256}\` |`,
  );
  return [
    `# lambda-shell-runtime ${VERSION}`,
    "",
    changes,
    "",
    "## Files",
    "",
    'Anybody can build the same bytes: check out the tag, run "make dist tool", compare the sums.',
    "",
    "| file | bytes | SHA-256 |",
    "|---|---:|---|",
    ...rows,
    "",
  ].join("\n");
}

if (import.meta.main) {
  const artefacts = readArtefacts();
  const sums = artefacts.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
  writeFileSync(join(DIST, "SHA256SUMS"), sums);
  const changes = changesOf(readFileSync(join(ROOT, "CHANGELOG.md"), "utf8"), VERSION);
  writeFileSync(join(DIST, "RELEASE_NOTES.md"), releaseNotes(changes, artefacts));
  console.log(`dist/SHA256SUMS and dist/RELEASE_NOTES.md: ${artefacts.length} files of ${VERSION}`);
}
