/**
 * Puts jq into a layer's tree, from the source that JQ chooses:
 *
 *     upstream        the static executable of jq's own release, its SHA-256 pinned
 *     debian          built from Debian's source packages
 *     /path/to/jq     an executable that you have, static or with libraries that go along
 *     auto            upstream, and debian where its host cannot be reached (the default)
 *
 * @module
 */

import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { run } from "./command.ts";
import { download, sha256OfFile, UnreachableError } from "./download.ts";
import { LAMBDA_LIBRARIES } from "./elf-check.ts";
import { readElfFiles } from "./elf.ts";
import { buildJq } from "./jq-from-source.ts";
import type { Part } from "./part.ts";
import { LAYER } from "./paths.ts";
import { step } from "./progress.ts";
import { fillUrl, SOURCES, type Sources } from "./sources.ts";

/** Where a Linux keeps the libraries of its own architecture. */
const LIBRARY_FOLDERS = [
  "/usr/lib64",
  `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`,
];

/** The pinned release. */
export type UpstreamJq = Sources["jq"]["upstream"];

/**
 * Stages `bin/jq` and returns its parts.
 * @param choice The value of JQ.
 * @param upstream The pinned release; tests have their own.
 * @throws {HashMismatchError} When the release's bytes are not the pinned ones.
 */
export async function stageJq(
  tree: string,
  target: Architecture,
  choice: string,
  upstream: UpstreamJq = SOURCES.jq.upstream,
): Promise<readonly Part[]> {
  if (choice === "debian") return fromDebian(tree, target);
  if (choice === "upstream") return fromUpstream(tree, target, upstream);
  if (choice === "auto") {
    try {
      return await fromUpstream(tree, target, upstream);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      step(`jq: ${error.message}; building Debian's instead (JQ=debian)`);
      return fromDebian(tree, target);
    }
  }
  if (!existsSync(choice)) {
    throw new Error(`failed to find jq at ${choice}: JQ is auto, upstream, debian or its path`);
  }
  return fromFile(tree, choice);
}

async function fromUpstream(
  tree: string,
  target: Architecture,
  upstream: UpstreamJq,
): Promise<Part[]> {
  const { version } = upstream;
  const sha256 = upstream.sha256[target.name];
  const url = fillUrl(upstream.url, version, target);
  const executable = await download(url, `jq-${version}-${target.name}`, sha256);
  place(tree, executable);
  return [
    {
      name: "jq",
      version,
      license: "MIT AND ICU AND CC-BY-3.0",
      source: url,
      purl: `pkg:github/jqlang/jq@jq-${version}`,
      sha256,
      licenses: [
        { fileName: "jq.txt", text: readFileSync(join(LAYER, "licenses/jq.txt"), "utf8") },
      ],
    },
  ];
}

async function fromDebian(tree: string, target: Architecture): Promise<readonly Part[]> {
  const { executable, parts } = await buildJq(target);
  place(tree, executable);
  return parts;
}

async function fromFile(tree: string, path: string): Promise<Part[]> {
  place(tree, path);
  await placeLibraries(tree, path);
  const version = (await run([path, "--version"])).trim().replace("jq-", "");
  return [
    {
      name: "jq",
      version,
      license: "MIT AND ICU AND CC-BY-3.0",
      source: "a file given by JQ",
      purl: `pkg:generic/jq@${version}`,
      sha256: await sha256OfFile(path),
      licenses: [
        { fileName: "jq.txt", text: readFileSync(join(LAYER, "licenses/jq.txt"), "utf8") },
      ],
    },
  ];
}

/** Copies the libraries that an executable loads and Lambda lacks into `lib/`. */
async function placeLibraries(tree: string, path: string): Promise<void> {
  const [elf] = await readElfFiles([path]);
  const lacking = (elf?.needed ?? []).filter((name) => !LAMBDA_LIBRARIES.test(name));
  for (const name of lacking) {
    const library = LIBRARY_FOLDERS.map((folder) => join(folder, name)).find(existsSync);
    if (library === undefined) throw new Error(`failed to find ${name}, which ${path} loads`);
    if (existsSync(join(tree, "lib", name))) continue;
    mkdirSync(join(tree, "lib"), { recursive: true });
    cpSync(realpathSync(library), join(tree, "lib", name));
    await placeLibraries(tree, library);
  }
}

function place(tree: string, executable: string): void {
  mkdirSync(join(tree, "bin"), { recursive: true });
  cpSync(executable, join(tree, "bin/jq"));
  chmodSync(join(tree, "bin/jq"), 0o755);
}
