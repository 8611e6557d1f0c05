/**
 * Stages Debian's AWS CLI with its Python, its loader and its libraries.
 *
 *     aws-cli/{aws,caller,pages,preload}.py    start it (layer/aws-cli)
 *     aws-cli/bin/python3.N
 *     aws-cli/lib/                       the loader and the libraries, by SONAME
 *     aws-cli/lib/python3.N/             the standard library
 *     aws-cli/lib/python3.N/site-packages/
 *     bin/aws                            starts one of them (layer/aws-cli/aws.c)
 *
 * @module
 */

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { compileAwsClient } from "./aws-client.ts";
import { run } from "./command.ts";
import { cached, DebianArchive, type DebianPackage } from "./debian.ts";
import { readElfFiles } from "./elf.ts";
import type { DebianInput } from "./inputs.ts";
import type { LicenseText, Part } from "./part.ts";
import { LAYER } from "./paths.ts";
import { step } from "./progress.ts";
import { SOURCES } from "./sources.ts";
import { walk } from "./tree.ts";
import { workFolder } from "./work-folder.ts";
import { muslPart } from "./zig.ts";

/** The loader's file name and the folder of libraries, by architecture. */
const LOADERS = {
  amd64: { loader: "ld-linux-x86-64.so.2", triplet: "x86_64-linux-gnu" },
  arm64: { loader: "ld-linux-aarch64.so.1", triplet: "aarch64-linux-gnu" },
} as const;

/** What the archive has now, and the layer needs of it; fetched. */
export async function newestInput(target: Architecture): Promise<DebianInput> {
  const archive = new DebianArchive(target.name);
  const packages = await archive.take([SOURCES.awsCli.debian.package], isWanted);
  return { kind: "debian", date: await archive.date(), packages };
}

/**
 * Stages the AWS CLI into a layer's tree.
 * @param input The packages, which lie in the cache.
 */
export async function stageDebianAwsCli(
  tree: string,
  target: Architecture,
  input: DebianInput,
): Promise<Part[]> {
  step(`unpack the AWS CLI for ${target.name}`);
  const root = workFolder("unpack");
  try {
    for (const { sha256 } of input.packages) {
      await run(["dpkg-deb", "--extract", cached(sha256), root]);
    }
    const parts = input.packages.map((debian) => partOf(debian, root, target));
    await layOut(root, tree, target);
    return [...parts, await muslPart()];
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The name of a staged tree's interpreter, as in `python3.14`. */
export function pythonOf(tree: string): string {
  return onlyPython(join(tree, "aws-cli/bin"));
}

/** The command that runs a staged tree's own Python, for this machine's architecture. */
export function stagedPython(tree: string, target: Architecture): string[] {
  const cli = join(tree, "aws-cli");
  const python = join(cli, "bin", pythonOf(tree));
  const library = join(cli, "lib");
  return [
    join(library, LOADERS[target.name].loader),
    ...["--inhibit-cache", "--library-path", library],
    ...["--argv0", python, python, "-I", "-S", "-B", "-X", "utf8"],
  ];
}

/** Whether the layer needs a package that the archive would install with the AWS CLI. */
function isWanted(name: string): boolean {
  return !SOURCES.debian.leftOut.some((rule) => new Bun.Glob(rule.name).match(name));
}

function onlyPython(folder: string): string {
  const [name, ...others] = readdirSync(folder).filter((entry) => /^python3\.\d+$/.test(entry));
  if (name !== undefined && others.length === 0) return name;
  throw new Error(
    `failed to find the one Python of the AWS CLI: there is ${[name, ...others].join(", ") || "none"}`,
  );
}

async function layOut(root: string, tree: string, target: Architecture): Promise<void> {
  const { loader, triplet } = LOADERS[target.name];
  const cli = join(tree, "aws-cli");
  const python = onlyPython(join(root, "usr/bin"));
  move(join(root, "usr/bin", python), join(cli, "bin", python));
  move(join(root, "usr/lib", python), join(cli, "lib", python));
  move(join(root, "usr/lib/python3/dist-packages"), join(cli, "lib", python, "site-packages"));
  removeOtherPythons(join(cli, "lib", python, "site-packages"), python);
  await copyLibraries(join(root, "usr/lib", triplet), join(cli, "lib"));
  replaceLinks(cli);
  for (const name of ["aws.py", "caller.py", "pages.py", "preload.py"]) {
    cpSync(join(LAYER, "aws-cli", name), join(cli, name));
  }
  mkdirSync(join(tree, "bin"), { recursive: true });
  cpSync(await compileAwsClient(target, { loader, python }), join(tree, "bin/aws"));
}

/** Copies libraries under the one name that programs ask for, their SONAME: `libz.so.1`. */
async function copyLibraries(from: string, to: string): Promise<void> {
  mkdirSync(to, { recursive: true });
  const candidates = readdirSync(from)
    .filter((name) => /\.so(\.|$)/.test(name) && existsSync(join(from, name)))
    .map((name) => join(from, name));
  for (const { path, soname } of await readElfFiles(candidates)) {
    if (soname === basename(path)) cpSync(realpathSync(path), join(to, soname));
  }
}

function move(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  renameSync(from, to);
}

/** Debian links into /etc and between its folders; a layer has only the files. */
function replaceLinks(folder: string): void {
  for (const { path, target } of walk(folder)) {
    if (target === undefined) continue;
    const link = join(folder, path);
    const file = existsSync(link) ? realpathSync(link) : undefined;
    rmSync(link);
    if (file?.startsWith(folder)) cpSync(file, link, { recursive: true, dereference: true });
  }
}

/** While Debian changes to another Python, packages have extension modules for both. */
function removeOtherPythons(sitePackages: string, python: string): void {
  const own = `cpython-${python.replace(/\D/g, "")}-`;
  for (const path of new Bun.Glob("**/*.cpython-*.so").scanSync({ cwd: sitePackages })) {
    if (!path.includes(own)) rmSync(join(sitePackages, path));
  }
}

function partOf(debian: DebianPackage, root: string, target: Architecture): Part {
  const { name, version } = debian;
  const { base } = SOURCES.debian.suites;
  const known = SOURCES.debian.packages.find((rule) => new Bun.Glob(rule.name).match(name));
  if (known === undefined) {
    step(`note: ${name} is new among the packages: add it to layer/sources.json, with its licence`);
  }
  return {
    name,
    version,
    license: known?.license ?? "LicenseRef-see-its-copyright-file",
    source: `Debian, package ${name} ${version} for ${target.name}`,
    purl:
      `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}` +
      `?arch=${target.name}&distro=${base}`,
    sha256: debian.sha256,
    licenses: [copyright(debian, root)],
  };
}

function copyright({ name, source }: DebianPackage, root: string): LicenseText {
  const path = [name, source]
    .map((folder) => join(root, "usr/share/doc", folder, "copyright"))
    .find(existsSync);
  if (path === undefined) throw new Error(`failed to find the licence of Debian's package ${name}`);
  return { fileName: `${name}.txt`, text: readFileSync(path, "utf8") };
}
