/**
 * A root file system like that of Lambda's `provided.al2023`, for either architecture: bash as
 * `sh`, a few basic programs, no Python, no user 993, and a glibc that is not newer than Lambda's.
 *
 * Amazon Linux cannot be had everywhere that the tests run. Debian bullseye's glibc, 2.31, is older
 * than Lambda's 2.34: what runs on it runs in Lambda too. The bootstrap calls functions of 2.34, so
 * that it gets bookworm's 2.36; which version it asks for, the ELF check has seen.
 *
 * @module
 */

import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Architecture } from "../../architectures.ts";
import { run } from "../command.ts";
import { DebianArchive } from "../debian.ts";
import { CACHE } from "../paths.ts";
import { workFolder } from "../work-folder.ts";

/** Releases of Debian: glibc 2.31 and 2.36. */
export type RootSuite = "bullseye" | "bookworm";

/** What a minimal Amazon Linux has, and the libraries for it. */
const PACKAGES = [
  ...["bash", "coreutils", "grep", "sed", "libc6", "libtinfo6", "libselinux1", "libpcre2-8-0"],
  ...["libpcre3", "libacl1", "libattr1", "libgmp10", "libgcc-s1"],
];

const OS_RELEASE = `NAME="Amazon Linux"
VERSION="2023"
ID="amzn"
ID_LIKE="fedora"
VERSION_ID="2023"
PRETTY_NAME="Amazon Linux 2023"
`;

/** Folders that the sandbox mounts on, or that programs expect. */
const FOLDERS = ["dev", "etc", "opt", "proc", "tmp", "root", "var/task", "var/runtime"];

/** Returns the path of the root, made once and kept in the cache. */
export async function lambdaRoot(target: Architecture, suite: RootSuite): Promise<string> {
  const kept = join(CACHE, "lambda-root", `${suite}-${target.name}`);
  if (existsSync(kept)) return kept;
  const archive = new DebianArchive(target.name, { base: suite });
  const packages = await archive.fetch(await archive.newest(PACKAGES));
  const folder = workFolder("lambda-root");
  const tarballs = workFolder("lambda-root-packages");
  for (const name of ["usr/bin", "usr/lib", "usr/sbin", "usr/lib64", ...FOLDERS]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  for (const name of ["bin", "lib", "sbin", "lib64"])
    symlinkSync(`usr/${name}`, join(folder, name));
  for (const [name, path] of packages) {
    // bullseye has /bin beside /usr/bin; tar can leave the links of a merged /usr alone.
    const tarball = join(tarballs, `${name}.tar`);
    await Bun.write(tarball, Bun.spawn(["dpkg-deb", "--fsys-tarfile", path]).stdout);
    await run(["tar", "--extract", "--keep-directory-symlink", "-f", tarball, "-C", folder]);
  }
  rmSync(join(folder, "usr/bin/sh"), { force: true });
  symlinkSync("bash", join(folder, "usr/bin/sh"));
  writeFileSync(join(folder, "etc/os-release"), OS_RELEASE);
  writeFileSync(join(folder, "etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n");
  writeFileSync(join(folder, "etc/hosts"), "127.0.0.1 localhost\n");
  mkdirSync(join(CACHE, "lambda-root"), { recursive: true });
  renameSync(folder, kept);
  return kept;
}
