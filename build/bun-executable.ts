/**
 * Finds the Bun that our executables are compiled with, pinned in package.json and checked against
 * package-lock.json. It is another version than the Bun that runs the builds and the tests:
 * build/README.md says why.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

import packageLock from "../package-lock.json" with { type: "json" };
import { type Architecture, HOST_ARCHITECTURE } from "./architectures.ts";
import { npmPackageFile } from "./npm-package-file.ts";

/** How a package stands in package-lock.json, as far as it matters here. */
export interface LockedPackage {
  readonly version: string;
  readonly integrity: string;
}

/**
 * Returns how the Bun for an architecture is pinned.
 * @throws {Error} When it is not.
 */
export function lockedBun(target: Architecture): LockedPackage {
  const packages: Readonly<Record<string, Partial<LockedPackage>>> = packageLock.packages;
  const { version, integrity } = packages[`node_modules/${target.compilerPackage}`] ?? {};
  if (version === undefined || integrity === undefined) {
    throw new Error(
      `failed to find ${target.compilerPackage} in package-lock.json: run npm install`,
    );
  }
  return { version, integrity };
}

/**
 * Returns the path of Bun's executable for an architecture: what becomes ours.
 * @throws {Error} When npm cannot fetch it, or its integrity is not the lock file's.
 */
export async function bunExecutable(target: Architecture): Promise<string> {
  if (target === HOST_ARCHITECTURE) return compilerBun();
  const { version, integrity } = lockedBun(target);
  return npmPackageFile({
    package: target.bunPackage,
    version,
    integrity,
    file: "bin/bun",
    cachedAs: `bun-${target.machine}-${version}`,
  });
}

/**
 * Returns the path of the Bun that compiles, on this machine.
 * @throws {Error} When it is not installed: it runs on Linux with glibc only.
 */
export function compilerBun(): string {
  const name = HOST_ARCHITECTURE?.compilerPackage;
  const path = join(import.meta.dir, "../node_modules", name ?? "", "bin/bun");
  if (name !== undefined && existsSync(path)) return path;
  const machine = `${process.platform} on ${process.arch}`;
  throw new Error(
    `failed to find the Bun that compiles (${path}) for ${machine}: run npm ci, ` +
      "on Linux with glibc, x86-64 or arm64",
  );
}
