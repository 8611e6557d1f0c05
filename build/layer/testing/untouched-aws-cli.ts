/**
 * Debian's AWS CLI as it is before we touch it, to compare the layer's with.
 *
 * @module
 */

import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import type { Architecture } from "../../architectures.ts";
import { stageDebianAwsCli } from "../aws-cli-debian.ts";
import { run } from "../command.ts";
import { cached } from "../debian.ts";
import { type DebianInput, fetchRecorded, INPUTS_NAME, readInputs } from "../inputs.ts";
import { DIST } from "../paths.ts";

/** Stages the CLI without pruning, compressing or compiling, and returns the tree. */
export async function untouchedTree(target: Architecture): Promise<string> {
  const tree = temporaryFolder("untouched");
  await stageDebianAwsCli(tree, target, await builtInput(target));
  return tree;
}

/**
 * Makes a root with Debian's packages as they are installed: byte code in __pycache__, as the
 * packages' own scripts compile it. Returns the command that runs its `aws`.
 */
export async function installedAwsCli(target: Architecture): Promise<string[]> {
  const root = temporaryFolder("installed");
  for (const { sha256 } of (await builtInput(target)).packages) {
    await run(["dpkg-deb", "--extract", cached(sha256), root]);
  }
  for (const name of ["bin", "lib", "lib64", "sbin"]) {
    if (!existsSync(join(root, name))) symlinkSync(`usr/${name}`, join(root, name));
  }
  for (const name of ["dev", "proc", "tmp", "etc"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  await run(["mknod", "-m", "666", join(root, "dev/null"), "c", "1", "3"]);
  await run(["mknod", "-m", "666", join(root, "dev/urandom"), "c", "1", "9"]);
  const name = readdirSync(join(root, "usr/bin")).find((entry) => /^python3\.\d+$/.test(entry));
  const python = `/usr/bin/${name}`;
  const compile = ["-m", "compileall", "-q", "/usr/lib/python3", `/usr/lib/${name}`];
  // Some of the standard library's own tests are broken on purpose: compileall says so.
  await run(["chroot", root, python, ...compile]).catch(() => "");
  return ["chroot", root, python, "/usr/bin/aws"];
}

/**
 * The packages that the finished layer was made from.
 * @throws {Error} When it was not made from Debian's.
 */
export async function builtInput(target: Architecture): Promise<DebianInput> {
  const path = join(DIST, INPUTS_NAME);
  const input = readInputs(path)?.[target.name]?.awsCli;
  if (input?.kind !== "debian") {
    throw new Error(`failed to compare with Debian's AWS CLI: ${path} names another source`);
  }
  await fetchRecorded(input, target);
  return input;
}
