/**
 * Puts measured figures into README.md: a table made from one file of build/bench/results.
 *
 *     bun build/deployments/documents/figures.ts    # from the newest file
 *
 * @module
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { ROOT } from "../layer-dist.ts";

const README = join(ROOT, "README.md");
const RESULTS = "build/bench/results";

/** Where the table stands in the README; the file that it is from is named in it. */
const FIGURES = /(<!-- figures -->\n)([\s\S]*?)(<!-- \/figures -->)/;

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
});

/** The columns of the table: what each is called here, and in the results. */
const COLUMNS = {
  "curl loop": "curl loop",
  "`bootstrap`, bash": "bootstrap, bash as sh",
  "`bootstrap`, dash": "bootstrap, dash",
  "the same in C, bash": "C floor, bash as sh",
  "an empty Bun program": "empty Bun program",
} as const;

/** The table of one file of results. */
export function figures(file: string): string {
  const result = RESULT.parse(JSON.parse(readFileSync(join(ROOT, RESULTS, file), "utf8")));
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
    `Medians in ms of ${rounds} rounds on ${machine.cores} cores (${machine.processor}),`,
    `Bun ${bun}, ${date} ([all figures](${RESULTS}/${file})).`,
    "CPU is that of the process tree. Another machine has other absolutes, and other ratios: page faults",
    "and cold caches, of which a start is made, cost more on one than on another, so that the start of one",
    "executable was 0.56 of the curl loop's on one machine and 0.73 on another.",
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

/** The figures in a text, with the file of results that they name. */
export function quotedFigures(text: string): { readonly file: string; readonly table: string } {
  const table = FIGURES.exec(text)?.[2] ?? "";
  return { file: /results\/([\w.-]+\.json)/.exec(table)?.[1] ?? "", table };
}

if (import.meta.main) {
  const newest = readdirSync(join(ROOT, RESULTS))
    .filter((name) => name.endsWith("-runtime.json"))
    .sort()
    .at(-1);
  if (newest === undefined) throw new Error(`failed to find results: run "make bench"`);
  const text = readFileSync(README, "utf8");
  writeFileSync(README, text.replace(FIGURES, `$1${figures(newest)}$3`));
}
