/**
 * The runtime's bench: start, first response and warm events, and the CPU that they take, beside a curl
 * loop, a Python function, a C floor and a program that does nothing.
 *
 *     bun build/bench/runtime.ts [--rounds N] [--baseline FILE]
 *
 * With another executable of the runtime as baseline, one of an earlier commit, it is measured, too.
 *
 * All subjects run in turns, so that a busy machine is busy for all; what counts are the ratios.
 * Results are printed and written to build/bench/results/.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { HOST_ARCHITECTURE } from "../architectures.ts";
import { lockedBun } from "../bun-executable.ts";
import { BOOTSTRAP, compile } from "../compile.ts";
import { formatTable } from "../layer/table.ts";
import { reportErrors } from "../plain-errors.ts";
import {
  type CallCounts,
  countCalls,
  type MemorySizes,
  readMemory,
  tracing,
} from "./runtime/process-costs.ts";
import { measureProcessorTime, measureProgram } from "./runtime/processor-time.ts";
import { inTurn, jsonEvent, type Measure, recordsEvent, run, Samples } from "./runtime/run.ts";
import {
  BASELINE,
  compileC,
  CURL_LOOP,
  EMPTY,
  FLOOR,
  makeQuotingSubjects,
  makeSubjects,
  PYTHON,
  RUNTIME,
  type Subject,
} from "./runtime/subjects.ts";
import { format, summarize, summarizeRatios, type Summary } from "./statistics.ts";

reportErrors();

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "30" }, baseline: { type: "string" } },
});
const ROUNDS = Number(values.rounds);

/**
 * Sizes of the events, in bytes; how many of each a fast subject gets in a round, and in how many
 * rounds. An execution environment lives for minutes to hours, so the median is that of long runs.
 */
const EVENTS = [
  { name: "50 B", bytes: 50, perRound: 1000, rounds: Math.ceil(ROUNDS / 3) },
  { name: "64 KB", bytes: 64_000, perRound: 50, rounds: Math.ceil(ROUNDS / 5) },
  { name: "6 MB", bytes: 6_000_000, perRound: 3, rounds: Math.ceil(ROUNDS / 10) },
] as const;

/** Events that are traced, beyond the first, for the counts per event. */
const TRACED_EVENTS = 20;

async function measureStarts(subjects: readonly Subject[]): Promise<Measure[]> {
  const next = new Samples();
  const first = new Samples();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const subject of inTurn(subjects, round)) {
      const timeline = await run(subject, jsonEvent(50), 1);
      next.add(subject.name, timeline.nextMs);
      first.add(subject.name, timeline.firstResponseMs);
    }
  }
  return [
    { title: "start to GET /next", samples: next },
    { title: "start to first response", samples: first },
  ];
}

async function measureWarmEvents(subjects: readonly Subject[]): Promise<Measure[]> {
  const measures: Measure[] = [];
  for (const { name, bytes, perRound, rounds } of EVENTS) {
    const warm = new Samples();
    for (let round = 0; round < rounds; round += 1) {
      for (const subject of inTurn(subjects, round)) {
        const count = 1 + Math.max(1, Math.round((perRound * subject.share) / 100));
        const { warmMs } = await run(subject, jsonEvent(bytes), count);
        warm.add(subject.name, summarize(warmMs).median);
      }
    }
    measures.push({ title: `warm event, ${name}`, samples: warm });
  }
  return measures;
}

/** Large events whose records have an apostrophe, beside the same without: every byte must cost the same. */
async function measureQuoting(folder: string): Promise<Measure[]> {
  const events = {
    plain: recordsEvent(6_000_000, "O_Brien"),
    quoted: recordsEvent(6_000_000, "O'Brien"),
  };
  const samples = { plain: new Samples(), quoted: new Samples() };
  for (let round = 0; round < Math.ceil(ROUNDS / 10); round += 1) {
    for (const subject of inTurn(makeQuotingSubjects(folder), round)) {
      for (const kind of inTurn(["plain", "quoted"] as const, round)) {
        const { warmMs } = await run(subject, events[kind], 3);
        samples[kind].add(subject.name, summarize(warmMs).median);
      }
    }
  }
  return [
    { title: "without apostrophes", samples: samples.plain },
    { title: "with one in each record", samples: samples.quoted },
  ];
}

function quotingRatios([plain, quoted]: readonly Measure[]): Record<string, Summary> {
  const ratios: Record<string, Summary> = {};
  for (const name of quoted?.samples.subjects ?? []) {
    ratios[`with / without, ${name}`] = summarizeRatios(
      quoted?.samples.of(name) ?? [],
      plain?.samples.of(name) ?? [],
    );
  }
  const rows = Object.entries(ratios).map(([name, ratio]) => [name, format(ratio, 3)]);
  printTable("Ratios, median (quartiles)", rows);
  return ratios;
}

async function countCosts(subjects: readonly Subject[], folder: string) {
  const event = jsonEvent(50);
  const costs: Record<string, { execs: number; forks: number } & MemorySizes> = {};
  for (const subject of subjects) {
    const counts: CallCounts[] = [];
    for (const events of [1, 1 + TRACED_EVENTS]) {
      const trace = join(folder, "trace");
      if (Bun.which("strace") === null)
        throw new Error("strace is missing: apt-get install strace");
      await run(subject, event, events, { wrapper: tracing(trace) });
      counts.push(countCalls(readFileSync(trace, "utf8")));
    }
    let memory: MemorySizes = { residentKib: 0, anonymousKib: 0 };
    const atEnd = (pid: number) => {
      memory = readMemory(pid);
    };
    await run(subject, event, 200, { atEnd });
    const perEvent = (call: "execs" | "forks") =>
      Math.round(((counts[1]?.[call] ?? 0) - (counts[0]?.[call] ?? 0)) / TRACED_EVENTS);
    costs[subject.name] = { execs: perEvent("execs"), forks: perEvent("forks"), ...memory };
  }
  return costs;
}

/** Starts to the end of a program that does nothing, in ms: the part of our start that is Bun's own. */
async function measureEmpty(folder: string, enter: string | undefined) {
  if (HOST_ARCHITECTURE === undefined || enter === undefined) return undefined;
  const entry = "build/bench/runtime/empty.ts";
  const program = { ...BOOTSTRAP, entry, outputName: () => "empty" };
  const command = [await compile(program, HOST_ARCHITECTURE, folder)];
  return await measureProgram(command, ROUNDS, enter);
}

function printTable(title: string, rows: readonly (readonly string[])[]): void {
  console.log(`${title}\n\n${formatTable(rows)}\n`);
}

type Summaries = Record<string, Record<string, Summary>>;

/** Prints measures, a column a subject, and returns them. */
function report(title: string, measures: readonly Measure[], digits: number): Summaries {
  const names = [...new Set(measures.flatMap(({ samples }) => samples.subjects))];
  const results: Summaries = {};
  const rows = measures.map(({ title: row, samples }) => {
    const summaries = Object.fromEntries(
      samples.subjects.map((name) => [name, summarize(samples.of(name))]),
    );
    results[row] = summaries;
    const cells = names.map((name) => summaries[name]);
    return [row, ...cells.map((cell) => (cell === undefined ? "-" : format(cell, digits)))];
  });
  printTable(title, [["", ...names], ...rows]);
  return results;
}

/** The runtime's measures as parts of the others', pair by pair. */
function ratiosOf(measures: readonly Measure[]): Record<string, Summary> {
  const ratios: Record<string, Summary> = {};
  for (const { title, samples } of measures) {
    for (const shell of ["dash", "bash"] as const) {
      for (const base of [BASELINE[shell], CURL_LOOP, PYTHON, FLOOR[shell], EMPTY]) {
        if (samples.of(base).length === 0) continue;
        const ratio = summarizeRatios(samples.of(RUNTIME[shell]), samples.of(base));
        ratios[`${title}: ${RUNTIME[shell]} / ${base}`] = ratio;
      }
      // What a start takes at least: the shell and the calls that drive it, and a Bun that does nothing.
      const [empty, floor] = [samples.of(EMPTY), samples.of(FLOOR[shell])];
      if (empty.length === 0 || floor.length === 0) continue;
      const { median } = summarize(empty);
      const least = floor.map((ms) => ms + median);
      const bound = summarizeRatios(least, samples.of(CURL_LOOP));
      ratios[`${title}: ${FLOOR[shell]} + ${EMPTY} / ${CURL_LOOP}`] = bound;
    }
  }
  printTable(
    "Ratios, median (quartiles)",
    Object.entries(ratios).map(([name, ratio]) => [name, format(ratio, 3)]),
  );
  return ratios;
}

const folder = mkdtempSync(join(tmpdir(), "bench-"));
try {
  const subjects = await makeSubjects(folder, values.baseline);
  const enter = await compileC(join(import.meta.dir, "runtime/enter.c"), join(folder, "enter"));
  const starts = await measureStarts(subjects);
  const wall = [...starts, ...(await measureWarmEvents(subjects))];
  const processorRounds = Math.ceil(ROUNDS / 3);
  let processor: Measure[] = [];
  try {
    if (enter === undefined) throw new Error("there is no C compiler");
    processor = await measureProcessorTime(subjects, processorRounds, enter);
    const empty = await measureEmpty(folder, enter);
    starts[0]?.samples.add(EMPTY, ...(empty?.wallMs ?? []));
    processor[0]?.samples.add(EMPTY, ...(empty?.processorMs ?? []));
  } catch (error) {
    console.log(`CPU is not measured: ${error instanceof Error ? error.message : error}\n`);
  }
  const costs = await countCosts(subjects, folder);
  const quoting = await measureQuoting(folder);

  const milliseconds = report(`Milliseconds, median (quartiles), ${ROUNDS} rounds`, wall, 2);
  const ratios = ratiosOf(wall);
  const processorMilliseconds = report(
    `Milliseconds of CPU of the process tree, median (quartiles), ${processorRounds} rounds`,
    processor,
    2,
  );
  const processorRatios = ratiosOf(processor);
  const quotingMilliseconds = report(
    "Milliseconds of a warm event of 6 MB, an apostrophe in each record of 112 bytes or none",
    quoting,
    1,
  );
  const apostropheRatios = quotingRatios(quoting);
  printTable("Per warm event, and memory of the runtime's process after 200 events", [
    ["", "execs", "forks", "resident KiB", "anonymous KiB"],
    ...Object.entries(costs).map(([name, cost]) => [
      name,
      `${cost.execs}`,
      `${cost.forks}`,
      `${cost.residentKib}`,
      `${cost.anonymousKib}`,
    ]),
  ]);

  const date = new Date().toISOString().slice(0, 10);
  const output = join(import.meta.dir, "results", `${date}-runtime.json`);
  mkdirSync(join(import.meta.dir, "results"), { recursive: true });
  const machine = { processor: cpus()[0]?.model, cores: cpus().length };
  const results = {
    date,
    bun: HOST_ARCHITECTURE && lockedBun(HOST_ARCHITECTURE).version,
    machine,
    rounds: ROUNDS,
    milliseconds,
    ratios,
    processorMilliseconds,
    processorRatios,
    quotingMilliseconds,
    apostropheRatios,
    costs,
  };
  writeFileSync(output, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`wrote ${output}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
