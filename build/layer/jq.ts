/**
 * Puts jq into a layer's tree, from the source that JQ chooses:
 *
 *     upstream        the static executable of jq's own release, its SHA-256 pinned
 *     source          built from jq's own release, which a package of PyPI carries
 *     /path/to/jq     an executable that you have, static or with libraries that go along
 *     auto            upstream, and source where its host cannot be reached (the default)
 *
 * @module
 */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import { join, resolve } from "node:path";

import type { Architecture } from "../architectures.ts";
import { run } from "./command.ts";
import { download, sha256OfFile, takeReachable } from "./download.ts";
import { LAMBDA_LIBRARIES } from "./elf-check.ts";
import { isWholeElf, readElfFiles } from "./elf.ts";
import type { JqInput } from "./inputs.ts";
import { buildJq, JQ_LICENSE } from "./jq-from-source.ts";
import type { Part } from "./part.ts";
import { LAYER } from "./paths.ts";
import { fillUrl, SOURCES, type Sources } from "./sources.ts";

/** Where a Linux keeps the libraries of its own architecture. */
const LIBRARY_FOLDERS = [
  "/usr/lib64",
  `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`,
];

/** The pinned release. */
export type UpstreamJq = Sources["jq"]["upstream"];

/** A staged jq: what it consists of, and what it was taken from, for the record. */
export interface StagedJq {
  readonly parts: readonly Part[];
  readonly input: JqInput;
}

/** How to choose jq. */
export interface JqChoice {
  /** The value of JQ. */
  readonly choice: string;
  /** What an earlier build took: then exactly that is taken. */
  readonly recorded?: JqInput | undefined;
  /** The pinned release; tests have their own. */
  readonly upstream?: UpstreamJq;
}

/**
 * Stages `bin/jq`.
 * @throws {HashMismatchError} When the release's bytes are not the pinned ones.
 */
export async function stageJq(
  tree: string,
  target: Architecture,
  { choice, recorded, upstream = SOURCES.jq.upstream }: JqChoice,
): Promise<StagedJq> {
  if (recorded !== undefined) return fromRecord(tree, target, recorded, choice, upstream);
  if (choice === "source") return fromSource(tree, target);
  if (choice === "upstream") return fromUpstream(tree, target, upstream);
  if (choice === "auto") {
    return takeReachable("jq", () => fromUpstream(tree, target, upstream), {
      words: "compiling its release instead (JQ=source)",
      take: () => fromSource(tree, target),
    });
  }
  return fromFile(tree, choice);
}

async function fromRecord(
  tree: string,
  target: Architecture,
  recorded: JqInput,
  choice: string,
  upstream: UpstreamJq,
): Promise<StagedJq> {
  if (recorded.kind === "file" && ["auto", "source", "upstream"].includes(choice)) {
    throw new Error(
      `failed to build from the recorded inputs: their jq ${recorded.version} was a file: ` +
        "name it with JQ=/path/to/jq",
    );
  }
  const staged = await (recorded.kind === "source"
    ? fromSource(tree, target)
    : recorded.kind === "upstream"
      ? fromUpstream(tree, target, upstream)
      : fromFile(tree, choice));
  if (Bun.deepEquals(staged.input, recorded)) return staged;
  throw new Error(
    `failed to build from the recorded inputs: they have jq ${recorded.version}, and ` +
      (recorded.kind === "file"
        ? `JQ=${choice} is another file`
        : "layer/sources.json has other hashes: check out the commit that they were made from"),
  );
}

async function fromUpstream(
  tree: string,
  target: Architecture,
  upstream: UpstreamJq,
): Promise<StagedJq> {
  const { version } = SOURCES.jq;
  const sha256 = upstream.sha256[target.name];
  const url = fillUrl(upstream.url, version, target);
  const executable = await download(url, `jq-${version}-${target.name}`, sha256);
  place(tree, executable);
  const purl = `pkg:github/jqlang/jq@jq-${version}`;
  return {
    parts: [jqPart({ version, source: url, purl, sha256 })],
    input: { kind: "upstream", version, url, sha256 },
  };
}

async function fromSource(tree: string, target: Architecture): Promise<StagedJq> {
  const { executable, parts } = await buildJq(target);
  place(tree, executable);
  const { version, source } = SOURCES.jq;
  return {
    parts,
    input: { kind: "source", version, sha256: source.sha256, zig: SOURCES.zig.version },
  };
}

async function fromFile(tree: string, choice: string): Promise<StagedJq> {
  // Run by a name without a slash, it would be looked for in PATH.
  const path = resolve(choice);
  if (!existsSync(path) || !statSync(path).isFile()) {
    throw new Error(
      `failed to find jq at ${choice}: JQ must be auto, upstream, source or its path`,
    );
  }
  if (!isWholeElf(path)) {
    throw new Error(`failed to take jq from ${choice}: it is not an executable (ELF), or cut off`);
  }
  place(tree, path);
  await placeLibraries(tree, path);
  const version = (await run([path, "--version"])).trim().replace("jq-", "");
  const sha256 = await sha256OfFile(path);
  const purl = `pkg:generic/jq@${version}`;
  return {
    parts: [jqPart({ version, source: "a file given by JQ", purl, sha256 })],
    input: { kind: "file", version, sha256 },
  };
}

function jqPart(part: Pick<Part, "version" | "source" | "purl" | "sha256">): Part {
  const text = readFileSync(join(LAYER, "licenses/jq.txt"), "utf8");
  return { name: "jq", license: JQ_LICENSE, ...part, licenses: [{ fileName: "jq.txt", text }] };
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
