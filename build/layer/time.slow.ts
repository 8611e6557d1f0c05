/**
 * Builds the layer from a Debian archive that changes between the builds, whole, as `make dist` does:
 * packages get newer, old versions vanish, a security update comes, the mirror dies. Each build must
 * go on, write down what it took, and be repeatable from that.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { outcomeOf, run } from "./command.ts";
import { cached } from "./debian.ts";
import { type DebianInput, INPUTS_NAME } from "./inputs.ts";
import { CACHE, DIST, ROOT, SHARE } from "./paths.ts";
import { SOURCES } from "./sources.ts";
import { LocalArchive } from "./testing/local-archive.ts";
import { builtInput } from "./testing/untouched-aws-cli.ts";

const HOST = HOST_ARCHITECTURE ?? architecture("amd64");
const { suites } = SOURCES.debian;
const [UPDATES = ""] = suites.updates ?? [];
const [SECURITY = ""] = suites.security ?? [];
const NEWER = suites.newer?.suite ?? "";

const cache = temporaryFolder("time-cache");
const dist = temporaryFolder("time-dist");
let archive: LocalArchive;
let input: DebianInput;
let first: Build;

interface Build {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
  readonly sums: string;
  /** Versions by package, as the layer's own manifest says. */
  readonly versions: Readonly<Record<string, string>>;
  readonly inputs: string;
}

beforeAll(async () => {
  input = await builtInput(HOST);
  archive = await LocalArchive.start([suites.base, UPDATES, SECURITY, NEWER]);
  for (const wanted of input.packages) {
    const deb = join(temporaryFolder("deb"), basename(wanted.path));
    copyFileSync(cached(wanted.sha256), deb);
    await archive.addFile(suites.base, deb);
  }
  // What the packages depend on besides; the layer does not take it.
  const known = new Set(input.packages.map(({ name }) => name));
  for (const [name, version] of await missingDependencies(known)) {
    const pythons = input.packages.filter((wanted) => /^(lib)?python3\./.test(wanted.name));
    await archive.add(suites.base, {
      name,
      version,
      architecture: HOST.name,
      multiArch: "allowed",
      ...(name === "python3" ? { depends: pythons.map((wanted) => wanted.name).join(", ") } : {}),
    });
  }
  await archive.publish();
  shareCache();
  copyFileSync(join(DIST, `bootstrap-${HOST.name}`), join(dist, `bootstrap-${HOST.name}`));
  first = await build();
});

afterAll(() => archive.stop());

test("the first build takes what the archive has, and writes it down", () => {
  expect(first).toMatchObject({ status: 0, errors: "" });
  const record = JSON.parse(first.inputs) as Record<string, { awsCli: DebianInput }>;
  const taken = record[HOST.name]?.awsCli.packages ?? [];
  expect(taken.map(({ name, version, sha256 }) => [name, version, sha256])).toEqual(
    input.packages.map(({ name, version, sha256 }) => [name, version, sha256]),
  );
});

test("when packages are newer and old ones gone, the next build takes these", async () => {
  archive.keepSnapshot();
  await renew("libexpat1", suites.base, "9:9.0");
  await renew("python3-colorama", SECURITY, "9:9.1");
  await renew("python3-jmespath", UPDATES, "9:9.2");
  await renew("awscli", NEWER, "9:9.3");
  await archive.publish();
  const second = await build();
  expect(second).toMatchObject({ status: 0, errors: "" });
  expect(second.versions).toMatchObject({
    ...first.versions,
    libexpat1: "9:9.0",
    "python3-colorama": "9:9.1",
    "python3-jmespath": "9:9.2",
    awscli: "9:9.3",
  });
  expect(second.sums).not.toBe(first.sums);
});

test("INPUTS makes the bytes of before, from the cache, with no mirror at all", async () => {
  const again = await build({
    INPUTS: writeRecord(first),
    DEBIAN_MIRROR: "http://127.0.0.1:9/debian",
  });
  expect(again).toMatchObject({ status: 0, errors: "" });
  expect(again.sums).toBe(first.sums);
  expect(again.inputs).toBe(first.inputs);
});

test("INPUTS makes them from the mirror and the snapshots, when the cache is empty", async () => {
  forgetPackages();
  archive.requests.length = 0;
  const again = await build({ INPUTS: writeRecord(first) });
  expect(again).toMatchObject({ status: 0, errors: "" });
  expect(again.sums).toBe(first.sums);
  const snapshots = archive.requests.filter((path) => path.startsWith("/snapshots/"));
  expect(snapshots.length).toBe(4);
});

test("INPUTS says in one line which input is gone", async () => {
  forgetPackages();
  const again = await build({ INPUTS: writeRecord(first), DEBIAN_SNAPSHOTS: "http://127.0.0.1:9" });
  expect(again.status).toBe(1);
  expect(again.errors).toMatch(/^error: failed to build from the recorded inputs: gone from .*\n$/);
  for (const name of ["awscli", "libexpat1", "python3-colorama", "python3-jmespath"]) {
    expect(again.errors).toContain(`${name} ${first.versions[name]}`);
  }
  expect(again.errors).not.toContain("libc6 ");
});

test.each([
  [
    "/nowhere/inputs.json",
    /^error: failed to find INPUTS=\/nowhere\/inputs.json: it is the dist\/inputs.json of an earlier build, or that of a release\n$/,
  ],
  [join(ROOT, "package.json"), /^error: failed to read \/.*package.json: .*\n$/],
  [join(ROOT, "Makefile"), /^error: failed to read \/.*Makefile: .*\n$/],
])("INPUTS=%s is an error in one line", async (path, message) => {
  const refused = await build({ INPUTS: path });
  expect(refused.status).toBe(1);
  expect(refused.errors).toMatch(message);
});

test("a failed build says one line, and with DEBUG where it failed", async () => {
  archive.remove(NEWER, "awscli");
  archive.remove(suites.base, "awscli");
  await archive.publish();
  const refused = await build();
  expect(refused.status).toBe(1);
  expect(refused.errors).toMatch(
    /^error: failed to choose awscli .*: the archive has no package awscli: .*\n$/,
  );
  const shown = await build({ DEBUG: "1" });
  expect(shown.errors).toStartWith(refused.errors);
  expect(shown.errors).toMatch(/^\s+at .*debian\.ts:\d+/m);
  expect(shown.errors).toContain("E: Unable to locate package awscli");
});

/** Runs the recipe of the layer for this machine's architecture. */
async function build(env: Readonly<Record<string, string>> = {}): Promise<Build> {
  for (const name of readdirSync(dist))
    if (name !== `bootstrap-${HOST.name}`) rmSync(join(dist, name));
  const child = Bun.spawn([process.execPath, join(ROOT, "build/layer.ts"), HOST.name], {
    env: {
      ...process.env,
      AWS_CLI: "debian",
      JQ: "source",
      CACHE: cache,
      DIST: dist,
      ...archive.environment,
      ...env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { output, errors, status } = await outcomeOf(child);
  if (status !== 0) {
    expect(readdirSync(dist)).toEqual([`bootstrap-${HOST.name}`]);
    return { status, output, errors, sums: "", versions: {}, inputs: "" };
  }
  const [zip = ""] = [...new Bun.Glob("lambda-shell-runtime-a*.zip").scanSync({ cwd: dist })];
  const manifest = await run(["unzip", "-p", join(dist, zip), `${SHARE}/manifest.json`]);
  const { parts } = JSON.parse(manifest) as {
    readonly parts: readonly { name: string; version: string }[];
  };
  const read = (name: string) => readFileSync(join(dist, name), "utf8");
  return {
    status,
    output,
    errors,
    sums: read("SHA256SUMS"),
    versions: Object.fromEntries(parts.map(({ name, version }) => [name, version])),
    inputs: read(INPUTS_NAME),
  };
}

/** Puts a package of the first build into a suite with another version, in place of the old one. */
async function renew(name: string, suite: string, version: string): Promise<void> {
  const old = input.packages.find((wanted) => wanted.name === name);
  if (old === undefined) throw new Error(`failed to find ${name} among the packages of the layer`);
  const folder = temporaryFolder("renewed");
  const tree = join(folder, "tree");
  await run(["dpkg-deb", "--raw-extract", cached(old.sha256), tree]);
  await run(["sed", "-i", `s/^Version: .*/Version: ${version}/`, join(tree, "DEBIAN/control")]);
  const architecture = (
    await run(["dpkg-deb", "--field", cached(old.sha256), "Architecture"])
  ).trim();
  const deb = join(folder, `${name}_${version.replace(/^\d+:/, "")}_${architecture}.deb`);
  await run(["dpkg-deb", "--build", "--root-owner-group", "-Zxz", "-z0", tree, deb]);
  archive.remove(suites.base, name);
  await archive.addFile(suite, deb);
}

/** The packages that those of the layer depend on and that are not among them, with a version that fits. */
async function missingDependencies(known: ReadonlySet<string>): Promise<Map<string, string>> {
  const python = input.packages.find(({ name }) => /^python3\.\d+-minimal$/.test(name));
  const missing = new Map<string, string>();
  for (const { sha256 } of input.packages) {
    const fields = await run(["dpkg-deb", "--field", cached(sha256), "Depends", "Pre-Depends"]);
    for (const [, list = ""] of fields.matchAll(/^(?:Pre-)?Depends: (.*)$/gm)) {
      for (const alternatives of list.split(",")) {
        const [, name = "", exactly] =
          /^([^\s:(]+)[^(]*(?:\(= (\S+)\))?/.exec(alternatives.split("|")[0]?.trim() ?? "") ?? [];
        if (known.has(name)) continue;
        // Modules ask for a range of Pythons.
        const some = name.includes("python3") ? (python?.version ?? "") : "99";
        missing.set(name, exactly ?? missing.get(name) ?? some);
      }
    }
  }
  return missing;
}

function writeRecord({ inputs }: Build): string {
  const path = join(cache, "record.json");
  writeFileSync(path, inputs);
  return path;
}

/** What is not Debian's need not be made again: compiler, jq, models. */
function shareCache(): void {
  for (const path of new Bun.Glob("{jq,models,zig-[0-9]*}/**").scanSync({
    cwd: CACHE,
    dot: true,
  })) {
    mkdirSync(join(cache, path, ".."), { recursive: true });
    linkOrCopy(join(CACHE, path), join(cache, path));
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // Another file system.
  }
}

function forgetPackages(): void {
  for (const { sha256 } of input.packages) {
    const path = join(cache, "downloads", sha256);
    if (existsSync(path)) rmSync(path);
  }
}
