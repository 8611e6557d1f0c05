/**
 * Writes dist/SHA256SUMS and dist/RELEASE_NOTES.md for the artefacts of this version.
 *
 *     bun build/deployments/release/release-notes.ts
 *
 * The bytes depend on what `make dist` took from elsewhere; dist/inputs.json records that, and is a
 * file of the release, so that others can take the same.
 *
 * @module
 */

import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { licenseTexts } from "../../licenses.macro.ts";
import { reportErrors } from "../../plain-errors.ts";
import { VERSION } from "../version.ts";
import { commonSources, type PartSource } from "./layer-sources.ts";
import { LICENSES_FILE } from "./licenses.ts";

const ROOT = join(import.meta.dir, "../../..");
const DIST = join(ROOT, "dist");

/** The record of what a build took from elsewhere, in dist/. */
const INPUTS_NAME = "inputs.json";

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
  const architectures = [...artefactNames("amd64"), ...artefactNames("arm64")];
  return [...architectures, INPUTS_NAME, LICENSES_FILE].sort().map((name) => {
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
 * Checks that others can have the sources of a release.
 * @param inputs The record of its build.
 * @throws {Error} When a part is a file of the builder's own.
 */
export function checkInputs(inputs: Readonly<Record<string, unknown>>): void {
  for (const target of ["amd64", "arm64"] as const) {
    const taken = inputs[target] as
      Readonly<Record<string, { readonly kind?: string }>> | undefined;
    for (const [part, choice] of [
      ["awsCli", "AWS_CLI"],
      ["jq", "JQ"],
    ] as const) {
      const kind = taken?.[part]?.kind;
      if (kind !== undefined && kind !== "file") continue;
      throw new Error(
        `failed to describe the release: ${choice} of ${target} is a file of your own, which others ` +
          'cannot repeat; build it with "make release"',
      );
    }
  }
}

/** The notes, in Markdown. */
export function releaseNotes(
  changes: string,
  artefacts: readonly Artefact[],
  parts: readonly PartSource[],
): string {
  const rows = artefacts.map(({ name, bytes, sha256 }) => `| ${name} | ${bytes} | \`${sha256}\` |`);
  return [
    `# lambda-shell-runtime ${VERSION}`,
    "",
    changes,
    "",
    "## Files",
    "",
    `Anybody can build the same bytes: check out the tag, take ${INPUTS_NAME} of the release, run`,
    `\`INPUTS=${INPUTS_NAME} make dist\`, compare the sums.`,
    "What was downloaded into one folder: `sha256sum --check --ignore-missing SHA256SUMS`.",
    "",
    "In the layers:",
    "",
    ...parts.map(({ name, version, source }) => `- ${name} ${version}: ${source}`),
    "",
    "| file | bytes | SHA-256 |",
    "|---|---:|---|",
    ...rows,
    "",
  ].join("\n");
}

if (import.meta.main) {
  reportErrors();
  writeFileSync(join(DIST, LICENSES_FILE), licenseTexts());
  checkInputs(JSON.parse(readFileSync(join(DIST, INPUTS_NAME), "utf8")));
  const artefacts = readArtefacts();
  const parts = await commonSources(
    ["amd64", "arm64"].map((name) => join(DIST, `lambda-shell-runtime-${name}-${VERSION}.zip`)),
  );
  const sums = artefacts.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
  writeFileSync(join(DIST, "SHA256SUMS"), sums);
  const changes = changesOf(readFileSync(join(ROOT, "CHANGELOG.md"), "utf8"), VERSION);
  writeFileSync(join(DIST, "RELEASE_NOTES.md"), releaseNotes(changes, artefacts, parts));
  console.log(`dist/SHA256SUMS and dist/RELEASE_NOTES.md: ${artefacts.length} files of ${VERSION}`);
}
