/**
 * Compiles the staged Python modules to byte code: /opt is read-only, so that Python could keep
 * none itself and would compile at every start. Measured: `aws --version` takes 1.35 s without
 * byte code and 0.36 s with it. What every start needs is then put into a few files (indexes.py).
 *
 * @module
 */

import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";

import { type Architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { pythonOf, stageDebianAwsCli, stagedPython } from "./aws-cli-debian.ts";
import { run } from "./command.ts";
import type { DebianInput } from "./inputs.ts";
import { type Saving, treeBytes } from "./prune.ts";
import { keptOrMade } from "./recipe.ts";

/**
 * Compiles every module of a tree to byte code and removes the sources, and adds what the
 * CLI compiles at every start, compiled.
 * @param input The packages of this machine's architecture, whose Python compiles.
 */
export async function compileByteCode(tree: string, input: DebianInput): Promise<Saving> {
  const before = treeBytes(tree);
  const python = await hostPython(input);
  copyFileSync(python.compiled, join(tree, "aws-cli/compiled.bin"));
  const scripts = [
    [join(import.meta.dir, "byte-code.py"), tree],
    [join(import.meta.dir, "indexes.py"), join(tree, "aws-cli"), python.modules],
  ];
  for (const script of scripts) {
    await run([...python.command, ...WITHOUT_COLUMNS, ...script], { env: PYTHON_ENVIRONMENT });
  }
  return {
    name: "byte code and indexes instead of source",
    files: 0,
    bytes: before - treeBytes(tree),
  };
}

/** With a random hash seed Python would write sets in a random order. */
const PYTHON_ENVIRONMENT = { PYTHONHASHSEED: "0" };

/**
 * Columns of instructions, which a traceback underlines in the source: there is no source.
 *
 * @see https://docs.python.org/3/using/cmdline.html#cmdoption-X
 */
const WITHOUT_COLUMNS = ["-X", "no_debug_ranges"];

/** An account for calls that reach nobody, and no settings of the user who builds. */
const NOBODY = {
  PATH: "/usr/bin:/bin",
  LC_ALL: "C.UTF-8",
  HOME: "/nonexistent",
  AWS_CONFIG_FILE: "/nonexistent",
  AWS_SHARED_CREDENTIALS_FILE: "/nonexistent",
  AWS_ACCESS_KEY_ID: "nobody",
  AWS_SECRET_ACCESS_KEY: "nobody",
  AWS_DEFAULT_REGION: "us-east-1",
  AWS_MAX_ATTEMPTS: "1",
};

interface HostPython {
  readonly command: readonly string[];
  /** File of what the CLI compiles at every start, compiled. */
  readonly compiled: string;
  /** File with the names of the modules that the CLI's common commands import. */
  readonly modules: string;
}

/**
 * This machine's Python, which compiles for every architecture: what it compiles fits them all.
 * Unpacking it and running the CLI's commands takes 12 s (measured), so that it stays in the cache.
 */
async function hostPython(input: DebianInput): Promise<HostPython> {
  const host = HOST_ARCHITECTURE;
  if (host === undefined) throw new Error(`failed to find a Python for ${process.arch}`);
  const makers = ["byte-code.ts", "aws-cli-debian.ts", "compiled.py"];
  const kept = await keptOrMade({
    kind: "python",
    target: host,
    values: input.packages.map(({ sha256 }) => sha256),
    files: makers.map((name) => join(import.meta.dir, name)),
    isWhole: existsSync,
    make: async (folder) => {
      await stageHostPython(folder, host, input);
      return folder;
    },
  });
  return { command: pythonCommand(kept, host), ...recordedIn(kept) };
}

async function stageHostPython(
  tree: string,
  host: Architecture,
  input: DebianInput,
): Promise<void> {
  await stageDebianAwsCli(tree, host, input);
  const sitePackages = join(tree, "aws-cli/lib", pythonOf(tree), "site-packages");
  const { compiled, modules } = recordedIn(tree);
  const script = join(import.meta.dir, "compiled.py");
  // With a proxy or a profile of the user's the commands would import other modules.
  const variables = Object.entries({ ...PYTHON_ENVIRONMENT, ...NOBODY });
  const environment = variables.map(([name, value]) => `${name}=${value}`);
  const python = pythonCommand(tree, host);
  await run(["env", "-i", ...environment, ...python, script, sitePackages, compiled, modules], {
    cwd: "/",
  });
}

/** The staged Python without -I, which would ignore the hash seed. */
function pythonCommand(tree: string, host: Architecture): readonly string[] {
  return stagedPython(tree, host).filter((flag) => flag !== "-I");
}

/** Where a tree has what compiled.py records. */
function recordedIn(tree: string): Omit<HostPython, "command"> {
  return { compiled: join(tree, "compiled.bin"), modules: join(tree, "modules.txt") };
}
