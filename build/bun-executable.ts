/**
 * Finds Bun's executable for an architecture: the pinned one, checked against package-lock.json.
 *
 * @module
 */

import packageLock from "../package-lock.json" with { type: "json" };
import type { Architecture } from "./architectures.ts";
import { npmPackageFile } from "./npm-package-file.ts";

/** How a package stands in package-lock.json, as far as it matters here. */
interface LockedPackage {
  readonly version: string;
  readonly integrity?: string;
}

/**
 * Returns the path of Bun's executable for an architecture.
 * @throws {Error} When npm cannot fetch it, or its integrity is not the lock file's.
 */
export async function bunExecutable(target: Architecture): Promise<string> {
  // npm's x64 package is the baseline build, byte for byte (measured with cmp on 1.4.5).
  if (target.node === process.arch) return process.execPath;
  const packages: Readonly<Record<string, LockedPackage>> = packageLock.packages;
  const locked = packages[`node_modules/${target.bunPackage}`];
  if (locked?.integrity === undefined) {
    throw new Error(`failed to find ${target.bunPackage} in package-lock.json: run npm install`);
  }
  return npmPackageFile({
    package: target.bunPackage,
    version: locked.version,
    integrity: locked.integrity,
    file: "bin/bun",
    cachedAs: `bun-${target.machine}-${locked.version}`,
  });
}
