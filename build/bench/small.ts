/**
 * Measures functions with little memory, and so with little of a processor: what Lambda gives at 128,
 * 256 and 512 MB, by a control group with that share of one processor in periods of 20 ms and that much
 * memory.
 *
 *     make bench-small                          # as root
 *     bun build/bench/small.ts [--rounds N] [--baseline FILE]
 *
 * Compared are the runtime, the curl loop and the C floor, in turns: the start to the first response, and
 * events in a row after it. With another executable of the runtime as baseline, it is measured, too.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { formatTable } from "../layer/table.ts";
import { reportErrors } from "../plain-errors.ts";
import { ControlGroup } from "./control-group.ts";
import { entering } from "./runtime/processor-time.ts";
import { inTurn, jsonEvent, run, Samples } from "./runtime/run.ts";
import { BASELINE, compileC, CURL_LOOP, FLOOR, makeSubjects, RUNTIME } from "./runtime/subjects.ts";
import { format, summarize, summarizeRatios, type Summary } from "./statistics.ts";

reportErrors();

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "15" }, baseline: { type: "string" } },
});
const ROUNDS = Number(values.rounds);
/** Memory sizes of functions, in MB. */
const MEMORY_MB = [128, 256, 512] as const;
/** Events in a row, after the first one. */
const BURST = 20;
/** Subjects by name; the shell is the one of Lambda's /bin/sh, or the small one. */
const COMPARED: readonly string[] = [
  CURL_LOOP,
  RUNTIME.dash,
  RUNTIME.bash,
  BASELINE.dash,
  BASELINE.bash,
  FLOOR.dash,
  FLOOR.bash,
];

/** What is measured at one memory size, in ms. */
interface Row {
  readonly memoryMb: number;
  readonly title: string;
  readonly samples: Samples;
}

const folder = mkdtempSync(join(tmpdir(), "bench-small-"));
try {
  const enter = await compileC(join(import.meta.dir, "runtime/enter.c"), join(folder, "enter"));
  if (enter === undefined) throw new Error("failed to find a C compiler: apt-get install gcc");
  const subjects = (await makeSubjects(folder, values.baseline)).filter(({ name }) =>
    COMPARED.includes(name),
  );
  const rows: Row[] = [];
  for (const memoryMb of MEMORY_MB) {
    const [first, mean] = [new Samples(), new Samples()];
    const [median, slowest] = [new Samples(), new Samples()];
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const subject of inTurn(subjects, round)) {
        const group = ControlGroup.make();
        group.limit(memoryMb);
        const wrapper = entering(enter, group);
        const { firstResponseMs, warmMs } = await run(subject, jsonEvent(50), 1 + BURST, {
          wrapper,
        });
        first.add(subject.name, firstResponseMs);
        mean.add(subject.name, warmMs.reduce((sum, ms) => sum + ms, 0) / warmMs.length);
        median.add(subject.name, summarize(warmMs).median);
        slowest.add(subject.name, Math.max(...warmMs));
        await group.remove();
      }
    }
    rows.push({ memoryMb, title: "start to first response", samples: first });
    rows.push({ memoryMb, title: `event of ${BURST} in a row, mean`, samples: mean });
    rows.push({ memoryMb, title: `event of ${BURST} in a row, median`, samples: median });
    rows.push({ memoryMb, title: `event of ${BURST} in a row, slowest`, samples: slowest });
  }

  const names = subjects.map(({ name }) => name);
  console.log(`Milliseconds, median (quartiles), ${ROUNDS} rounds in turns\n`);
  const cells = ({ samples }: Row) => names.map((name) => format(summarize(samples.of(name)), 2));
  const table = rows.map((row) => [`${row.memoryMb} MB`, row.title, ...cells(row)]);
  console.log(`${formatTable([["", "", ...names], ...table])}\n`);

  const ratios: Record<string, Summary> = {};
  for (const { memoryMb, title, samples } of rows) {
    for (const shell of ["dash", "bash"] as const) {
      for (const base of [CURL_LOOP, BASELINE[shell], FLOOR[shell]]) {
        if (samples.of(base).length === 0) continue;
        ratios[`${memoryMb} MB, ${title}: ${RUNTIME[shell]} / ${base}`] = summarizeRatios(
          samples.of(RUNTIME[shell]),
          samples.of(base),
        );
      }
    }
  }
  console.log("Ratios, median (quartiles)\n");
  console.log(formatTable(Object.entries(ratios).map(([name, ratio]) => [name, format(ratio, 3)])));

  const date = new Date().toISOString().slice(0, 10);
  const milliseconds = Object.fromEntries(
    rows.map(({ memoryMb, title, samples }) => [
      `${memoryMb} MB, ${title}`,
      Object.fromEntries(names.map((name) => [name, summarize(samples.of(name))])),
    ]),
  );
  const machine = { processor: cpus()[0]?.model, cores: cpus().length };
  const results = { date, machine, rounds: ROUNDS, milliseconds, ratios };
  mkdirSync(join(import.meta.dir, "results"), { recursive: true });
  const output = join(import.meta.dir, "results", `${date}-small.json`);
  writeFileSync(output, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`wrote ${output}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
