/**
 * Says what a build made: artefacts against their budgets, what each rule saved, which files need
 * the layer's own loader, where the parts came from. Printed, and kept as dist/layer-report.txt.
 *
 * @module
 */

import type { Architecture } from "../architectures.ts";
import { type Artifact, writeWhole } from "./artifacts.ts";
import type { StagedAwsCli } from "./aws-cli.ts";
import { type CheckedElf, LAMBDA_GLIBC } from "./elf-check.ts";
import type { StagedJq } from "./jq.ts";
import type { Saving } from "./prune.ts";
import { budgetOf } from "./size-budget.ts";
import { formatTable, spaced } from "./table.ts";

/** What the build of one architecture made. */
export interface LayerReport {
  readonly target: Architecture;
  readonly awsCli: StagedAwsCli;
  readonly jq: StagedJq;
  readonly savings: readonly Saving[];
  readonly elfFiles: readonly CheckedElf[];
  readonly artifacts: readonly Artifact[];
}

/** Writes the report into dist/ and returns it. */
export function writeReport(reports: readonly LayerReport[]): string {
  const text = [
    artifactTable(reports),
    ...reports.map(savingTable),
    ...reports.map(elfTable),
    ...reports.map(({ target, awsCli, jq }) => {
      const sources = [awsCli.parts.find(({ name }) => name === "awscli"), jq.parts[0]];
      return sources.map((part) => `${target.name}: ${part?.name} from ${part?.source}`).join("\n");
    }),
  ].join("\n\n");
  writeWhole("layer-report.txt", `${text}\n`);
  return `\n${text}\n`;
}

function artifactTable(reports: readonly LayerReport[]): string {
  const rows = reports.flatMap(({ artifacts }) =>
    artifacts.map(({ name, kind, size }) => {
      const budget = budgetOf(kind);
      const sizes = [size.unzipped, budget.unzipped, size.zipped, budget.zipped];
      return [name, String(size.files.length), ...sizes.map(spaced)];
    }),
  );
  return formatTable([
    ["artefact", "files", "unzipped", "of at most", "zipped", "of at most"],
    ...rows,
  ]);
}

function savingTable({ target, savings }: LayerReport): string {
  const total = savings.reduce((sum, { bytes }) => sum + bytes, 0);
  return formatTable([
    [`bytes saved for ${target.name}`, "files", "bytes"],
    ...savings.map(({ name, files, bytes }) => [name, String(files), spaced(bytes)]),
    ["together", "", spaced(total)],
  ]);
}

function elfTable({ target, elfFiles }: LayerReport): string {
  const own = elfFiles.filter(({ loader }) => loader !== undefined);
  const loaders = new Set(own.map(({ loader }) => loader));
  const others = elfFiles.length - own.length;
  return [
    `ELF files for ${target.name}: ${elfFiles.length}, each for ${target.machine}; ` +
      `${others} run with Lambda's glibc ${LAMBDA_GLIBC} or without any, ` +
      `${own.length} are started or loaded by ${[...loaders].join(", ") || "no other"}:`,
    ...own.map(({ path, glibc }) => `  ${path}${glibc === undefined ? "" : ` (glibc ${glibc})`}`),
  ].join("\n");
}
