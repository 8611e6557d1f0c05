/**
 * Stages Debian's AWS CLI with its Python, its loader and its libraries.
 *
 *     aws-cli/aws.py                     starts it (layer/aws-cli/aws.py)
 *     aws-cli/bin/python3.13
 *     aws-cli/lib/                       the loader and the libraries, by SONAME
 *     aws-cli/lib/python3.13/            the standard library
 *     aws-cli/lib/python3.13/site-packages/
 *     bin/aws                            layer/aws-cli/aws.sh
 *
 * @module
 */

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { run } from "./command.ts";
import { DebianArchive, type FetchedPackage } from "./debian.ts";
import { readElfFiles } from "./elf.ts";
import type { LicenseText, Part } from "./part.ts";
import { LAYER } from "./paths.ts";
import { step } from "./progress.ts";
import { SOURCES } from "./sources.ts";
import { workFolder } from "./work-folder.ts";

/** The loader's file name and the folder of libraries, by architecture. */
const LOADERS = {
  amd64: { loader: "ld-linux-x86-64.so.2", triplet: "x86_64-linux-gnu" },
  arm64: { loader: "ld-linux-aarch64.so.1", triplet: "aarch64-linux-gnu" },
} as const;

/** Name of the staged interpreter, as in `python3.13`. */
export const PYTHON = `python${SOURCES.awsCli.debian.python}`;

/** Stages the AWS CLI into a layer's tree and returns what it consists of. */
export async function stageDebianAwsCli(tree: string, target: Architecture): Promise<Part[]> {
  const names = SOURCES.debian.packages.map(({ name }) => name);
  const packages = await new DebianArchive(target.name).packages(names);
  step(`unpack the AWS CLI for ${target.name}`);
  const root = workFolder("unpack");
  try {
    for (const { path } of packages.values()) await run(["dpkg-deb", "--extract", path, root]);
    await layOut(root, tree, target);
    return [...packages.values()].map((fetched) => partOf(fetched, root, target));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The command that runs a staged tree's own Python, for this machine's architecture. */
export function stagedPython(tree: string, target: Architecture): string[] {
  const cli = join(tree, "aws-cli");
  const python = join(cli, "bin", PYTHON);
  const library = join(cli, "lib");
  return [
    join(library, LOADERS[target.name].loader),
    ...["--inhibit-cache", "--library-path", library],
    ...["--argv0", python, python, "-I", "-S", "-B", "-X", "utf8"],
  ];
}

async function layOut(root: string, tree: string, target: Architecture): Promise<void> {
  const { loader, triplet } = LOADERS[target.name];
  const cli = join(tree, "aws-cli");
  copy(join(root, "usr/bin", PYTHON), join(cli, "bin", PYTHON));
  copy(join(root, "usr/lib", PYTHON), join(cli, "lib", PYTHON));
  copy(join(root, "usr/lib/python3/dist-packages"), join(cli, "lib", PYTHON, "site-packages"));
  await copyLibraries(join(root, "usr/lib", triplet), join(cli, "lib"));
  copy(join(LAYER, "aws-cli/aws.py"), join(cli, "aws.py"));
  const script = readFileSync(join(LAYER, "aws-cli/aws.sh"), "utf8")
    .replaceAll("@LOADER@", loader)
    .replaceAll("@PYTHON@", PYTHON);
  mkdirSync(join(tree, "bin"), { recursive: true });
  writeFileSync(join(tree, "bin/aws"), script);
  chmodSync(join(tree, "bin/aws"), 0o755);
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

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  // Debian links into /etc and between its folders; a layer has only the files.
  cpSync(from, to, {
    recursive: true,
    dereference: true,
    filter: (path) => existsSync(path),
  });
}

function partOf({ pin }: FetchedPackage, root: string, target: Architecture): Part {
  const { suite, packages } = SOURCES.debian;
  const license = packages.find(({ name }) => name === pin.name)?.license ?? "NOASSERTION";
  return {
    name: pin.name,
    version: pin.version,
    license,
    source: `Debian ${suite}, package ${pin.name} ${pin.version} for ${target.name}`,
    purl:
      `pkg:deb/debian/${encodeURIComponent(pin.name)}@${encodeURIComponent(pin.version)}` +
      `?arch=${target.name}&distro=${suite}`,
    sha256: pin.sha256,
    licenses: [copyright(pin.name, root)],
  };
}

function copyright(name: string, root: string): LicenseText {
  const path = join(root, "usr/share/doc", name, "copyright");
  return { fileName: `${name}.txt`, text: readFileSync(path, "utf8") };
}
