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

/** A file of results, as far as it is quoted. */
const RESULT = z.looseObject({
  date: z.string(),
  bun: z.string(),
  machine: z.looseObject({ processor: z.string(), cores: z.number() }),
  rounds: z.number(),
  milliseconds: z.record(z.string(), z.record(z.string(), z.looseObject({ median: z.number() }))),
});

/** The columns of the table: what each is called here, and in the results. */
const COLUMNS = {
  "curl loop": "curl loop",
  "`bootstrap`, bash": "bootstrap, bash as sh",
  "`bootstrap`, dash": "bootstrap, dash",
  "the same in C, bash": "C floor, bash as sh",
} as const;

/** The table of one file of results. */
export function figures(file: string): string {
  const result = RESULT.parse(JSON.parse(readFileSync(join(ROOT, RESULTS, file), "utf8")));
  const { machine, rounds, bun, date } = result;
  const rows = Object.entries(result.milliseconds).map(([name, values]) => {
    const cells = Object.values(COLUMNS).map((column) => milliseconds(values[column]?.median));
    return `| ${name} | ${cells.join(" | ")} |`;
  });
  return [
    `Medians in ms of ${rounds} rounds on ${machine.cores} cores (${machine.processor}),`,
    `Bun ${bun}, ${date} ([all figures](${RESULTS}/${file})).`,
    "The ratios hold elsewhere; the absolutes do not.",
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
