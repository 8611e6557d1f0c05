/**
 * Makes the packages of the npm registry, ready to be published: dist/npm/*.tgz.
 *
 *     bun build/npm/packages.ts
 *
 * As esbuild has them: the package that people install has no executable. Those of each kind of computer
 * are packages of their own, of which npm takes the one that fits (`os`, `cpu`, `libc`).
 *
 * @module
 */

import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import packageJson from "../../package.json" with { type: "json" };
import { type Architecture, ARCHITECTURES, HOST_ARCHITECTURE } from "../architectures.ts";
import { outcomeOf } from "../layer/command.ts";
import { reportErrors } from "../plain-errors.ts";

const ROOT = join(import.meta.dir, "../..");
const DIST = join(ROOT, "dist");
const HERE = import.meta.dir;
const SCOPE = "@lambda-shell-runtime";

/** Where the tarballs and their order are. */
export const NPM_DIST = join(DIST, "npm");

/** The tarballs in the order in which they must be published: each after those that it needs. */
export const ORDER_FILE = join(NPM_DIST, "ORDER");

const { version, license } = packageJson;

/** One package before it is packed. */
interface NpmPackage {
  /** Members of package.json besides those that all have. */
  readonly manifest: Readonly<Record<string, unknown>> & { readonly name: string };
  /** Paths in the package, each with the file that is copied there. */
  readonly files: Readonly<Record<string, string>>;
}

/** Every package, in the order in which they must be published. */
function packages(): readonly NpmPackage[] {
  return [
    ...ARCHITECTURES.map(bootstrapPackage),
    ...ARCHITECTURES.map(platformPackage),
    toolPackage(),
    constructsPackage(),
  ];
}

const platformName = ({ node }: Architecture) => `${SCOPE}/linux-${node}`;
const bootstrapName = ({ node }: Architecture) => `${SCOPE}/bootstrap-${node}`;

const LEGAL = { LICENSE: join(ROOT, "LICENSE"), NOTICE: join(ROOT, "NOTICE") };

/** For every kind of computer: what is deployed is for Lambda. */
function bootstrapPackage(architecture: Architecture): NpmPackage {
  return {
    manifest: {
      name: bootstrapName(architecture),
      description: `The runtime for shell functions on AWS Lambda (${architecture.aws})`,
    },
    files: {
      ...LEGAL,
      bootstrap: join(DIST, `bootstrap-${architecture.name}`),
      "README.md": join(HERE, "bootstrap.md"),
      "licenses/bun.txt": join(ROOT, "layer/licenses/bun.txt"),
      "licenses/LGPL-2.txt": join(ROOT, "layer/licenses/common/LGPL-2"),
    },
  };
}

function platformPackage(architecture: Architecture): NpmPackage {
  return {
    manifest: {
      name: platformName(architecture),
      description: `The executable of lambda-shell for Linux (${architecture.aws})`,
      os: ["linux"],
      cpu: [architecture.node],
      libc: ["glibc"],
      // Its files are run, not read: package managers that keep archives must unpack it.
      preferUnplugged: true,
      dependencies: { [bootstrapName(architecture)]: version },
    },
    files: {
      ...LEGAL,
      "bin/lambda-shell": join(DIST, `lambda-shell-linux-${architecture.name}`),
      "README.md": join(HERE, "platform.md"),
    },
  };
}

function toolPackage(): NpmPackage {
  return {
    manifest: {
      name: packageJson.name,
      description: packageJson.description,
      keywords: ["aws", "lambda", "shell", "bash", "custom-runtime", "serverless"],
      bin: { "lambda-shell": "bin/lambda-shell" },
      preferUnplugged: true,
      optionalDependencies: Object.fromEntries(
        ARCHITECTURES.map((each) => [platformName(each), version]),
      ),
    },
    files: {
      ...LEGAL,
      "bin/lambda-shell": join(HERE, "launcher.sh"),
      "README.md": join(HERE, "README.md"),
    },
  };
}

const CONSTRUCTS = join(ROOT, "layer/cdk");

/** The constructs of the CDK, as `tsc` has compiled them. */
function constructsPackage(): NpmPackage {
  const text = readFileSync(join(CONSTRUCTS, "package.json"), "utf8");
  const { scripts: _, devDependencies: __, files: ___, ...manifest } = JSON.parse(text);
  const compiled = [...new Bun.Glob("build/lib/*").scanSync({ cwd: CONSTRUCTS })].sort();
  return {
    manifest,
    files: {
      ...LEGAL,
      "README.md": join(CONSTRUCTS, "README.md"),
      ...Object.fromEntries(compiled.map((path) => [path, join(CONSTRUCTS, path)])),
    },
  };
}

/** Puts the files of a package together and has npm pack them. */
async function pack({ manifest, files }: NpmPackage): Promise<string> {
  const folder = join(NPM_DIST, "staged");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [path, source] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    copyFileSync(source, join(folder, path));
    const isProgram = path === "bootstrap" || path.startsWith("bin/");
    chmodSync(join(folder, path), isProgram ? 0o755 : 0o644);
  }
  const whole = { ...manifest, version, license, publishConfig: { access: "public" } };
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(whole, undefined, 2)}\n`);
  const tarball = (await npm(["pack", "--silent", "--pack-destination", NPM_DIST], folder)).trim();
  rmSync(folder, { recursive: true, force: true });
  return tarball;
}

async function npm(args: readonly string[], cwd: string): Promise<string> {
  const child = Bun.spawn(["npm", ...args], { cwd, stdout: "pipe", stderr: "pipe" });
  const { output, errors, status } = await outcomeOf(child);
  if (status === 0) return output;
  throw new Error(`failed to run npm ${args.join(" ")}: ${errors.trim()}`);
}

/** The command that installs the tool from the files for a kind of computer, this one's unless another is named. */
export function installCommand(own = HOST_ARCHITECTURE): string {
  const names = own === undefined ? [] : [platformName(own), bootstrapName(own)];
  const files = [packageJson.name, ...names].map((name) =>
    join(NPM_DIST, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`),
  );
  return `npm install ${files.map(quoted).join(" ")}`;
}

/** A path as one word of a shell's command line. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

if (import.meta.main) {
  reportErrors();
  rmSync(NPM_DIST, { recursive: true, force: true });
  const tarballs: string[] = [];
  for (const each of packages()) {
    const tarball = await pack(each);
    tarballs.push(tarball);
    console.log(`dist/npm/${tarball}  ${Bun.file(join(NPM_DIST, tarball)).size} bytes`);
  }
  writeFileSync(ORDER_FILE, `${tarballs.join("\n")}\n`);
  console.log(`to install the tool from these files: ${installCommand()}`);
}
