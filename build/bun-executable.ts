/**
 * Finds Bun's executable for an architecture: the pinned one, checked against package-lock.json.
 *
 * npm installs only this machine's executable, so the other one is fetched with `npm pack`, whose
 * tarball must have the integrity that the lock file records; then it is kept in cache/.
 *
 * @module
 */

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import packageLock from "../package-lock.json" with { type: "json" };
import type { Architecture } from "./architectures.ts";

const ROOT = join(import.meta.dir, "..");
const CACHE = join(ROOT, "cache");

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
  const executable = join(CACHE, `bun-${target.machine}-${locked.version}`);
  if (existsSync(executable)) return executable;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, "bun-"));
  try {
    await run(["npm", "pack", "--silent", `${target.bunPackage}@${locked.version}`], folder);
    const [tarball] = [...new Bun.Glob("*.tgz").scanSync(folder)];
    if (tarball === undefined) throw new Error(`npm packed nothing for ${target.bunPackage}`);
    await checkIntegrity(join(folder, tarball), locked.integrity);
    await run(["tar", "-xzf", tarball, "package/bin/bun"], folder);
    renameSync(join(folder, "package/bin/bun"), executable);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return executable;
}

async function checkIntegrity(path: string, integrity: string): Promise<void> {
  const hash = new Bun.CryptoHasher("sha512").update(await Bun.file(path).bytes());
  const actual = `sha512-${hash.digest("base64")}`;
  if (actual !== integrity) {
    throw new Error(`failed to verify ${path}: expected ${integrity}, got ${actual}`);
  }
}

async function run(command: string[], cwd: string): Promise<void> {
  const child = Bun.spawn(command, { cwd, stdout: "ignore", stderr: "pipe" });
  const errors = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) {
    throw new Error(`failed to run ${command.join(" ")}: ${errors.trim()}`);
  }
}
