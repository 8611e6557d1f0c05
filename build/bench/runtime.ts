/**
 * The runtime's bench: start, first response and warm events beside a curl loop and a C floor.
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

import {
  type CallCounts,
  countCalls,
  type MemorySizes,
  readMemory,
  traced,
} from "./runtime/process-costs.ts";
import { StopwatchApi, type Timeline } from "./runtime/stopwatch-api.ts";
import {
  BASELINE,
  CURL_LOOP,
  FLOOR,
  makeSubjects,
  RUNTIME,
  type Subject,
} from "./runtime/subjects.ts";
import { format, summarize, summarizeRatios, type Summary } from "./statistics.ts";

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

function jsonEvent(bytes: number): Buffer {
  return Buffer.from(`{"text":"${"x".repeat(bytes - 11)}"}`);
}

/** Runs one subject over a number of events, in an environment like Lambda's. */
async function run(
  subject: Subject,
  event: Buffer,
  count: number,
  options: { command?: readonly string[]; atEnd?: (pid: number) => void } = {},
): Promise<Timeline> {
  const api = new StopwatchApi(event, count);
  const timeline = api.start();
  const child = Bun.spawn([...(options.command ?? subject.command)], {
    cwd: subject.taskRoot,
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      AWS_LAMBDA_RUNTIME_API: api.address,
      LAMBDA_TASK_ROOT: subject.taskRoot,
      _HANDLER: subject.handler,
      // What a killed curl loop leaves behind goes when the bench ends.
      TMPDIR: subject.taskRoot,
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    detached: true,
  });
  const ended = child.exited.then(async (status) => {
    const errors = await new Response(child.stderr).text();
    throw new Error(`${subject.name} ended with ${status} before its last event: ${errors}`);
  });
  ended.catch(() => undefined);
  const result = await Promise.race([timeline, ended]);
  options.atEnd?.(child.pid);
  api.stop();
  // The whole group: a curl loop has a curl below it, and strace what it traces.
  process.kill(-child.pid, "SIGKILL");
  await child.exited;
  if (!result.lastBody.subarray(0, event.length).equals(event)) {
    throw new Error(`${subject.name} altered an event of ${event.length} bytes`);
  }
  return result;
}

/** There and back again: who follows a busy subject finds the caches cold. */
function inTurn<Item>(items: readonly Item[], round: number): readonly Item[] {
  return round % 2 === 0 ? items : items.toReversed();
}

/** Samples by subject. */
class Samples {
  readonly #bySubject = new Map<string, number[]>();

  add(subject: string, ...values: readonly number[]): void {
    this.#bySubject.set(subject, [...this.of(subject), ...values]);
  }

  of(subject: string): number[] {
    return this.#bySubject.get(subject) ?? [];
  }

  get subjects(): string[] {
    return [...this.#bySubject.keys()];
  }
}

interface Measure {
  readonly title: string;
  readonly samples: Samples;
}

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
        if (bytes > 100_000 && !subject.takesLargeEvents) continue;
        const count = 1 + Math.max(1, Math.round((perRound * subject.share) / 100));
        const { warmMs } = await run(subject, jsonEvent(bytes), count);
        warm.add(subject.name, summarize(warmMs).median);
      }
    }
    measures.push({ title: `warm event, ${name}`, samples: warm });
  }
  return measures;
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
      await run(subject, event, events, { command: traced(subject.command, trace) });
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

function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  for (const row of [header, ...rows]) {
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  }
  console.log();
}

const folder = mkdtempSync(join(tmpdir(), "bench-"));
try {
  const subjects = await makeSubjects(folder, values.baseline);
  const measures = [...(await measureStarts(subjects)), ...(await measureWarmEvents(subjects))];
  const costs = await countCosts(subjects, folder);

  const results: Record<string, Record<string, Summary>> = {};
  console.log(`Milliseconds, median (quartiles), ${ROUNDS} rounds in turns\n`);
  printTable(
    ["", ...subjects.map(({ name }) => name)],
    measures.map(({ title, samples }) => {
      const summaries = Object.fromEntries(
        samples.subjects.map((name) => [name, summarize(samples.of(name))]),
      );
      results[title] = summaries;
      return [
        title,
        ...subjects.map(({ name }) => (summaries[name] ? format(summaries[name], 2) : "-")),
      ];
    }),
  );

  const ratios: Record<string, Summary> = {};
  for (const { title, samples } of measures) {
    for (const shell of ["dash", "bash"] as const) {
      for (const base of [BASELINE[shell], CURL_LOOP, FLOOR[shell]]) {
        if (samples.of(base).length === 0) continue;
        const ratio = summarizeRatios(samples.of(RUNTIME[shell]), samples.of(base));
        ratios[`${title}: ${RUNTIME[shell]} / ${base}`] = ratio;
      }
    }
  }
  console.log("Ratios, median (quartiles)\n");
  printTable(
    ["", "ratio"],
    Object.entries(ratios).map(([name, ratio]) => [name, format(ratio, 3)]),
  );

  console.log("Per warm event, and memory of the runtime's process after 200 events\n");
  printTable(
    ["", "execs", "forks", "resident KiB", "anonymous KiB"],
    Object.entries(costs).map(([name, cost]) => [
      name,
      `${cost.execs}`,
      `${cost.forks}`,
      `${cost.residentKib}`,
      `${cost.anonymousKib}`,
    ]),
  );

  const date = new Date().toISOString().slice(0, 10);
  const output = join(import.meta.dir, "results", `${date}-runtime.json`);
  mkdirSync(join(import.meta.dir, "results"), { recursive: true });
  const machine = { processor: cpus()[0]?.model, cores: cpus().length };
  const report = {
    date,
    bun: Bun.version,
    machine,
    rounds: ROUNDS,
    milliseconds: results,
    ratios,
    costs,
  };
  writeFileSync(output, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
