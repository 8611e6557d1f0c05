/**
 * Compiles C into static executables with zig's C compiler and musl, a package of PyPI: one download
 * that compiles for both architectures, so that no cross compiler has to be installed and every
 * machine gets the same bytes.
 *
 * @module
 */

import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { type Architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { run } from "./command.ts";
import type { Part } from "./part.ts";
import { CACHE } from "./paths.ts";
import { fetchFromPyPI } from "./pip.ts";
import { keptOrMade } from "./recipe.ts";
import { SOURCES } from "./sources.ts";

/** Kind of wheel that pip must fetch, by architecture. */
export const WHEEL_PLATFORMS = {
  amd64: "manylinux_2_12_x86_64",
  arm64: "manylinux2014_aarch64",
} as const;

/**
 * The same for every program: for each level of optimisation zig compiles musl once more, which takes
 * 45 s (measured) where the programs themselves take 20 s together.
 */
const FLAGS = ["-static", "-O2", "-s", "-std=gnu11", "-fno-sanitize=undefined"];

/**
 * Compiles for an architecture.
 * @param words What differs between programs: their flags, sources and output.
 * @param folder The working directory.
 */
export async function compileC(
  target: Architecture,
  words: readonly string[],
  folder: string,
): Promise<void> {
  const zig = await zigCompiler();
  await run([zig, "cc", "-target", `${target.machine}-linux-musl`, ...FLAGS, ...words], {
    cwd: folder,
    env: {
      // musl and the compiler's own library, compiled once.
      ZIG_GLOBAL_CACHE_DIR: join(CACHE, "zig-cache"),
      ZIG_LOCAL_CACHE_DIR: join(folder, "zig-cache"),
    },
  });
}

/** The C library that is linked with what {@link compileC} compiles. */
export async function muslPart(): Promise<Part> {
  const { version, sha256 } = SOURCES.zig;
  const copyright = join(await zigCompiler(), "../lib/libc/musl/COPYRIGHT");
  return {
    name: "musl",
    version,
    license: "MIT",
    source: `PyPI, ziglang ${version}`,
    purl: `pkg:pypi/ziglang@${version}`,
    sha256: sha256[HOST_ARCHITECTURE?.name ?? "amd64"],
    licenses: [{ fileName: "musl.txt", text: readFileSync(copyright, "utf8") }],
  };
}

/** Returns the path of zig, unpacked. */
async function zigCompiler(): Promise<string> {
  const host = HOST_ARCHITECTURE;
  if (host === undefined) throw new Error(`failed to find zig for ${process.arch}`);
  const { version, sha256 } = SOURCES.zig;
  const zig = "ziglang/zig";
  const kept = await keptOrMade({
    kind: "zig",
    target: host,
    values: [version, sha256[host.name]],
    files: [],
    isWhole: (path) => existsSync(join(path, zig)),
    make: async (folder) => {
      const wheel = await fetchFromPyPI({
        name: "ziglang",
        version,
        sha256: sha256[host.name],
        kind: { wheel: WHEEL_PLATFORMS[host.name] },
        use: "the C compiler that builds jq and bin/aws",
      });
      await run(["python3", "-I", "-m", "zipfile", "-e", wheel, folder]);
      chmodSync(join(folder, zig), 0o755);
      return folder;
    },
  });
  return join(kept, zig);
}
