/**
 * Makes a file system image with everything that a start reads: the runtimes to compare, the shells
 * and commands that they run, and the libraries of all of them.
 *
 * A file system of its own can be made cold by unmounting it, which disturbs nobody else on the
 * machine; dropping every cache would.
 *
 * @module
 */

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { run } from "./cold-start-store.ts";

const DATA = join(import.meta.dir, "cold-start");
/** What the runtimes and the curl loop of AWS's tutorial call. */
const COMMANDS = ["sh", "bash", "curl", "mktemp", "grep", "tr", "cut"];
const MOUNT_POINTS = ["proc", "dev", "tmp", "sys"];
/** Room for the file system's own tables, in MiB. */
const TABLES_MIB = 24;

/**
 * Writes the image and returns its path.
 * @param folder An own, existing folder.
 * @param runtimes Paths of the executables, by the name that they get in the image's /opt.
 */
export async function makeImage(
  folder: string,
  runtimes: Readonly<Record<string, string>>,
): Promise<string> {
  const tree = join(folder, "tree");
  const image = join(folder, "image.ext4");
  for (const name of [...MOUNT_POINTS, "opt", "etc", "var/task"]) {
    mkdirSync(join(tree, name), { recursive: true });
  }
  for (const [name, path] of Object.entries(runtimes)) {
    copyFileSync(path, join(tree, "opt", name));
    chmodSync(join(tree, "opt", name), 0o755);
  }
  copyFileSync(join(DATA, "curl-loop.sh"), join(tree, "opt/curl-loop"));
  copyFileSync(join(DATA, "function.sh"), join(tree, "var/task/function.sh"));
  copyFileSync("/etc/ld.so.cache", join(tree, "etc/ld.so.cache"));
  const programs = COMMANDS.map((name) => Bun.which(name) ?? notFound(name));
  for (const program of programs) await addProgram(tree, program);
  for (const path of Object.values(runtimes)) await addLibraries(tree, path);
  await run([
    "mke2fs",
    "-q",
    "-t",
    "ext4",
    "-O",
    "^has_journal",
    "-m",
    "0",
    "-d",
    tree,
    image,
    size(),
  ]);
  rmSync(tree, { recursive: true, force: true });
  return image;

  function size(): string {
    const kib = Bun.spawnSync(["du", "-sk", tree]).stdout.toString().split("\t")[0];
    return `${Math.ceil(Number(kib) / 1024) + TABLES_MIB}M`;
  }
}

/** Adds a command under its own path and its libraries. */
async function addProgram(tree: string, path: string): Promise<void> {
  addFile(tree, path);
  if (path !== `/bin/${path.split("/").at(-1)}`) linkIn(tree, path);
  await addLibraries(tree, path);
}

/** Gives a command the /bin path that scripts name, wherever this machine has it. */
function linkIn(tree: string, path: string): void {
  const link = join(tree, "bin", path.split("/").at(-1) ?? "");
  mkdirSync(dirname(link), { recursive: true });
  if (!existsSync(link)) symlinkSync(path, link);
}

async function addLibraries(tree: string, path: string): Promise<void> {
  const libraries = await run(["ldd", path]);
  for (const [, library = ""] of libraries.matchAll(/(\/\S+) \(0x/g)) addFile(tree, library);
}

function addFile(tree: string, path: string): void {
  const copy = join(tree, path);
  if (existsSync(copy)) return;
  mkdirSync(dirname(copy), { recursive: true });
  copyFileSync(realpathSync(path), copy);
}

function notFound(name: string): never {
  throw new Error(`failed to make the image: there is no ${name} on PATH`);
}
