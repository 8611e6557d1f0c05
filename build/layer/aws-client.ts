/**
 * Compiles `bin/aws` (layer/aws-cli/aws.c) into a static executable of some 40 KB, with the compiler
 * that jq is built with (zig.ts).
 *
 * @module
 */

import { chmodSync } from "node:fs";
import { join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { isWholeElf } from "./elf.ts";
import { LAYER } from "./paths.ts";
import { keptOrMade } from "./recipe.ts";
import { SOURCES } from "./sources.ts";
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
  return keptOrMade({
    kind: "aws-client",
    target,
    values: [SOURCES.zig, words],
    files: [join(import.meta.dir, "zig.ts"), SOURCE],
    isWhole: isWholeElf,
    make: async (folder) => {
      const made = join(folder, "aws");
      await compileC(target, [...words, SOURCE, "-o", made], folder);
      chmodSync(made, 0o755);
      return made;
    },
  });
}
