/**
 * Runs what the documents tell people to run, and parses what they tell them to write.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { bootstrapExecutable } from "../../../src/testing/bootstrap-process.ts";
import { toolCommand } from "../../../src/testing/running-tool.ts";
import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { ROOT } from "../layer-dist.ts";
import { MotoServer, pythonProgram } from "../moto-server.ts";
import { run } from "../run.ts";
import { type Block, type Document, readDocuments } from "./document.ts";
import { LambdaFront } from "./lambda-front.ts";

/** Time limit of one document, in ms; about 10 s on two idle cores, the zip of README.md most of it. */
const LIMIT_MS = 240_000;

/** Begins each block's part of the output; no document prints it. */
const MARK = "\u0001block ";

let moto: MotoServer;
let front: LambdaFront;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  moto = await MotoServer.start({ MOTO_IAM_LOAD_MANAGED_POLICIES: "true" });
  front = LambdaFront.start(moto);
  environment = {
    ...front.environment,
    BOOTSTRAP: bootstrapExecutable(),
    HOME: temporaryFolder("home"),
    LANG: "C.UTF-8",
  };
}, LIMIT_MS);

afterAll(async () => {
  await front.stop();
  await moto.stop();
});

const documents = readDocuments();

const LAMBDA_SHELL = toolCommand([]);

/** The names by which the headings of a document are reached, as GitHub makes them. */
function anchorsOf(markdown: string): ReadonlySet<string> {
  const text = markdown.replace(/^```[\s\S]*?^```/gm, "");
  return new Set(
    [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

for (const document of documents) {
  describe(document.path, () => {
    if (document.blocks.some(({ kind }) => kind === "run" || kind === "file")) {
      test("its commands run and print what it says", () => runDocument(document), LIMIT_MS);
    }
    for (const block of document.blocks) {
      const name = `${document.path}:${block.line}`;
      if (block.kind === "fails") {
        test(`${name} fails with: ${block.message}`, () => fails(block, block.message), LIMIT_MS);
      }
      if (block.kind === "wrong") {
        test(`${name} says what it is`, () => expect(block.reason).toBe(""));
      }
      if (block.kind === "elsewhere") {
        test(`${name} is correct shell`, () => checkShell(block.text), LIMIT_MS);
      }
      if (block.kind === "data")
        test(`${name} is ${block.language}`, () => parses(block), LIMIT_MS);
    }
    test("its links lead to files, and to headings in them", () => {
      const text = readFileSync(join(ROOT, document.path), "utf8");
      for (const [, target = "", anchor] of text.matchAll(/\]\(([^)#\s]*)(?:#([^)]*))?\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const path = target === "" ? document.path : join(dirname(document.path), target);
        expect(`${path} ${existsSync(join(ROOT, path))}`).toBe(`${path} true`);
        if (anchor === undefined) continue;
        const anchors = anchorsOf(readFileSync(join(ROOT, path), "utf8"));
        expect(`${path}#${anchor} ${anchors.has(anchor)}`).toBe(`${path}#${anchor} true`);
      }
    });
  });
}

/** A folder that looks like the repository, in which a document may leave what it makes. */
function scratch(): string {
  const folder = temporaryFolder("document");
  mkdirSync(join(folder, "dist"));
  for (const name of readdirSync(ROOT)) {
    if (name !== "dist" && name !== ".git") symlinkSync(join(ROOT, name), join(folder, name));
  }
  for (const name of readdirSync(join(ROOT, "dist"))) {
    symlinkSync(join(ROOT, "dist", name), join(folder, "dist", name));
  }
  return folder;
}

/** PATH with the tool, the AWS CLI, and a make that only shows what a slow target would run. */
function tools(): string {
  const folder = temporaryFolder("tools");
  const programs = {
    aws: `exec ${pythonProgram("aws")} "$@"`,
    "lambda-shell": `exec ${LAMBDA_SHELL.join(" ")} "$@"`,
    // Whatever runs for long is run by its own target in CI; here it must at least be a target.
    make: `case "$*" in
run* | help) exec /usr/bin/make -C "${ROOT}" -s "$@" ;;
package*) /usr/bin/make -C "${ROOT}" -s "$@" && ln -sf "${ROOT}"/dist/*.zip dist/ && exit ;;
esac
exec /usr/bin/make -C "${ROOT}" -n "$@" > /dev/null`,
  };
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return `${folder}:/usr/local/bin:/usr/bin:/bin`;
}

/** Runs a script in a process group of its own, which is ended with everything that it started. */
async function runScript(script: string, cwd: string) {
  const child = Bun.spawn(["sh", "-eu", "-c", script], {
    cwd,
    env: { ...environment, PATH: tools() },
    stdin: "ignore",
    stdout: Bun.file(join(cwd, ".stdout")),
    stderr: Bun.file(join(cwd, ".stderr")),
    detached: true,
  });
  const status = await child.exited;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // The script left nothing running.
  }
  const [stdout, stderr] = await Promise.all([
    Bun.file(join(cwd, ".stdout")).text(),
    Bun.file(join(cwd, ".stderr")).text(),
  ]);
  return { status, stdout, stderr };
}

async function runDocument(document: Document): Promise<void> {
  const cwd = scratch();
  let script = "";
  for (const block of document.blocks) {
    if (block.kind === "file" || (block.kind === "data" && block.file !== undefined)) {
      script += await placeFile(cwd, block);
    } else if (block.kind === "run") {
      script += `printf '%s\\n' '${MARK}${block.line}'\n${block.text}`;
    }
  }
  const { status, stdout, stderr } = await runScript(script, cwd);
  expect(`${document.path}: status ${status}\n${status === 0 ? "" : stdout + stderr}`).toBe(
    `${document.path}: status 0\n`,
  );
  const printed = new Map(
    stdout.split(MARK).map((part) => {
      const end = part.indexOf("\n");
      return [Number(part.slice(0, end)), part.slice(end + 1)] as const;
    }),
  );
  for (const [index, block] of document.blocks.entries()) {
    if (block.kind !== "output") continue;
    const before = document.blocks[index - 1];
    expect(printed.get(before?.line ?? 0)).toBe(block.text);
  }
}

/** Files appear where the reader is by then, so the script itself writes them. */
async function placeFile(cwd: string, block: Block & { readonly file?: string }): Promise<string> {
  const file = block.file ?? "";
  if (file.endsWith(".sh")) await checkShell(block.text);
  const source = join(cwd, `.block-${block.line}`);
  writeFileSync(source, block.text);
  // Beside the files before it, which it may load.
  mkdirSync(join(cwd, ".files"), { recursive: true });
  if (!file.includes("/")) writeFileSync(join(cwd, ".files", file), block.text);
  if (/^handler\(\)/m.test(block.text)) await checkHandler(file, join(cwd, ".files"));
  return `cp '${source}' '${file}'\n`;
}

/** Checks a function as its reader would, by `lambda-shell check`. */
async function checkHandler(file: string, folder: string): Promise<void> {
  const handler = `${file.replace(/\.sh$/, "")}.handler`;
  await run([...LAMBDA_SHELL, "check", "--handler", handler, folder]);
}

async function fails(block: Block, message: string): Promise<void> {
  const { status, stdout, stderr } = await runScript(block.text, temporaryFolder("failure"));
  expect(stdout + stderr).toContain(message);
  expect(status).not.toBe(0);
}

/** Checks the syntax, and that every target of make in it exists. */
async function checkShell(text: string): Promise<void> {
  const file = join(temporaryFolder("shell"), "block.sh");
  writeFileSync(file, text.startsWith("#!") ? text : `# shellcheck shell=sh\n${text}`);
  // SC2034: a snippet may set a variable for the reader; SC2164: a terminal says when cd fails.
  await run(["shellcheck", "--exclude=SC2034,SC2164", file]);
  for (const [, targets = ""] of text.matchAll(/^(?:\w+=\S+ )*make ([a-z][a-z -]*)$/gm)) {
    await run(["make", "-C", ROOT, "-n", "LAYER_DIST=dist", ...targets.split(" ")]);
  }
}

async function parses(block: Block & { readonly kind: "data" }): Promise<void> {
  switch (block.language) {
    case "json":
      JSON.parse(block.text);
      return;
    case "yaml": {
      if (!block.text.startsWith("AWSTemplateFormatVersion")) {
        Bun.YAML.parse(block.text);
        return;
      }
      const folder = temporaryFolder("template");
      writeFileSync(join(folder, "template.yaml"), block.text);
      symlinkSync(join(ROOT, "fixtures"), join(folder, "fixtures"));
      await run([pythonProgram("cfn-lint"), join(folder, "template.yaml")]);
      return;
    }
    case "toml":
      Bun.TOML.parse(block.text);
      return;
    case "hcl":
      await run([
        ...[pythonProgram("python"), "-c", "import hcl2, sys; hcl2.loads(sys.argv[1])"],
        block.text,
      ]);
      return;
    case "ts":
      new Bun.Transpiler({ loader: "ts" }).scan(block.text);
      return;
  }
}

test(
  "what the documents make on AWS they also delete",
  async () => {
    for (const words of [
      ["lambda", "list-functions", "--query", "Functions[].FunctionName"],
      ["iam", "list-roles", "--query", "Roles[].RoleName"],
      ["logs", "describe-log-groups", "--query", "logGroups[].logGroupName"],
    ]) {
      const { stdout } = await run([pythonProgram("aws"), ...words], { env: environment });
      expect(JSON.parse(stdout)).toEqual([]);
    }
  },
  LIMIT_MS,
);

test("the first page has no command that is left out of the tests", () => {
  const readme = documents.find(({ path }) => path === "README.md");
  const lines = readFileSync(join(ROOT, "README.md"), "utf8").split("\n");
  const elsewhere = readme?.blocks.filter(({ kind }) => kind === "elsewhere") ?? [];
  // `make test-npm` runs that one, with the packages that it needs.
  expect(elsewhere.map(({ line }) => lines[line - 1])).toEqual(["```sh npm"]);
});

test(
  "the flags in the table of README.md are those of the commands, with their defaults",
  async () => {
    const readme = readFileSync(join(ROOT, "README.md"), "utf8");
    const rows = [...readme.matchAll(/^\| `(--[a-z-]+(?: <.+?>)?)` \| (.+?) \|/gm)];
    expect(rows.length).toBeGreaterThan(10);
    for (const command of ["run", "dev", "serve", "invoke"]) {
      const { stdout } = await run([...LAMBDA_SHELL, command, "--help"]);
      const options = stdout.replace(/\n {10,}/g, " ").split("\n");
      for (const [, flag = "", defaults = ""] of rows) {
        const option = options.find((line) => line.startsWith(`  ${flag} `));
        expect(`${command} ${flag} ${option !== undefined}`).toBe(`${command} ${flag} true`);
        const [, actual = "none"] = /\(default: "?([\w.:]+)"?\)/.exec(option ?? "") ?? [];
        if (actual !== "none") expect(`${flag} ${defaults}`).toContain(`\`${actual}\``);
      }
    }
  },
  LIMIT_MS,
);

test("every document with commands is found", () => {
  const paths = documents.map(({ path }) => path);
  for (const path of ["README.md", "CONTRIBUTING.md", "layer/sam/README.md"]) {
    expect(paths).toContain(path);
  }
});
