/**
 * Holds an artefact to its budget, layer/budget.json.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { z } from "zod";

import { LAYER } from "./paths.ts";
import { formatTable } from "./table.ts";

const limits = z.strictObject({ unzipped: z.int(), zipped: z.int() });

const budgetsSchema = z.strictObject({
  comment: z.string(),
  layer: limits,
  slim: limits,
  bootstrap: limits,
});

/** The kinds of zip that we make. */
export type ZipKind = "layer" | "slim" | "bootstrap";

/** The sizes of a zip, in bytes. */
export interface ZipSize {
  readonly unzipped: number;
  readonly zipped: number;
  /** Unzipped bytes by path, to show where they are. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

const BUDGETS = budgetsSchema.parse(JSON.parse(readFileSync(join(LAYER, "budget.json"), "utf8")));

/** Folders below which a table of the parts adds up. */
const PART_DEPTH = 4;

/** Lines of that table. */
const PARTS_SHOWN = 20;

/** The budget of a kind of zip, in bytes. */
export function budgetOf(kind: ZipKind): { readonly unzipped: number; readonly zipped: number } {
  return BUDGETS[kind];
}

/**
 * Checks a zip against its budget.
 * @throws {Error} When it is too large; the message shows the largest parts.
 */
export function checkBudget(name: string, kind: ZipKind, size: ZipSize): void {
  const { unzipped, zipped } = BUDGETS[kind];
  if (size.unzipped <= unzipped && size.zipped <= zipped) return;
  throw new Error(
    `failed to keep ${name} in its budget: ${size.unzipped} bytes unzipped of ${unzipped}, ` +
      `${size.zipped} zipped of ${zipped}\n${largestParts(size)}`,
  );
}

function largestParts({ files }: ZipSize): string {
  const sums = new Map<string, number>();
  for (const { path, bytes } of files) {
    const part = path.split("/").slice(0, PART_DEPTH).join("/");
    sums.set(part, (sums.get(part) ?? 0) + bytes);
  }
  const rows = [...sums].sort((a, b) => b[1] - a[1]).slice(0, PARTS_SHOWN);
  return formatTable([["part", "bytes"], ...rows.map(([part, bytes]) => [part, String(bytes)])]);
}
