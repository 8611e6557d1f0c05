/**
 * Puts measured figures into README.md: those of `make bench`, all from one file of build/bench/results, in a
 * table and in the text, between comments that name them: `<!-- figure MEASURE / SUBJECT -->1.2<!-- / -->`;
 * and those of build/bench/loops.ts from another one, as ratios to the curl loop of that same run:
 * `<!-- loop MEASURE / SUBJECT -->1.2<!-- / -->`.
 *
 *     bun build/deployments/documents/figures.ts    # from the newest files
 *
 * @module
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { reportErrors } from "../../plain-errors.ts";
import { ROOT } from "../layer-dist.ts";

const README = join(ROOT, "README.md");
const RESULTS = "build/bench/results";

/** Where the table stands in the README; the file that it is from is named in it. */
const TABLE = /(<!-- figures -->\n)[\s\S]*?(<!-- \/figures -->)/;

/** A figure in the text: a measure of the table, or `programs` for those started for a warm event. */
const FIGURE = /(<!-- figure (.+?) \/ (.+?) -->)[^<]*(<!-- \/ -->)/g;

/** A figure of another loop: a measure of that run, or `programs` as above. */
const LOOP = /(<!-- loop (.+?) \/ (.+?) -->)[^<]*(<!-- \/ -->)/g;

/** Medians by what was measured and by subject. */
const MEASURES = z.record(z.string(), z.record(z.string(), z.looseObject({ median: z.number() })));

/** A file of results, as far as it is quoted. */
const RESULT = z.looseObject({
  date: z.string(),
  bun: z.string(),
  machine: z.looseObject({ processor: z.string(), cores: z.number() }),
  rounds: z.number(),
  milliseconds: MEASURES,
  processorMilliseconds: MEASURES.optional(),
  costs: z.record(z.string(), z.looseObject({ execs: z.number() })),
});

type Result = z.infer<typeof RESULT>;

/** Results of other loops, as far as they are quoted. */
const LOOPS = z.looseObject({
  ratios: MEASURES,
  programs: z.record(z.string(), z.number()),
});

/** The columns of the table: what each is called here, and in the results. */
const COLUMNS = {
  "curl loop": "curl loop",
  "`bootstrap`, bash": "bootstrap, bash as sh",
  "`bootstrap`, dash": "bootstrap, dash",
  Python: "Python, awslambdaric",
  "the same in C, bash": "C floor, bash as sh",
  "an empty Bun program": "empty Bun program",
} as const;

/** A text with the figures of one file of results. */
export function withFigures(text: string, file: string): string {
  const result = RESULT.parse(JSON.parse(readFileSync(join(ROOT, RESULTS, file), "utf8")));
  return text
    .replace(TABLE, (_, start, end) => `${start}${table(result, file)}${end}`)
    .replace(FIGURE, (_, start, measure, subject, end) => {
      return `${start}${figure(result, measure, subject)}${end}`;
    });
}

/** A text with the figures of one file of results of other loops. */
export function withLoops(text: string, file: string): string {
  const result = LOOPS.parse(JSON.parse(readFileSync(join(ROOT, RESULTS, file), "utf8")));
  return text.replace(LOOP, (_, start, measure, subject, end) => {
    const value =
      measure === "programs"
        ? result.programs[subject]?.toString()
        : result.ratios[measure]?.[subject]?.median.toPrecision(2);
    if (value === undefined) {
      throw new Error(`failed to find "${measure}" of "${subject}" in ${file}`);
    }
    return `${start}${value}${end}`;
  });
}

function figure(result: Result, measure: string, subject: string): string {
  const value =
    measure === "programs"
      ? result.costs[subject]?.execs.toString()
      : milliseconds(result.milliseconds[measure]?.[subject]?.median);
  if (value === undefined || value === "") {
    throw new Error(`failed to find "${measure}" of "${subject}" in the results`);
  }
  return value;
}

function table(result: Result, file: string): string {
  const { machine, rounds, bun, date, processorMilliseconds = {} } = result;
  const measures = {
    ...result.milliseconds,
    ...Object.fromEntries(
      Object.entries(processorMilliseconds).map(([name, values]) => [`CPU, ${name}`, values]),
    ),
  };
  const rows = Object.entries(measures).map(([name, values]) => {
    const cells = Object.values(COLUMNS).map((column) => milliseconds(values[column]?.median));
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  return [
    `Medians in ms of ${rounds} ${rounds === 1 ? "round" : "rounds"} on ${machine.cores} cores (${machine.processor}),`,
    `Bun ${bun}, ${date} ([all figures](${RESULTS}/${file})).`,
    "CPU is that of the process tree. Another machine has other figures, and other ratios, because a start is",
    "mostly page faults and cold caches: the start of the same executable took 0.56 of the curl loop's time on",
    "one machine and 0.73 on another.",
    "",
    `| | ${Object.keys(COLUMNS).join(" | ")} |`,
    `|---|${"---:|".repeat(Object.keys(COLUMNS).length)}`,
    ...rows,
    "",
  ].join("\n");
}

function milliseconds(value: number | undefined): string {
  if (value === undefined) return "";
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}

/** The file of results of a bench that a text names. */
export function quotedResults(text: string, bench: "runtime" | "loops"): string | undefined {
  return new RegExp(`results/([\\w.-]+-${bench}\\.json)`).exec(text)?.[1];
}

if (import.meta.main) {
  reportErrors();
  const newest = (bench: string) =>
    readdirSync(join(ROOT, RESULTS))
      .filter((name) => name.endsWith(`-${bench}.json`))
      .sort()
      .at(-1);
  const [runtime, loops] = [newest("runtime"), newest("loops")];
  if (runtime === undefined) throw new Error(`failed to find results: run "make bench"`);
  if (loops === undefined) throw new Error("failed to find results: run build/bench/loops.ts");
  const text = withFigures(readFileSync(README, "utf8"), runtime);
  const quoted = quotedResults(text, "loops");
  const named = quoted === undefined ? text : text.replaceAll(quoted, loops);
  writeFileSync(README, withLoops(named, loops));
}
