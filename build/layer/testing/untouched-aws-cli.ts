/**
 * Debian's AWS CLI as it is before we touch it, to compare the layer's with.
 *
 * @module
 */

import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import type { Architecture } from "../../architectures.ts";
import { PYTHON, stageDebianAwsCli } from "../aws-cli-debian.ts";
import { run } from "../command.ts";
import { DebianArchive } from "../debian.ts";
import { SOURCES } from "../sources.ts";

/** Stages the CLI without pruning, compressing or compiling, and returns the tree. */
export async function untouchedTree(target: Architecture): Promise<string> {
  const tree = temporaryFolder("untouched");
  await stageDebianAwsCli(tree, target);
  return tree;
}

/**
 * Makes a root with Debian's packages as they are installed: byte code in __pycache__, as the
 * packages' own scripts compile it. Returns the command that runs its `aws`.
 */
export async function installedAwsCli(target: Architecture): Promise<string[]> {
  const root = temporaryFolder("installed");
  const names = SOURCES.debian.packages.map(({ name }) => name);
  const packages = await new DebianArchive(target.name).packages(names);
  for (const { path } of packages.values()) await run(["dpkg-deb", "--extract", path, root]);
  for (const name of ["bin", "lib", "lib64", "sbin"]) {
    if (!existsSync(join(root, name))) symlinkSync(`usr/${name}`, join(root, name));
  }
  for (const name of ["dev", "proc", "tmp", "etc"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  await run(["mknod", "-m", "666", join(root, "dev/null"), "c", "1", "3"]);
  await run(["mknod", "-m", "666", join(root, "dev/urandom"), "c", "1", "9"]);
  const python = `/usr/bin/${PYTHON}`;
  const compile = ["-m", "compileall", "-q", "/usr/lib/python3", `/usr/lib/${PYTHON}`];
  // Some of the standard library's own tests are broken on purpose: compileall says so.
  await run(["chroot", root, python, ...compile]).catch(() => "");
  return ["chroot", root, python, "/usr/bin/aws"];
}
