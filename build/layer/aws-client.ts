/**
 * Compiles `bin/aws` (layer/aws-cli/aws.c) into a static executable of some 40 KB, with the compiler
 * that jq is built with (zig.ts).
 *
 * @module
 */

import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { isWholeElf } from "./elf.ts";
import { exclusively } from "./exclusive.ts";
import { CACHE, LAYER } from "./paths.ts";
import { SOURCES } from "./sources.ts";
import { workFolder } from "./work-folder.ts";
import { compileC } from "./zig.ts";

const SOURCE = join(LAYER, "aws-cli/aws.c");

const WARNINGS = ["-Wall", "-Wextra", "-Werror"];

/** The names of what the program starts, in `aws-cli/lib` and `aws-cli/bin`. */
export interface Started {
  readonly loader: string;
  readonly python: string;
}

/** Compiles the program, or takes it from the cache, and returns its path. */
export async function compileAwsClient(target: Architecture, started: Started): Promise<string> {
  const words = [...WARNINGS, ...[`-DLOADER="${started.loader}"`, `-DPYTHON="${started.python}"`]];
  const recipe = new Bun.CryptoHasher("sha256");
  recipe.update(JSON.stringify([SOURCES.zig, words]));
  recipe.update(readFileSync(join(import.meta.dir, "zig.ts")));
  recipe.update(readFileSync(SOURCE));
  const kept = join(CACHE, "aws-client", `${target.name}-${recipe.digest("hex").slice(0, 16)}`);
  await exclusively(`aws-client-${target.name}`, async () => {
    if (isWholeElf(kept)) return;
    const folder = workFolder("aws-client");
    try {
      await compileC(target, [...words, SOURCE, "-o", "aws"], folder);
      chmodSync(join(folder, "aws"), 0o755);
      mkdirSync(dirname(kept), { recursive: true });
      renameSync(join(folder, "aws"), kept);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
  return kept;
}
