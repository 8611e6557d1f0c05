/**
 * Compiles `bin/aws` (layer/aws-cli/aws.c) into a static executable of some 40 KB, with the compiler
 * that jq is built with.
 *
 * @module
 */

import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

import { type Architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { run } from "./command.ts";
import { exclusively } from "./exclusive.ts";
import { zigCompiler } from "./jq-from-source.ts";
import type { Part } from "./part.ts";
import { CACHE, LAYER } from "./paths.ts";
import { SOURCES } from "./sources.ts";
import { workFolder } from "./work-folder.ts";

const SOURCE = join(LAYER, "aws-cli/aws.c");

const FLAGS = ["-static", "-Os", "-s", "-std=gnu11", "-Wall", "-Wextra", "-Werror"];

/** The names of what the program starts, in `aws-cli/lib` and `aws-cli/bin`. */
export interface Started {
  readonly loader: string;
  readonly python: string;
}

/** Compiles the program, or takes it from the cache, and returns its path. */
export async function compileAwsClient(target: Architecture, started: Started): Promise<string> {
  const words = [
    ...["cc", "-target", `${target.machine}-linux-musl`, ...FLAGS, "-fno-sanitize=undefined"],
    ...[`-DLOADER="${started.loader}"`, `-DPYTHON="${started.python}"`],
  ];
  const recipe = new Bun.CryptoHasher("sha256");
  recipe.update(JSON.stringify([SOURCES.zig, words]));
  recipe.update(readFileSync(SOURCE));
  const kept = join(CACHE, "aws-client", `${target.name}-${recipe.digest("hex").slice(0, 16)}`);
  await exclusively(`aws-client-${target.name}`, async () => {
    if (existsSync(kept)) return;
    const folder = workFolder("aws-client");
    try {
      await run([await zigCompiler(), ...words, SOURCE, "-o", "aws"], {
        cwd: folder,
        env: {
          ZIG_GLOBAL_CACHE_DIR: join(CACHE, "zig-cache"),
          ZIG_LOCAL_CACHE_DIR: join(CACHE, "zig-cache"),
        },
      });
      chmodSync(join(folder, "aws"), 0o755);
      mkdirSync(dirname(kept), { recursive: true });
      renameSync(join(folder, "aws"), kept);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  return kept;
}

/** What the program consists of besides our source: the C library that it is linked with. */
export async function awsClientParts(): Promise<Part[]> {
  const { version, sha256 } = SOURCES.zig;
  const copyright = join(await zigCompiler(), "../lib/libc/musl/COPYRIGHT");
  return [
    {
      name: "musl",
      version,
      license: "MIT",
      source: `PyPI, ziglang ${version}`,
      purl: `pkg:pypi/ziglang@${version}`,
      sha256: sha256[HOST_ARCHITECTURE?.name ?? "amd64"],
      licenses: [{ fileName: "musl.txt", text: readFileSync(copyright, "utf8") }],
    },
  ];
}
