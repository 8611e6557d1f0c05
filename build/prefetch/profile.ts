/**
 * Takes the page profile of the pinned Bun: which pages of the executable a start touches.
 *
 *     make page-profile                          # both architectures, arm64 under qemu-user
 *     bun build/prefetch/profile.ts amd64            # one of them
 *     bun build/prefetch/profile.ts amd64 FILE       # of another executable of the same Bun
 *
 * The executable is served by a file system of our own (build/bench/cold-start-store.c) with no
 * read-ahead, so that each read is the first touch of a page; nothing else on the machine is
 * disturbed, and caches need not be dropped. build/prefetch/README.md says how stable the result is.
 *
 * @module
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  type Architecture,
  architecture,
  ARCHITECTURES,
  HOST_ARCHITECTURE,
} from "../architectures.ts";
import { ColdStartApi } from "../bench/cold-start-api.ts";
import { BlockStore, compileStore, storeObstacle } from "../bench/cold-start-store.ts";
import { lockedBun } from "../bun-executable.ts";
import { BOOTSTRAP, compile } from "../compile.ts";
import { reportErrors } from "../plain-errors.ts";
import { PT_LOAD, readBuildId, readHeader, readProgramHeaders, readSections } from "./elf.ts";
import { formatRuns, mergeRuns, type PageProfile, profilePath } from "./hot-pages.ts";
import { PAGE_BYTES, type PageRun } from "./stub.ts";
import { type Workload, WORKLOADS } from "./workloads/workloads.ts";

/** How often each workload is run: threads and timers make runs differ by a few pages. */
const ROUNDS = 5;
/** A workload that takes longer is stuck; arm64 runs emulated. */
const WORKLOAD_MS_MAX = 120_000;
const HANDLERS = join(import.meta.dir, "workloads");
/** Where Debian's libc6-arm64-cross keeps the other architecture's libraries. */
const SYSTEM_ROOTS: Readonly<Record<Architecture["name"], string>> = {
  arm64: "/usr/aarch64-linux-gnu",
  amd64: "/usr/x86_64-linux-gnu",
};

/**
 * Takes the profile of an executable.
 * @param executable A compiled program that does not ask for its pages.
 * @throws {Error} When a workload does not come to its end.
 */
async function takeProfile(executable: string, target: Architecture): Promise<PageProfile> {
  const folder = mkdtempSync(join(tmpdir(), "page-profile-"));
  try {
    const store = await compileStore(folder);
    const orders: number[][] = [];
    for (const workload of WORKLOADS) {
      const rounds: number[][] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        rounds.push(await touchedPages(store, executable, target, workload, folder));
      }
      console.error(`${target.name}  ${workload.name}: ${describeRounds(rounds)}`);
      orders.push(...rounds);
    }
    return profileOf(readFileSync(executable), target, orders);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a workload from cold and returns the pages of the file that were read, in order. */
async function touchedPages(
  program: string,
  executable: string,
  target: Architecture,
  workload: Workload,
  folder: string,
): Promise<number[]> {
  const log = join(folder, "reads.log");
  const store = await BlockStore.start(program, executable, folder, 0, log);
  const api = new ColdStartApi(workload.events);
  try {
    store.setReadAhead(0);
    await runWorkload([...emulator(target), store.path], workload, api);
  } finally {
    await api.stop();
    await store.stop();
  }
  return readFileSync(log, "utf8").split("\n").filter(Boolean).flatMap(pagesOfRead);
}

async function runWorkload(words: string[], workload: Workload, api: ColdStartApi): Promise<void> {
  const child = Bun.spawn(words, {
    cwd: "/",
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      LAMBDA_TASK_ROOT: HANDLERS,
      _HANDLER: workload.handler,
      AWS_LAMBDA_RUNTIME_API: api.address,
      ...workload.environment,
    },
    stdio: ["ignore", "ignore", "ignore"],
  });
  const ended = child.exited.then(() => "ended" as const);
  const late = Promise.withResolvers<"late">();
  const timer = setTimeout(() => late.resolve("late"), WORKLOAD_MS_MAX);
  const done = api.done.then(() => "done" as const);
  const outcome = await Promise.race([done, ended, late.promise]);
  clearTimeout(timer);
  child.kill("SIGKILL");
  await child.exited;
  if (outcome !== "done" && api.responses.length === 0) {
    throw new Error(`failed to run workload ${workload.name}: it is ${outcome} without a response`);
  }
}

/** What to put before an executable of another architecture. */
function emulator(target: Architecture): string[] {
  if (target === HOST_ARCHITECTURE) return [];
  return [`qemu-${target.machine}-static`, "-L", SYSTEM_ROOTS[target.name]];
}

/** The pages of one log line "offset bytes". */
function pagesOfRead(line: string): number[] {
  const [offset = 0, bytes = 0] = line.split(" ").map(Number);
  const first = Math.floor(offset / PAGE_BYTES);
  return Array.from({ length: Math.ceil(bytes / PAGE_BYTES) }, (_, page) => first + page);
}

/** How far the rounds of a workload agree. */
function describeRounds(rounds: readonly number[][]): string {
  const sets = rounds.map((round) => new Set(round));
  const union = sets.reduce((all, set) => all.union(set));
  const common = sets.reduce((all, set) => all.intersection(set));
  const sizes = sets.map(({ size }) => size).join(", ");
  return `${sizes} pages; ${common.size} in every round, ${union.size} in any`;
}

/** Puts file pages at their addresses, leaving out our own section, which the build looks up. */
function profileOf(
  file: Uint8Array,
  target: Architecture,
  orders: readonly number[][],
): PageProfile {
  const buildId = readBuildId(file);
  const ours = readSections(file).find(({ name }) => name === ".bun");
  if (buildId === undefined || ours === undefined) {
    throw new Error(
      "failed to take the profile: the executable is not made by bun build --compile",
    );
  }
  const loads = readProgramHeaders(file).filter(({ type }) => type === PT_LOAD);
  const pages = [...new Set(orders.flat())].flatMap((filePage): PageRun[] => {
    const at = filePage * PAGE_BYTES;
    if (at + PAGE_BYTES > ours.offset && at < ours.offset + ours.size) return [];
    const load = loads.find(
      ({ offset, filesz }) => at + PAGE_BYTES > offset && at < offset + filesz,
    );
    // What no segment maps (section headers) is read by tools, not by a start; the stub is its own.
    if (load === undefined || load.vaddr === readHeader(file).entry) return [];
    return [{ page: filePage + (load.vaddr - load.offset) / PAGE_BYTES, pages: 1 }];
  });
  const runs = formatRuns(mergeRuns(pages, 1));
  return { bun: lockedBun(target).version, architecture: target.name, buildId, runs };
}

/** Why a profile cannot be taken here, or `undefined` when it can. */
function obstacle(target: Architecture): string | undefined {
  const [program] = emulator(target);
  if (program !== undefined && Bun.which(program) === null) {
    return `it needs ${program} (Debian: qemu-user-static) for ${target.name}`;
  }
  if (program !== undefined && !Bun.file(`${SYSTEM_ROOTS[target.name]}/lib/libc.so.6`).size) {
    return `it needs a C library for ${target.name} (Debian: libc6-${target.name}-cross)`;
  }
  return storeObstacle();
}

if (import.meta.main) {
  reportErrors();
  const [name, executable] = process.argv.slice(2);
  for (const target of name === undefined ? ARCHITECTURES : [architecture(name)]) {
    const reason = obstacle(target);
    if (reason !== undefined) throw new Error(`failed to take a page profile: ${reason}`);
    const folder = mkdtempSync(join(tmpdir(), "page-profile-"));
    try {
      const plain =
        executable ?? (await compile({ ...BOOTSTRAP, prefetch: false }, target, folder));
      const profile = await takeProfile(plain, target);
      const path = profilePath(profile.bun, target);
      writeFileSync(path, `${JSON.stringify(profile, null, 2)}\n`);
      console.log(`${path}  ${profile.runs.join(" ").split(" ").length} runs`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}
