/**
 * Draws layer/diagrams/*.dot as SVG, with Graphviz compiled to WebAssembly.
 *
 *     bun build/deployments/documents/diagrams.ts
 *
 * @module
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { instance } from "@viz-js/viz";

import { reportErrors } from "../../plain-errors.ts";
import { ROOT } from "../layer-dist.ts";

const DIAGRAMS = join(ROOT, "layer/diagrams");

/**
 * How much smaller texts are than Graphviz has laid them out. It knows the widths of Arial alone, and
 * where a reader has other fonts, such as DejaVu Sans, they are up to a sixth wider.
 */
const TEXT_SCALE = 0.84;

/** A diagram: the file that it belongs into, and the picture that its source gives. */
export interface Diagram {
  readonly file: string;
  readonly svg: string;
}

/** Draws every diagram; the same source gives the same bytes. */
export async function drawDiagrams(): Promise<readonly Diagram[]> {
  const graphviz = await instance();
  return readdirSync(DIAGRAMS)
    .filter((name) => name.endsWith(".dot"))
    .map((name) => ({
      file: join(DIAGRAMS, name.replace(/dot$/, "svg")),
      svg: graphviz
        .renderString(readFileSync(join(DIAGRAMS, name), "utf8"), { format: "svg" })
        .replace(/font-size="([\d.]+)"/g, (_, size: string) => {
          return `font-size="${(Number(size) * TEXT_SCALE).toFixed(2)}"`;
        }),
    }));
}

if (import.meta.main) {
  reportErrors();
  for (const { file, svg } of await drawDiagrams()) writeFileSync(file, svg);
}
