/**
 * Compiles an entry of src/ into one native executable per architecture, reproducibly.
 *
 *     bun build/compile.ts bootstrap          # dist/bootstrap-amd64 and dist/bootstrap-arm64
 *     bun build/compile.ts lambda-shell       # dist/lambda-shell-linux-amd64 and -arm64
 *     bun build/compile.ts bootstrap amd64    # one of them
 *
 * @module
 */

import { chmodSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";

import { type Architecture, architecture, ARCHITECTURES } from "./architectures.ts";
import { bunExecutable } from "./bun-executable.ts";

const ROOT = join(import.meta.dir, "..");

interface Program {
  readonly entry: string;
  readonly outputName: (target: Architecture) => string;
}

const PROGRAMS: Readonly<Record<string, Program>> = {
  bootstrap: {
    entry: "src/bootstrap.ts",
    outputName: ({ name }) => `bootstrap-${name}`,
  },
  "lambda-shell": {
    entry: "src/lambda-shell.ts",
    outputName: ({ name }) => `lambda-shell-linux-${name}`,
  },
};

/**
 * Compiles one program for one architecture and returns the path of the executable.
 * @throws {Error} When Bun refuses to compile it, with Bun's own words.
 */
async function compile(program: Program, target: Architecture): Promise<string> {
  const output = join(ROOT, "dist", program.outputName(target));
  const unfinished = `${output}.unfinished`;
  const build = Bun.spawn(
    [
      process.execPath,
      "build",
      "--compile",
      `--target=${target.bunTarget}`,
      `--compile-executable-path=${await bunExecutable(target)}`,
      // Lambda starts us in the user's folder: nothing in it may configure us (R23).
      "--no-compile-autoload-dotenv",
      "--no-compile-autoload-bunfig",
      "--no-compile-autoload-tsconfig",
      "--no-compile-autoload-package-json",
      // Measured: byte code saves about 1 ms of start; with top-level await it needs ESM.
      "--bytecode",
      "--format=esm",
      "--minify",
      `--outfile=${unfinished}`,
      program.entry,
    ],
    { cwd: ROOT, stdout: "pipe", stderr: "pipe" },
  );
  const [log, errors] = await Promise.all([
    new Response(build.stdout).text(),
    new Response(build.stderr).text(),
  ]);
  if ((await build.exited) !== 0) {
    throw new Error(`failed to compile ${program.entry} for ${target.name}:\n${log}${errors}`);
  }
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, output);
  return output;
}

if (import.meta.main) {
  const [programName = "bootstrap", ...names] = process.argv.slice(2);
  const program = PROGRAMS[programName];
  if (program === undefined) {
    throw new RangeError(
      `unknown program ${programName}: it is one of ${Object.keys(PROGRAMS).join(", ")}`,
    );
  }
  const targets = names.length > 0 ? names.map(architecture) : ARCHITECTURES;
  mkdirSync(join(ROOT, "dist"), { recursive: true });
  for (const target of targets) {
    const output = await compile(program, target);
    console.log(`${output.slice(ROOT.length + 1)}  ${Bun.file(output).size} bytes`);
  }
}
