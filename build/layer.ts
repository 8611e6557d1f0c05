/**
 * Makes the layers: the recipe, one line a step.
 *
 *     bun build/layer.ts               # for both architectures
 *     bun build/layer.ts arm64         # for one
 *
 * AWS_CLI and JQ choose the sources (build/README.md). Needs dist/bootstrap-ARCHITECTURE.
 *
 * @module
 */

import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";

import { version } from "../package.json" with { type: "json" };
import { type Architecture, architecture, ARCHITECTURES } from "./architectures.ts";
import { bootstrapEntry, treeEntries, writeChecksums, writeZip } from "./layer/artifacts.ts";
import { stageAwsCli } from "./layer/aws-cli.ts";
import { compileByteCode } from "./layer/byte-code.ts";
import { sha256OfFile } from "./layer/download.ts";
import { checkElfFiles } from "./layer/elf-check.ts";
import { stageJq } from "./layer/jq.ts";
import { compressModels, shrinkModels } from "./layer/models.ts";
import { DIST } from "./layer/paths.ts";
import { step } from "./layer/progress.ts";
import { bootstrapParts, writeProvenance } from "./layer/provenance.ts";
import { prune } from "./layer/prune.ts";
import { type LayerReport, writeReport } from "./layer/report.ts";
import { workFolder } from "./layer/work-folder.ts";

/** Builds every zip for one architecture. */
async function buildLayer(target: Architecture): Promise<LayerReport> {
  const product = { name: "lambda-shell-runtime", version, architecture: target.name };
  const executable = join(DIST, `bootstrap-${target.name}`);
  if (!existsSync(executable)) throw new Error(`failed to find ${executable}: make bootstrap`);
  const bootstrap = bootstrapEntry(await Bun.file(executable).bytes());
  const runtime = await bootstrapParts(target, version, await sha256OfFile(executable));

  const slim = workFolder(`slim-${target.name}`);
  const jq = await stageJq(slim, target, process.env["JQ"] ?? "auto");
  await writeProvenance(slim, product, [...runtime, ...jq]);

  const full = workFolder(`layer-${target.name}`);
  cpSync(slim, full, { recursive: true });
  const awsCli = await stageAwsCli(full, target, process.env["AWS_CLI"] ?? "auto");
  step(`prune and precompile for ${target.name}`);
  const savings = prune(full);
  if (awsCli.kind === "upstream") savings.push(shrinkModels(full));
  else savings.push(compressModels(full), await compileByteCode(full));
  const elfFiles = await checkElfFiles(full, target);
  await writeProvenance(full, product, [...runtime, ...awsCli.parts, ...jq]);

  step(`zip for ${target.name}`);
  const name = (kind: string) => `${kind}-${target.name}-${version}.zip`;
  const artifacts = [
    writeZip(name("bootstrap"), "bootstrap", [bootstrap]),
    writeZip(name("lambda-shell-runtime-slim"), "slim", [bootstrap, ...treeEntries(slim)]),
    writeZip(name("lambda-shell-runtime"), "layer", [bootstrap, ...treeEntries(full)]),
  ];
  return { target, awsCli, jq, savings, elfFiles, artifacts };
}

if (import.meta.main) {
  const names = process.argv.slice(2);
  const targets = names.length > 0 ? names.map(architecture) : ARCHITECTURES;
  const reports: LayerReport[] = [];
  for (const target of targets) reports.push(await buildLayer(target));
  console.log(writeReport(reports));
  console.log(await writeChecksums());
}
