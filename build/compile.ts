/**
 * Compiles an entry of src/ into one native executable per architecture, reproducibly.
 *
 *     bun build/compile.ts bootstrap          # dist/bootstrap-amd64 and dist/bootstrap-arm64
 *     bun build/compile.ts lambda-shell       # dist/lambda-shell-linux-amd64 and -arm64
 *     bun build/compile.ts bootstrap amd64    # one of them
 *
 * With PREFETCH=off in the environment it does not ask for its pages (build/prefetch/README.md).
 *
 * @module
 */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type Architecture, architecture, ARCHITECTURES } from "./architectures.ts";
import { type BunChoice, bunExecutable, hostBun, lockedBun } from "./bun-executable.ts";
import { outcomeOf } from "./layer/command.ts";
import { optimize } from "./optimizer.ts";
import { reportErrors } from "./plain-errors.ts";
import { readProfile } from "./prefetch/hot-pages.ts";
import { addStub } from "./prefetch/prefetch.ts";
import type { ProgramEnvironment } from "./prefetch/stub.ts";
import { withoutPrivateNames } from "./private-names.ts";
import { shrink } from "./shrink.ts";

const ROOT = join(import.meta.dir, "..");

/**
 * How the JavaScript engine runs the runtime: in one thread, and compiling only what runs often.
 * build/prefetch/README.md has the measurements.
 */
const ENGINE_OPTIONS = [
  // The optimizing compilers cost an environment of a few hundred events more than they save.
  "BUN_JSC_useDFGJIT=0",
  // The simple one costs little and makes a loop over bytes five times as fast: after 2,000 rounds of
  // a loop or some 130 calls, instead of 500 and 30, so that it does not fall on the first events, which
  // have the least of a processor; in the thread that waits for it anyway.
  "BUN_JSC_thresholdForJITAfterWarmUp=2000",
  "BUN_JSC_thresholdForJITSoon=2000",
  "BUN_JSC_useConcurrentJIT=0",
  // The heap is small: garbage is collected where it is made, without helpers.
  "BUN_JSC_useConcurrentGC=0",
  "BUN_JSC_numberOfGCMarkers=1",
  // A thread that prepares memory for allocations to come; it brings a second one of the allocator's.
  "BUN_JSC_useWarmUpMarkedBlocks=0",
  // The first collection comes after so many bytes instead of 1 MiB, which is reached in the first event: it
  // would take 1 ms of 10 until its response, and 150 pages more from storage (measured).
  "BUN_JSC_smallHeapSize=2097152",
  // Address space that is reserved at the start, in bytes and KiB: 1 GiB and 8 GiB would not be had where it is
  // limited (ulimit -v) or memory not overcommitted; without the first, foreign functions do not work.
  "BUN_JSC_jitMemoryReservationSize=16777216",
  "BUN_JSC_structureHeapSizeInKB=65536",
  // What is freed is the system's again at once. Else 20 MB of an event of 6 MB would stay while its
  // successor comes, as the thread that gives it back later is not there (measured with smaps_rollup;
  // 200 small events make 6 system calls more).
  "MIMALLOC_PURGE_DELAY=0",
];

/** One entry of src/ and how its executable is made. */
export interface Program {
  readonly entry: string;
  readonly outputName: (target: Architecture) => string;
  /** Which Bun it is made of. */
  readonly bun: BunChoice;
  /** Which variables Bun sees in it; `undefined`: it gets no stub (build/prefetch/prefetch.ts). */
  readonly environment: ProgramEnvironment | undefined;
  /** Whether the stub also asks for its pages at once: what Lambda starts from cold. */
  readonly prefetch: boolean;
  /** Whether data that it never reads is taken out (build/shrink.ts): what Lambda fetches. */
  readonly shrink: boolean;
  /** Whether it becomes one with fewer functions and plain names (build/optimizer.ts): what has to start fast. */
  readonly optimized: boolean;
  /** What else Bun is told, with the reason. */
  readonly flags: readonly string[];
}

/** The runtime that goes into the layer. */
export const BOOTSTRAP: Program = {
  entry: "src/bootstrap.ts",
  outputName: ({ name }) => `bootstrap-${name}`,
  // What Lambda fetches and starts; the conformance tests run it as it is compiled.
  bun: "small",
  // Bun, its JavaScript engine and its allocator are configured by variables; no user's may reach them.
  // The runtime itself reads /proc/self/environ.
  environment: { kind: "own", entries: ENGINE_OPTIONS },
  prefetch: true,
  // A lint forbids what would read locales: Intl, localeCompare, toLocaleString and their like.
  shrink: true,
  optimized: true,
  // A small heap that is collected often: over 4,000 events 10 MB of anonymous memory instead of 17,
  // the first response and a warm event as fast as without (measured with smaps_rollup, make bench).
  flags: ["--compile-exec-argv=--smol"],
};

/** The developer tool. */
export const TOOL: Program = {
  entry: "src/lambda-shell.ts",
  outputName: ({ name }) => `lambda-shell-linux-${name}`,
  // The one that its tests run with, 28 MB larger. Made of 1.4.2, its server lost the responses to two requests of
  // a caller that sends no more, never noticed one that has stopped reading, and called a stream complete that was
  // cut off; and a bootstrap that is not executable seemed to have ended without a reason.
  bun: "newest",
  // It needs the user's variables (terminal, proxies, certificates), but for what configures Bun, its
  // allocator and a channel to a parent that runs Node.js: these are for the functions that it runs.
  environment: {
    kind: "without",
    prefixes: ["BUN_", "MIMALLOC_", "NODE_CHANNEL_", "NODE_UNIQUE_ID"],
  },
  prefetch: false,
  shrink: false,
  optimized: false,
  flags: [],
};

const PROGRAMS: Readonly<Record<string, Program>> = { bootstrap: BOOTSTRAP, "lambda-shell": TOOL };

/**
 * Compiles one program for one architecture and returns the path of the executable.
 * @param folder Where the executable goes; an existing folder.
 * @throws {Error} When Bun refuses to compile it, with Bun's own words, or what it has made is not understood.
 */
export async function compile(
  program: Program,
  target: Architecture,
  folder: string,
): Promise<string> {
  const name = program.outputName(target);
  const output = join(folder, name);
  // Of this process's own: two may compile the same program. A build of the layer removes what is left of
  // one that was killed (layer/artifacts.ts). The names in it are the same each time, as Bun keeps them.
  const work = join(folder, `.${name}.${process.pid}.unfinished`);
  mkdirSync(work, { recursive: true });
  const unfinished = join(work, `${name}.unfinished`);
  const bundle = `${unfinished}.js`;
  try {
    if (program.optimized) {
      await build(program.bun, [
        program.entry,
        "--target=bun",
        "--format=esm",
        `--outfile=${bundle}`,
      ]);
      const script = optimize(withoutPrivateNames(readFileSync(bundle, "utf8")));
      // A module is strict by itself, a script has to ask for it.
      writeFileSync(bundle, `"use strict";\n${script}`);
    }
    await build(program.bun, [
      "--compile",
      `--target=${target.bunTarget}`,
      `--compile-executable-path=${await bunExecutable(target, program.bun)}`,
      // Lambda starts us in the user's folder: nothing in it may configure us.
      "--no-compile-autoload-dotenv",
      "--no-compile-autoload-bunfig",
      "--no-compile-autoload-tsconfig",
      "--no-compile-autoload-package-json",
      // Measured: byte code saves about 1 ms of start, no loader of modules another 0.4.
      "--bytecode",
      // What has top-level await must be a module.
      program.optimized ? "--format=cjs" : "--format=esm",
      "--minify",
      ...program.flags,
      `--outfile=${unfinished}`,
      program.optimized ? bundle : program.entry,
    ]);
    const made = finish(program, target, new Uint8Array(readFileSync(unfinished)));
    writeFileSync(unfinished, made, { mode: 0o755 });
    renameSync(unfinished, output);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`failed to compile ${program.entry} for ${target.name}: ${reason}`, { cause });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return output;
}

/**
 * Runs `bun build`, of the Bun that the executable is made of: byte code is of one version.
 * @throws {Error} When it refuses, with its own words.
 */
async function build(bun: BunChoice, words: readonly string[]): Promise<void> {
  const child = Bun.spawn([hostBun(bun), "build", ...words], {
    cwd: ROOT,
    stdout: "pipe",
    stderr: "pipe",
  });
  const { output, errors, status } = await outcomeOf(child);
  if (status !== 0) throw new Error(`bun build failed:\n${output}${errors}`);
}

/** Makes what ships of what Bun has compiled. */
function finish(program: Program, target: Architecture, compiled: Uint8Array): Uint8Array {
  const { environment } = program;
  const file = program.shrink ? shrink(compiled) : compiled;
  if (environment === undefined) return file;
  const profile = program.prefetch
    ? readProfile(lockedBun(target, program.bun).version, target)
    : undefined;
  return addStub(file, { environment, profile }).file;
}

if (import.meta.main) {
  reportErrors();
  const [programName = "bootstrap", ...names] = process.argv.slice(2);
  const program = PROGRAMS[programName];
  if (program === undefined) {
    throw new RangeError(
      `unknown program ${programName}: it is one of ${Object.keys(PROGRAMS).join(", ")}`,
    );
  }
  const targets = names.length > 0 ? names.map(architecture) : ARCHITECTURES;
  const folder = join(ROOT, "dist");
  mkdirSync(folder, { recursive: true });
  const prefetch = program.prefetch && process.env["PREFETCH"] !== "off";
  for (const target of targets) {
    const output = await compile({ ...program, prefetch }, target, folder);
    console.log(`${output.slice(ROOT.length + 1)}  ${Bun.file(output).size} bytes`);
  }
}
