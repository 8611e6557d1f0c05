/**
 * Finds the two Buns that our executables are made of, pinned in package.json and checked against
 * package-lock.json: the one that the runtime is compiled with, and the one that builds, tests and becomes
 * the tool. build/README.md says why.
 *
 * @module
 */

import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";

import packageLock from "../package-lock.json" with { type: "json" };
import { type Architecture, HOST_ARCHITECTURE } from "./architectures.ts";
import { npmPackageFile } from "./npm-package-file.ts";

/** How a package stands in package-lock.json, as far as it matters here. */
export interface LockedPackage {
  readonly version: string;
  readonly integrity: string;
}

/** One of the two Buns: the `small` one of the runtime, or the `newest`, which builds and tests. */
export type BunChoice = "small" | "newest";

/**
 * Returns how a Bun for an architecture is pinned.
 * @throws {Error} When it is not.
 */
export function lockedBun(target: Architecture, choice: BunChoice = "small"): LockedPackage {
  const packages: Readonly<Record<string, Partial<LockedPackage>>> = packageLock.packages;
  const name = choice === "small" ? target.compilerPackage : target.bunPackage;
  const { version, integrity } = packages[`node_modules/${name}`] ?? {};
  if (version === undefined || integrity === undefined) {
    throw new Error(`failed to find ${name} in package-lock.json: run npm install`);
  }
  return { version, integrity };
}

/**
 * Returns the path of a Bun's executable for an architecture: what becomes ours.
 * @throws {Error} When npm cannot fetch it, or its integrity is not the lock file's.
 */
export async function bunExecutable(
  target: Architecture,
  choice: BunChoice = "small",
): Promise<string> {
  if (target === HOST_ARCHITECTURE) return hostBun(choice);
  const { version, integrity } = lockedBun(target, choice);
  return npmPackageFile({
    package: target.bunPackage,
    version,
    integrity,
    file: "bin/bun",
    cachedAs: `bun-${target.machine}-${version}`,
  });
}

/**
 * Returns the path of a Bun on this machine.
 * @throws {Error} When it is not installed: they run on Linux with glibc only.
 */
export function hostBun(choice: BunChoice): string {
  const modules = join(import.meta.dir, "../node_modules");
  // npm's package of Bun has it under a name of its own.
  if (choice === "newest") return realpathSync(join(modules, ".bin/bun"));
  const name = HOST_ARCHITECTURE?.compilerPackage;
  const path = join(modules, name ?? "", "bin/bun");
  if (name !== undefined && existsSync(path)) return path;
  const machine = `${process.platform} on ${process.arch}`;
  throw new Error(
    `failed to find the Bun that compiles (${path}) for ${machine}: run npm ci, ` +
      "on Linux with glibc, x86-64 or arm64",
  );
}
