/**
 * Checks that every ELF file of a staged layer can run in Lambda: the right architecture, and
 * either no glibc symbol newer than Amazon Linux 2023's, or a loader and a libc of its own.
 *
 * @module
 */

import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { type ElfFile, isWholeElf, readElfFiles } from "./elf.ts";
import { walk } from "./tree.ts";
import { isNewer } from "./version-order.ts";

/** glibc of Amazon Linux 2023, which Lambda's `provided.al2023` is. */
export const LAMBDA_GLIBC = "2.34";

/** What readelf calls our architectures. */
const MACHINES = { amd64: "Advanced Micro Devices X86-64", arm64: "AArch64" } as const;

/** Libraries of glibc and gcc, that a program finds on Lambda. */
export const LAMBDA_LIBRARIES =
  /^(ld-linux.*|libc|libm|libdl|libpthread|librt|libutil|libresolv|libgcc_s|libstdc\+\+)\.so/;

/** One ELF file of the layer and how it starts. */
export interface CheckedElf {
  /** Path in the layer. */
  readonly path: string;
  readonly glibc: string | undefined;
  /** Path in the layer of the loader that starts or loads it; undefined for Lambda's own. */
  readonly loader: string | undefined;
}

/**
 * Checks every ELF file of a tree.
 * @throws {Error} When some cannot run in Lambda; the message names each with its reason.
 */
export async function checkElfFiles(tree: string, target: Architecture): Promise<CheckedElf[]> {
  const files = walk(tree).filter(({ target: link }) => link === undefined);
  const elves = await readElfFiles(files.map(({ path }) => join(tree, path)));
  const own = ownLibraries(tree);
  const opt = new Set(files.map(({ path }) => path.replace(/^lib\//, "")));
  const checked: CheckedElf[] = [];
  const faults: string[] = [];
  for (const elf of elves) {
    const path = elf.path.slice(tree.length + 1);
    const inCli = path.startsWith("aws-cli/lib/") || path.startsWith("aws-cli/bin/");
    const loader = inCli ? own.loader : undefined;
    const libraries = loader === undefined ? undefined : own.libraries;
    faults.push(...faultsOf(elf, path, target, libraries, opt));
    checked.push({ path, glibc: elf.glibc, loader });
  }
  if (faults.length === 0) return checked;
  throw new Error(
    `failed to check the ELF files for ${target.name}: ${faults.length} cannot run in Lambda\n` +
      faults.map((fault) => `  ${fault}`).join("\n"),
  );
}

function faultsOf(
  elf: ElfFile,
  path: string,
  target: Architecture,
  ownLibraryNames: ReadonlySet<string> | undefined,
  opt: ReadonlySet<string>,
): string[] {
  const faults: string[] = [];
  if (!isWholeElf(elf.path)) faults.push(`${path}: is cut off`);
  if (elf.machine !== MACHINES[target.name]) faults.push(`${path}: is for ${elf.machine}`);
  if (ownLibraryNames !== undefined) {
    const missing = elf.needed.filter((name) => !ownLibraryNames.has(name));
    if (missing.length > 0) faults.push(`${path}: the layer lacks ${missing.join(", ")}`);
    return faults;
  }
  if (elf.glibc !== undefined && isNewer(elf.glibc, LAMBDA_GLIBC)) {
    faults.push(`${path}: needs glibc ${elf.glibc}, Lambda has ${LAMBDA_GLIBC}`);
  }
  // AWS's own executable brings libraries that lie beside it, whatever they are called.
  if (path.startsWith("aws-cli/v2/")) return faults;
  // Lambda looks for libraries in /opt/lib too.
  const missing = elf.needed.filter((name) => !LAMBDA_LIBRARIES.test(name) && !opt.has(name));
  if (missing.length > 0) faults.push(`${path}: Lambda lacks ${missing.join(", ")}`);
  return faults;
}

/** The loader and the libraries that a tree has for its own Python. */
function ownLibraries(tree: string): {
  readonly loader: string | undefined;
  readonly libraries: ReadonlySet<string>;
} {
  const folder = join(tree, "aws-cli/lib");
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const loader = names.find((name) => name.startsWith("ld-linux"));
  return {
    loader: loader === undefined ? undefined : `aws-cli/lib/${basename(loader)}`,
    libraries: new Set(names),
  };
}
