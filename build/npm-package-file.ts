/**
 * Fetches one file out of a package of the npm registry, checks its integrity, keeps it in cache/.
 *
 * npm installs only the executables of the machine it runs on; `npm pack` gets those of another.
 *
 * @module
 */

import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const CACHE = join(import.meta.dir, "../cache");

/** One file of one exact package. */
export interface NpmPackageFile {
  readonly package: string;
  readonly version: string;
  /** The tarball's, as a lock file spells it: `sha512-` and base64. */
  readonly integrity: string;
  /** Path inside the package. */
  readonly file: string;
  /** Its name in cache/, which must change with the version. */
  readonly cachedAs: string;
}

/**
 * Returns the path of the file in the cache, fetching it first if it is not there.
 * @throws {Error} When npm cannot fetch the package, or its integrity is another.
 */
export async function npmPackageFile(wanted: NpmPackageFile): Promise<string> {
  const cached = join(CACHE, wanted.cachedAs);
  if (existsSync(cached)) return cached;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, "npm-pack-"));
  try {
    await run(["npm", "pack", "--silent", `${wanted.package}@${wanted.version}`], folder);
    const [tarball] = [...new Bun.Glob("*.tgz").scanSync(folder)];
    if (tarball === undefined) throw new Error(`npm packed nothing for ${wanted.package}`);
    await checkIntegrity(join(folder, tarball), wanted.integrity);
    await run(["tar", "-xzf", tarball, `package/${wanted.file}`], folder);
    renameSync(join(folder, "package", wanted.file), cached);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return cached;
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
