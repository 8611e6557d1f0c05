/**
 * Builds jq and Oniguruma, its library of regular expressions, from Debian's source packages into
 * one static executable, for any architecture on any Linux.
 *
 * The compiler is zig's C compiler with musl, a pinned package of PyPI: one download that compiles
 * for both architectures, so that no cross compiler has to be installed and every machine gets the
 * same bytes. Debian's packages come without `configure`; layer/jq/config.h stands for its result.
 * layer/jq/dates.patch makes up for what musl's strptime and strftime lack.
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
import { dirname, join } from "node:path";

import { type Architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { CommandError, run } from "./command.ts";
import { DebianArchive, type FetchedSource } from "./debian.ts";
import { DOWNLOADS, HashMismatchError, sha256OfFile } from "./download.ts";
import type { Part } from "./part.ts";
import { CACHE, LAYER } from "./paths.ts";
import { step } from "./progress.ts";
import { SOURCES } from "./sources.ts";
import { workFolder } from "./work-folder.ts";

/** Kind of wheel that pip is to fetch, by architecture. */
const WHEEL_PLATFORMS = {
  amd64: "manylinux_2_12_x86_64",
  arm64: "manylinux2014_aarch64",
} as const;

/** Sources of jq beside those of Oniguruma; lexer.c and parser.c come generated. */
const JQ_SOURCES = [
  ...["builtin", "bytecode", "compile", "execute", "jq_test", "jv", "jv_alloc", "jv_aux"],
  ...["jv_dtoa", "jv_dtoa_tsd", "jv_file", "jv_parse", "jv_print", "jv_unicode", "lexer"],
  ...["linker", "locfile", "main", "parser", "util"],
  ...["decNumber/decContext", "decNumber/decNumber"],
];

/** Makes jq's dates those that it has with glibc; the reasons stand in the patch. */
const DATES_PATCH = join(LAYER, "jq/dates.patch");

/** The built executable and what it consists of. */
export interface BuiltJq {
  readonly executable: string;
  readonly parts: readonly Part[];
}

/** Builds jq, or takes it from the cache when nothing that it is made of has changed. */
export async function buildJq(target: Architecture): Promise<BuiltJq> {
  const archive = new DebianArchive(HOST_ARCHITECTURE?.name ?? "amd64");
  const jq = await archive.sourcePackage(SOURCES.jq.debian.jq);
  const oniguruma = await archive.sourcePackage(SOURCES.jq.debian.oniguruma);
  const recipe = new Bun.CryptoHasher("sha256");
  for (const { path } of [...jq.files, ...oniguruma.files]) recipe.update(path);
  recipe.update(JSON.stringify(SOURCES.zig));
  recipe.update(readFileSync(import.meta.path));
  recipe.update(readFileSync(join(LAYER, "jq/config.h")));
  recipe.update(readFileSync(DATES_PATCH));
  const kept = join(CACHE, "jq", `${target.name}-${recipe.digest("hex").slice(0, 16)}`);
  if (!existsSync(kept)) await compile(kept, target, jq, oniguruma);
  return { executable: join(kept, "jq"), parts: await partsOf(kept, target, jq, oniguruma) };
}

async function compile(
  kept: string,
  target: Architecture,
  jq: FetchedSource,
  oniguruma: FetchedSource,
): Promise<void> {
  const zig = await zigCompiler();
  step(`compile jq ${jq.version} for ${target.name}`);
  const folder = workFolder("jq");
  try {
    await unpack(jq, join(folder, "jq-source"));
    await unpack(oniguruma, join(folder, "oniguruma-source"));
    await run(["patch", "-s", "-p1", "-i", DATES_PATCH], { cwd: join(folder, "jq-source") });
    writeGeneratedSources(join(folder, "jq-source/src"), jq.version);
    await run(compileCommand(zig, target, folder), {
      cwd: folder,
      env: {
        ZIG_GLOBAL_CACHE_DIR: join(CACHE, "zig-cache"),
        ZIG_LOCAL_CACHE_DIR: join(CACHE, "zig-cache"),
      },
    });
    chmodSync(join(folder, "jq"), 0o755);
    const licenses: readonly (readonly [string, string])[] = [
      ["jq-source/debian/copyright", "jq.txt"],
      ["oniguruma-source/debian/copyright", "oniguruma.txt"],
    ];
    for (const [from, to] of licenses) renameSync(join(folder, from), join(folder, to));
    writeFileSync(join(folder, "jq-strptime.txt"), strptimeLicense(join(folder, "jq-source")));
    writeFileSync(
      join(folder, "musl.txt"),
      readFileSync(join(zig, "../lib/libc/musl/COPYRIGHT"), "utf8"),
    );
    mkdirSync(dirname(kept), { recursive: true });
    renameSync(folder, kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function compileCommand(zig: string, target: Architecture, folder: string): string[] {
  const jqSources = JQ_SOURCES.map((name) => `jq-source/src/${name}.c`);
  return [
    ...[zig, "cc", "-target", `${target.machine}-linux-musl`],
    ...["-static", "-O2", "-s", "-w", "-std=gnu11", "-fno-sanitize=undefined"],
    ...["-DHAVE_CONFIG_H", "-include", "config.h", `-I${join(LAYER, "jq")}`],
    ...["-Ioniguruma-source/src", "-Ijq-source/src", "-Ijq-source"],
    ...jqSources,
    ...onigurumaSources(folder),
    ...["-o", "jq", "-lm"],
  ];
}

/**
 * The notice of NetBSD's strptime, with which its source begins; jq's own licence and Debian's
 * copyright file do not repeat it.
 */
function strptimeLicense(source: string): string {
  const text = readFileSync(join(source, "src/util.c"), "utf8");
  const [comment] = /^\/\*-[\s\S]*?\*\//.exec(text) ?? [];
  if (comment === undefined || !comment.includes("The NetBSD Foundation")) {
    throw new Error("failed to find the licence of strptime at the start of jq's src/util.c");
  }
  return `${comment}\n`;
}

/** Oniguruma's own list of its sources. */
function onigurumaSources(folder: string): string[] {
  const makefile = readFileSync(join(folder, "oniguruma-source/src/Makefile.am"), "utf8");
  const list = /^libonig_la_SOURCES =((?:.*\\\n)*.*)/m.exec(makefile)?.[1] ?? "";
  return [...list.matchAll(/\b\w+\.c\b/g)].map(([name]) => `oniguruma-source/src/${name}`);
}

/** The three files that jq's Makefile generates. */
function writeGeneratedSources(folder: string, version: string): void {
  const builtins = readFileSync(join(folder, "builtin.jq"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => `"${line.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}\\n"\n`);
  writeFileSync(join(folder, "builtin.inc"), builtins.join(""));
  writeFileSync(join(folder, "version.h"), `#define JQ_VERSION "${version.split("-")[0]}"\n`);
  writeFileSync(join(folder, "config_opts.inc"), '#define JQ_CONFIG "static, musl"\n');
}

/** Unpacks a source package and applies Debian's patches, security fixes among them. */
async function unpack(source: FetchedSource, folder: string): Promise<void> {
  mkdirSync(folder);
  const fileNamed = (part: string) => {
    const file = source.files.find(({ name }) => name.includes(part));
    if (file === undefined) throw new Error(`failed to find ${part} in a Debian source package`);
    return file.path;
  };
  await run(["tar", "-xf", fileNamed(".orig.tar."), "--strip-components=1", "-C", folder]);
  await run(["tar", "-xf", fileNamed(".debian.tar."), "-C", folder]);
  const series = readFileSync(join(folder, "debian/patches/series"), "utf8").split("\n");
  for (const patch of series.filter((line) => line !== "" && !line.startsWith("#"))) {
    await run(["patch", "-s", "-p1", "-i", `debian/patches/${patch}`], { cwd: folder });
  }
}

/** Returns the path of zig, fetched with pip and checked against its pinned SHA-256. */
async function zigCompiler(): Promise<string> {
  const host = HOST_ARCHITECTURE;
  if (host === undefined) throw new Error(`failed to find zig for ${process.arch}`);
  const { version, sha256 } = SOURCES.zig;
  const kept = join(CACHE, `zig-${version}-${host.name}`);
  const zig = join(kept, "ziglang/zig");
  if (existsSync(zig)) return zig;
  const wheel = await fetchWheel(host, version, sha256[host.name]);
  const folder = workFolder("zig");
  try {
    await run(["python3", "-m", "zipfile", "-e", wheel, folder]);
    chmodSync(join(folder, "ziglang/zig"), 0o755);
    rmSync(kept, { recursive: true, force: true });
    renameSync(folder, kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return zig;
}

async function fetchWheel(host: Architecture, version: string, sha256: string): Promise<string> {
  const kept = join(DOWNLOADS, sha256);
  if (existsSync(kept)) return kept;
  step(`fetch the C compiler zig ${version} from PyPI`);
  mkdirSync(DOWNLOADS, { recursive: true });
  const folder = workFolder("wheel");
  try {
    await run([
      ...["python3", "-m", "pip", "download", "--quiet", "--disable-pip-version-check"],
      ...["--no-deps", "--only-binary=:all:", "--platform", WHEEL_PLATFORMS[host.name]],
      ...["--dest", folder, `ziglang==${version}`],
    ]);
    const wheel = join(folder, readdirSync(folder)[0] ?? "");
    const actual = await sha256OfFile(wheel);
    if (actual !== sha256) {
      throw new HashMismatchError(
        `failed to verify zig ${version}: expected SHA-256 ${sha256}, got ${actual}`,
      );
    }
    renameSync(wheel, kept);
    return kept;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new Error(
      "failed to fetch zig, the C compiler that builds jq: python3 with pip and a package index " +
        `are needed, or another jq (JQ=upstream, or JQ=/path/to/a/static/jq)\n${error.message}`,
      { cause: error },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function partsOf(
  kept: string,
  target: Architecture,
  jq: FetchedSource,
  oniguruma: FetchedSource,
): Promise<Part[]> {
  const text = (fileName: string) => ({
    fileName,
    text: readFileSync(join(kept, fileName), "utf8"),
  });
  const { suite } = SOURCES.debian;
  const purl = (name: string, version: string) =>
    `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=source&distro=${suite}`;
  const compiled = `compiled for ${target.name} by zig ${SOURCES.zig.version}`;
  return [
    {
      name: "jq",
      version: jq.version,
      license: "MIT AND ICU AND CC-BY-3.0 AND BSD-2-Clause",
      source: `Debian ${suite}, source package jq ${jq.version}, ${compiled}`,
      purl: purl("jq", jq.version),
      sha256: await sha256OfFile(join(kept, "jq")),
      licenses: [text("jq.txt"), text("jq-strptime.txt")],
    },
    {
      name: "oniguruma",
      version: oniguruma.version,
      license: "BSD-2-Clause",
      source: `Debian ${suite}, source package libonig ${oniguruma.version}, ${compiled}`,
      purl: purl("libonig", oniguruma.version),
      sha256: await sha256OfFile(originalTarball(oniguruma)),
      licenses: [text("oniguruma.txt")],
    },
    {
      name: "musl",
      version: SOURCES.zig.version,
      license: "MIT",
      source: `PyPI, ziglang ${SOURCES.zig.version}`,
      purl: `pkg:pypi/ziglang@${SOURCES.zig.version}`,
      sha256: SOURCES.zig.sha256[HOST_ARCHITECTURE?.name ?? "amd64"],
      licenses: [text("musl.txt")],
    },
  ];
}

function originalTarball(source: FetchedSource): string {
  return source.files.find(({ name }) => name.includes(".orig.tar."))?.path ?? "";
}
