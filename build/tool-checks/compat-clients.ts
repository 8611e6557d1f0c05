/**
 * Fetches and builds AWS's own runtime clients and callers, at pinned versions, into
 * `cache/compat`.
 *
 * Nothing is patched: a client that does not run here as it is would be a fault of the host.
 *
 * @module
 */

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { outcomeOf } from "../layer/command.ts";
import { reportErrors } from "../plain-errors.ts";

const ROOT = join(import.meta.dir, "..", "..");
const FIXTURES = join(ROOT, "fixtures", "compat");
const CACHE = join(ROOT, "cache", "compat");

/** One client: the tools that it needs, the files that decide about it, and how it is made. */
interface Client {
  readonly name: string;
  readonly tools: readonly string[];
  readonly inputs: readonly string[];
  readonly build: (folder: string) => Promise<void>;
}

const CLIENTS: readonly Client[] = [
  {
    name: "python",
    tools: ["python3"],
    inputs: ["python/requirements.txt"],
    build: async (folder) => {
      await run(["python3", "-m", "venv", folder], ROOT);
      const requirements = join(FIXTURES, "python", "requirements.txt");
      await run([join(folder, "bin", "pip"), "install", "--quiet", "-r", requirements], ROOT);
    },
  },
  {
    name: "node",
    tools: ["node", "npm", "cmake", "make", "g++"],
    inputs: ["node/package.json", "node/package-lock.json"],
    build: async (folder) => {
      for (const file of ["package.json", "package-lock.json"]) {
        cpSync(join(FIXTURES, "node", file), join(folder, file));
      }
      // Its install script compiles AWS's C++ client.
      await run(["npm", "ci", "--no-audit", "--no-fund", "--foreground-scripts"], folder);
    },
  },
  {
    name: "go",
    tools: ["go"],
    inputs: ["go/go.mod", "go/go.sum", "go/main.go"],
    build: (folder) =>
      run(
        ["go", "build", "-mod=readonly", "-o", join(folder, "bootstrap"), "."],
        join(FIXTURES, "go"),
      ),
  },
  {
    name: "rust",
    tools: ["cargo"],
    inputs: [
      ...["rust/Cargo.toml", "rust/Cargo.lock", "rust/src/main.rs"],
      ...["rust/src/bin/http.rs", "rust/src/bin/extension.rs"],
    ],
    build: (folder) =>
      run(["cargo", "build", "--locked", "--target-dir", folder], join(FIXTURES, "rust")),
  },
  {
    name: "java",
    tools: ["java", "javac", "mvn"],
    inputs: ["java/pom.xml", "java/src/main/java/compat/App.java"],
    build: (folder) =>
      run(
        ["mvn", "-q", "-B", `-Dcompat.folder=${folder}`, "dependency:copy-dependencies", "compile"],
        join(FIXTURES, "java"),
      ),
  },
  {
    name: "aws-cli",
    tools: ["apt-get", "dpkg", "/usr/bin/python3"],
    inputs: [],
    build: debianAwsCli,
  },
];

/** Where to get what Debian's packages have too old; `make compat` looks for those packages itself. */
const WHERE: Readonly<Record<string, string>> = {
  go: " (1.26 or newer, https://go.dev/doc/install)",
  cargo: " (newer than Debian 12 has, https://rustup.rs)",
};

/** Debian's `aws` of version 2 with what it depends on, unpacked and not installed. */
async function debianAwsCli(folder: string): Promise<void> {
  const plan = await output(["apt-get", "install", "-s", "--no-install-recommends", "awscli"]);
  const packages = plan.split("\n").flatMap((line) => /^Inst (\S+)/.exec(line)?.[1] ?? []);
  if (packages.length === 0) {
    throw new Error("failed to find Debian's awscli: run apt-get update, or uninstall awscli");
  }
  await run(["apt-get", "download", "-q", ...packages], folder);
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".deb"))) {
    await run(["dpkg", "-x", file, "root"], folder);
  }
}

async function run(command: readonly string[], cwd: string): Promise<void> {
  const child = Bun.spawn(["nice", ...command], { cwd, stdout: "pipe", stderr: "pipe" });
  const { output, errors, status } = await outcomeOf(child);
  if (status !== 0) throw new Error(`failed to run ${command.join(" ")}:\n${output}${errors}`);
}

async function output(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdout: "pipe", stderr: "ignore" });
  return new Response(child.stdout).text();
}

function isPresent(tool: string): boolean {
  return tool.startsWith("/") ? existsSync(tool) : Bun.which(tool) !== null;
}

if (import.meta.main) {
  reportErrors();
  // Before the first client is built: that takes minutes.
  const tools = new Set(CLIENTS.flatMap((client) => client.tools));
  const missing = [...tools].filter((tool) => !isPresent(tool));
  if (missing.length > 0) {
    const words = missing.map((tool) => `${tool}${WHERE[tool] ?? ""}`);
    throw new Error(`failed to find ${words.join(", ")}: install what is missing`);
  }
  for (const { name, inputs, build } of CLIENTS) {
    const folder = join(CACHE, name);
    const stamp = join(folder, ".inputs");
    const wanted = inputs.map((file) => readFileSync(join(FIXTURES, file), "utf8")).join("\0");
    if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) continue;
    const startedAtMs = performance.now();
    mkdirSync(folder, { recursive: true });
    await build(folder);
    writeFileSync(stamp, wanted);
    const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
    console.log(`${name}: ready after ${seconds} s`);
  }
}
