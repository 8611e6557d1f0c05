/**
 * Writes dist/SHA256SUMS and dist/RELEASE_NOTES.md for the artefacts of this version.
 *
 *     AWS_CLI=debian JQ=debian bun build/deployments/release/release-notes.ts
 *
 * AWS_CLI and JQ are what `make dist` was run with: the bytes depend on them, so that the notes
 * name them.
 *
 * @module
 */

import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { VERSION } from "../version.ts";
import { commonSources, type PartSource } from "./layer-sources.ts";
import { LICENSES_FILE, licensesText } from "./licenses.ts";

const ROOT = join(import.meta.dir, "../../..");
const DIST = join(ROOT, "dist");

/** One file of a release. */
interface Artefact {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The names of everything that a release has, for one architecture: files that lie side by side. */
export function artefactNames(architecture: "amd64" | "arm64"): readonly string[] {
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
  const names = [...artefactNames("amd64"), ...artefactNames("arm64"), LICENSES_FILE];
  return names.sort().map((name) => {
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

/**
 * The command that makes the files of a release.
 * @throws {Error} When a source was left to chance, so that nobody else can choose the same one.
 */
export function buildCommand(environment: Readonly<Record<string, string | undefined>>): string {
  const choices = ["AWS_CLI", "JQ"].map((name) => {
    const choice = environment[name] ?? "auto";
    if (choice !== "debian" && choice !== "upstream") {
      throw new Error(
        `failed to describe the release: ${name} is "${choice}", which others cannot repeat; ` +
          'build it with "make release", or with debian or upstream',
      );
    }
    return `${name}=${choice}`;
  });
  return `${choices.join(" ")} make dist`;
}

/** The notes, in Markdown. */
export function releaseNotes(
  changes: string,
  artefacts: readonly Artefact[],
  origin: { readonly command: string; readonly parts: readonly PartSource[] },
): string {
  const rows = artefacts.map(({ name, bytes, sha256 }) => `| ${name} | ${bytes} | \`${sha256}\` |`);
  return [
    `# lambda-shell-runtime ${VERSION}`,
    "",
    changes,
    "",
    "## Files",
    "",
    `Anybody can build the same bytes: check out the tag, run \`${origin.command}\`, compare the sums.`,
    "What was downloaded into one folder: `sha256sum --check --ignore-missing SHA256SUMS`.",
    "",
    "In the layers:",
    "",
    ...origin.parts.map(({ name, version, source }) => `- ${name} ${version}: ${source}`),
    "",
    "| file | bytes | SHA-256 |",
    "|---|---:|---|",
    ...rows,
    "",
  ].join("\n");
}

if (import.meta.main) {
  const command = buildCommand(process.env);
  writeFileSync(join(DIST, LICENSES_FILE), licensesText());
  const artefacts = readArtefacts();
  const parts = await commonSources(
    ["amd64", "arm64"].map((name) => join(DIST, `lambda-shell-runtime-${name}-${VERSION}.zip`)),
  );
  const sums = artefacts.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
  writeFileSync(join(DIST, "SHA256SUMS"), sums);
  const changes = changesOf(readFileSync(join(ROOT, "CHANGELOG.md"), "utf8"), VERSION);
  writeFileSync(
    join(DIST, "RELEASE_NOTES.md"),
    releaseNotes(changes, artefacts, { command, parts }),
  );
  console.log(`dist/SHA256SUMS and dist/RELEASE_NOTES.md: ${artefacts.length} files of ${VERSION}`);
}
