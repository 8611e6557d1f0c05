/**
 * The packages of `make npm`, installed from their tarballs into empty folders: without this repository,
 * from a registry on this computer that has nothing else.
 *
 * @module
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import packageJson from "../../package.json" with { type: "json" };
import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { HOST_ARCHITECTURE } from "../architectures.ts";
import { type Block, readDocuments } from "../deployments/documents/document.ts";
import { outcomeOf } from "../layer/command.ts";
import { installCommand, NPM_DIST, ORDER_FILE } from "./packages.ts";

const ROOT = join(import.meta.dir, "../..");
const { version } = packageJson;
const SCOPE = "@lambda-shell-runtime";
const NODE = HOST_ARCHITECTURE?.node ?? "";

/** What the registry knows of a package. */
interface Published {
  readonly manifest: Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly optionalDependencies?: Readonly<Record<string, string>>;
  };
  readonly tarball: string;
  readonly integrity: string;
}

const published = new Map<string, Published>();
let registry: Bun.Server<undefined>;
/** Node.js and npm, and what a shell needs; nothing of this repository. */
let path: string;

beforeAll(async () => {
  const tarballs = readFileSync(ORDER_FILE, "utf8").trim().split("\n");
  for (const tarball of tarballs) {
    const file = join(NPM_DIST, tarball);
    const read = Bun.spawnSync(["tar", "-xzOf", file, "package/package.json"]);
    const manifest = JSON.parse(read.stdout.toString());
    const hash = createHash("sha512")
      .update(await Bun.file(file).bytes())
      .digest("base64");
    published.set(manifest.name, { manifest, tarball, integrity: `sha512-${hash}` });
  }
  registry = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: serve });
  const programs = temporaryFolder("programs");
  for (const name of ["node", "npm", "npx"]) {
    symlinkSync(Bun.which(name) ?? "", join(programs, name));
  }
  path = `${programs}:/usr/bin:/bin`;
});

afterAll(() => registry.stop(true));

/** As the registry responds: what a package is, and its tarball. */
function serve(request: Request): Response {
  const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
  const file = [...published.values()].find(({ tarball }) => name === `-/${tarball}`);
  if (file !== undefined) return new Response(Bun.file(join(NPM_DIST, file.tarball)));
  const found = published.get(name);
  if (found === undefined) return new Response("{}", { status: 404 });
  const { manifest, tarball, integrity } = found;
  const dist = { tarball: `${registry.url}-/${tarball}`, integrity };
  return Response.json({
    name,
    "dist-tags": { latest: version },
    versions: { [version]: { ...manifest, dist } },
  });
}

interface Ran {
  readonly status: number;
  readonly out: string;
  readonly errors: string;
}

/** Runs a script as somebody does who has Node.js and npm, and nothing else. */
async function inFolder(
  cwd: string,
  script: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const child = Bun.spawn(["sh", "-eu", "-c", script], {
    cwd,
    env: {
      PATH: path,
      HOME: temporaryFolder("home"),
      LANG: "C.UTF-8",
      npm_config_registry: registry.url.href,
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_update_notifier: "false",
      ...environment,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { output, errors, status } = await outcomeOf(child);
  return { status, out: output, errors };
}

/** An empty folder in which the tool has been installed. */
async function installed(...options: readonly string[]): Promise<string> {
  const folder = temporaryFolder("npm");
  const { status, errors } = await inFolder(
    folder,
    `npm install ${options.join(" ")} ${packageJson.name}`,
  );
  expect([status, errors]).toEqual([0, ""]);
  return folder;
}

/** Blocks ```sh npm of a document. */
function npmBlocks(document: string): readonly Block[] {
  const lines = readFileSync(join(ROOT, document), "utf8").split("\n");
  const found = readDocuments().find(({ path: name }) => name === document);
  return (found?.blocks ?? []).filter(({ line }) => lines[line - 1] === "```sh npm");
}

test("the packages are complete, of one version, and each comes after those that it needs", () => {
  const names = [...published.keys()];
  expect(names).toEqual([
    `${SCOPE}/bootstrap-x64`,
    `${SCOPE}/bootstrap-arm64`,
    `${SCOPE}/linux-x64`,
    `${SCOPE}/linux-arm64`,
    "lambda-shell-runtime",
    "lambda-shell-runtime-cdk",
  ]);
  for (const [at, { manifest }] of [...published.values()].entries()) {
    expect(manifest).toMatchObject({ version, license: "Apache-2.0" });
    expect(manifest).not.toHaveProperty("scripts");
    expect(manifest).not.toHaveProperty("private");
    const needed = { ...manifest.dependencies, ...manifest.optionalDependencies };
    for (const [name, wanted] of Object.entries(needed)) {
      expect(names.slice(0, at)).toContain(name);
      expect(wanted).toBe(version);
    }
  }
});

test.each(["README.md", "build/npm/README.md"])(
  "the first minute of %s runs in an empty folder",
  async (document) => {
    const [block] = npmBlocks(document);
    const folder = temporaryFolder("npm");
    const { status, out, errors } = await inFolder(folder, block?.text ?? "exit 9");
    expect(`${status} ${errors}`).toStartWith("0 ");
    expect(out).toContain('{"message":"Hello, Ada!"}\n');
    const own = readdirSync(join(folder, "node_modules", SCOPE)).sort();
    // What is for another computer has not come along.
    expect(own).toEqual([`bootstrap-${NODE}`, `linux-${NODE}`]);
  },
);

test("what make npm prints installs the tool from its files, without a registry", async () => {
  const folder = temporaryFolder("npm");
  const script = `
    ${installCommand()}
    npx lambda-shell init hello
    npx lambda-shell run hello < hello/event.json`;
  const environment = { npm_config_registry: "http://127.0.0.1:9", npm_config_offline: "true" };
  const { status, out } = await inFolder(folder, script, environment);
  expect(status).toBe(0);
  expect(out).toContain('{"message":"Hello, Ada!"}\n');
});

test("the tool needs no Node.js to run, and is the process that npx has started", async () => {
  const folder = await installed();
  const script = `
    exec 3>&1
    ./node_modules/.bin/lambda-shell --version
    mkdir f
    printf 'handler() { printf %%s "$1"; }' > f/function.sh
    ./node_modules/.bin/lambda-shell serve --port 0 --metrics-port 0 f 2> log &
    until grep -qs listening log; do sleep 0.05; done
    [ "$(cat /proc/$!/comm)" = lambda-shell ]
    kill $!
    wait $!`;
  const { status, out, errors } = await inFolder(folder, script, { PATH: "/usr/bin:/bin" });
  expect([status, out, errors]).toEqual([0, `${version}\n`, ""]);
});

test("a folder with spaces, a link to the tool and a global installation do as well", async () => {
  const folder = join(temporaryFolder("npm"), "a folder; with 'odd' $(name)");
  mkdirSync(folder, { recursive: true });
  const script = `
    npm install ${packageJson.name} > /dev/null
    ln -s "$PWD/node_modules/.bin/lambda-shell" link
    ./link --version
    npm install --global --prefix "$PWD/global" ${packageJson.name} > /dev/null
    echo '{"a":1}' > event.json
    printf 'handler() { printf %%s "$1"; }' > function.sh
    global/bin/lambda-shell run < event.json`;
  const { status, out, errors } = await inFolder(folder, script);
  expect([status, out, errors]).toEqual([0, `${version}\n{"a":1}\n`, ""]);
});

test("package managers that keep each package apart find the executable, too", async () => {
  const folder = await installed();
  // As pnpm lays them out: each with links to what it needs itself.
  const script = `
    store=$PWD/store
    mkdir -p "$store/tool/node_modules/${SCOPE}" "$store/linux/node_modules/${SCOPE}" apart/node_modules
    mv node_modules/lambda-shell-runtime "$store/tool/node_modules/"
    mv node_modules/${SCOPE}/* "$store/linux/node_modules/${SCOPE}/"
    ln -s "$store/linux/node_modules/${SCOPE}/linux-${NODE}" "$store/tool/node_modules/${SCOPE}/"
    ln -s "$store/tool/node_modules/lambda-shell-runtime" apart/node_modules/
    printf 'handler() { printf %%s "$1"; }' > function.sh
    echo 7 | apart/node_modules/lambda-shell-runtime/bin/lambda-shell run`;
  const { status, out, errors } = await inFolder(folder, script);
  expect([status, out, errors]).toEqual([0, "7\n", ""]);
});

test("the bootstrap of another architecture is found when it is installed", async () => {
  const folder = await installed();
  const other = NODE === "x64" ? "arm64" : "x64";
  const arch = NODE === "x64" ? "arm64" : "amd64";
  const script = `
    printf 'handler() { echo 1; }\n' > function.sh
    set -- package --with-bootstrap --arch ${arch} --output ../f.zip --exclude node_modules --no-check .
    if npx lambda-shell "$@" 2> refused; then exit 9; fi
    grep -q 'no bootstrap for ' refused
    advised=$(sed -n 's/.*install it with: //p' refused)
    [ "$advised" = 'npm install ${SCOPE}/bootstrap-${other}' ]
    $advised > /dev/null
    npx lambda-shell "$@" > /dev/null 2>&1`;
  const { status, errors } = await inFolder(folder, script);
  expect([status, errors]).toEqual([0, ""]);
  expect(statSync(join(folder, "../f.zip")).size).toBeGreaterThan(10_000_000);
  Bun.spawnSync(["rm", join(folder, "../f.zip")]);
});

/** A `uname` that says something else. */
function uname(machine: string): string {
  const folder = temporaryFolder("uname");
  writeFileSync(join(folder, "uname"), `#!/bin/sh\necho '${machine}'\n`);
  chmodSync(join(folder, "uname"), 0o755);
  return `${folder}:${path}`;
}

test.each<[string, string, string]>([
  [
    "a Mac",
    "Darwin arm64",
    "lambda-shell runs on Linux with x86_64 or arm64, and this is Darwin arm64",
  ],
  ["another processor", "Linux riscv64", "and this is Linux riscv64"],
])("on %s the tool says where it runs", async (_name, system, message) => {
  const folder = await installed();
  const ran = await inFolder(folder, "npx lambda-shell --version", { PATH: uname(system) });
  expect([ran.status, ran.out]).toEqual([2, ""]);
  expect(ran.errors).toStartWith("error: ");
  expect(ran.errors).toContain(message);
});

test("without the executable the tool says how to get it", async () => {
  const folder = await installed("--omit=optional");
  const { status, errors } = await inFolder(folder, "npx lambda-shell --version");
  expect(status).toBe(2);
  expect(errors).toContain(`npm has not installed ${SCOPE}/linux-${NODE} beside `);
  expect(errors).toContain("npm install lambda-shell-runtime");
});

test("the bootstrap's page says what works", async () => {
  const [block] = npmBlocks("build/npm/bootstrap.md");
  const folder = temporaryFolder("npm");
  const { status, errors } = await inFolder(folder, block?.text ?? "exit 9");
  expect([status, errors]).toEqual([0, ""]);
  expect(statSync(join(folder, "bootstrap")).mode & 0o111).toBe(0o111);
});

test("the constructs of the CDK can be used by a program that has the CDK", async () => {
  const folder = temporaryFolder("npm");
  const constructs = join(ROOT, "layer/cdk/node_modules");
  const zips = join(folder, "zips");
  mkdirSync(zips);
  for (const name of ["amd64", "arm64"]) {
    writeFileSync(join(zips, `lambda-shell-runtime-${name}-${version}.zip`), "");
  }
  mkdirSync(join(folder, "code"));
  writeFileSync(join(folder, "code/function.sh"), "handler() { echo 1; }\n");
  writeFileSync(
    join(folder, "app.cjs"),
    `const { App, Stack } = require("aws-cdk-lib");
const { ShellFunction } = require("lambda-shell-runtime-cdk");
const app = new App({ outdir: "out" });
const stack = new Stack(app, "Hello");
new ShellFunction(stack, "Hello", { code: "code", zips: "zips" });
const template = app.synth().getStackByName("Hello").template;
console.log(Object.values(template.Resources).map(({ Type }) => Type).sort().join("\\n"));
`,
  );
  const script = `
    npm install --omit=peer --legacy-peer-deps lambda-shell-runtime-cdk > /dev/null
    for name in "${constructs}"/*; do ln -s "$name" node_modules/; done
    test -f node_modules/lambda-shell-runtime-cdk/build/lib/index.d.ts
    node --preserve-symlinks app.cjs`;
  const { status, out, errors } = await inFolder(folder, script);
  expect(`${status} ${errors}`).toStartWith("0 ");
  expect(out).toContain("AWS::Lambda::Function\nAWS::Lambda::LayerVersion\n");
});

test("make install puts tool, bootstraps and completions under PREFIX, and they work from there", async () => {
  const prefix = join(temporaryFolder("prefix"), "a prefix");
  const folder = temporaryFolder("work");
  const makeInstall = (target: string) =>
    inFolder(ROOT, `make -s ${target} PREFIX='${prefix}'`, { PATH: process.env["PATH"] ?? "" });
  const first = await makeInstall("install");
  expect(`${first.status} ${first.errors}`).toStartWith("0 ");
  expect(first.out).toContain(`installed ${prefix}/bin/lambda-shell\n`);
  expect(first.out).toContain(`export PATH="${prefix}/bin:$PATH"`);
  writeFileSync(join(folder, "function.sh"), 'handler() { printf %s "$1"; }\n');
  const ran = await inFolder(
    folder,
    'echo 1 | lambda-shell run; exec lambda-shell package --with-bootstrap --output "$HOME/f.zip"',
    {
      PATH: `${prefix}/bin:/usr/bin:/bin`,
    },
  );
  expect([ran.status, ran.out.split("\n")[0]]).toEqual([0, "1"]);
  for (const file of [
    "share/bash-completion/completions/lambda-shell",
    "share/fish/vendor_completions.d/lambda-shell.fish",
    "share/zsh/site-functions/_lambda-shell",
  ]) {
    expect(readFileSync(join(prefix, file), "utf8")).toContain("|command|run|");
  }
  // Again, over what is there.
  expect((await makeInstall("install")).status).toBe(0);
  expect((await makeInstall("uninstall")).status).toBe(0);
  expect([...new Bun.Glob("**/*").scanSync({ cwd: prefix })]).toEqual([]);
});

test("what make tool leaves in dist/ finds the bootstrap, also through a link", async () => {
  const folder = temporaryFolder("work");
  writeFileSync(join(folder, "function.sh"), 'handler() { printf %s "$1"; }\n');
  symlinkSync(join(ROOT, "dist/lambda-shell"), join(folder, "tool"));
  const { status, out, errors } = await inFolder(folder, "echo 1 | ./tool run");
  expect([status, out, errors]).toEqual([0, "1\n", ""]);
});
