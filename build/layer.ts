/**
 * Makes the layers: the recipe, one line a step.
 *
 *     bun build/layer.ts               # for both architectures
 *     bun build/layer.ts arm64         # for one
 *
 * AWS_CLI and JQ choose the sources, INPUTS names the record of a build to repeat (build/README.md).
 * Needs dist/bootstrap-ARCHITECTURE.
 *
 * @module
 */

import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";

import { version } from "../package.json" with { type: "json" };
import {
  type Architecture,
  architecture,
  ARCHITECTURES,
  HOST_ARCHITECTURE,
} from "./architectures.ts";
import {
  bootstrapEntry,
  sweepUnfinished,
  treeEntries,
  writeChecksums,
  writeZip,
} from "./layer/artifacts.ts";
import { newestInput } from "./layer/aws-cli-debian.ts";
import { stageAwsCli } from "./layer/aws-cli.ts";
import { compileByteCode } from "./layer/byte-code.ts";
import { sha256OfFile } from "./layer/download.ts";
import { checkElfFiles } from "./layer/elf-check.ts";
import { type DebianInput, type Inputs, readInputs, writeInputs } from "./layer/inputs.ts";
import { stageJq } from "./layer/jq.ts";
import { main } from "./layer/main.ts";
import { compressModels, shrinkModels } from "./layer/models.ts";
import { DIST } from "./layer/paths.ts";
import { step } from "./layer/progress.ts";
import { bootstrapParts, caBundleParts, writeProvenance } from "./layer/provenance.ts";
import { prune } from "./layer/prune.ts";
import { type LayerReport, writeReport } from "./layer/report.ts";
import { workFolder } from "./layer/work-folder.ts";

/** Builds every zip for one architecture. */
async function buildLayer(target: Architecture, inputs?: Inputs): Promise<LayerReport> {
  const product = { name: "lambda-shell-runtime", version, architecture: target.name };
  const executable = join(DIST, `bootstrap-${target.name}`);
  if (!existsSync(executable)) throw new Error(`failed to find ${executable}: make bootstrap`);
  const bootstrap = bootstrapEntry(await Bun.file(executable).bytes());
  const runtime = await bootstrapParts(target, version, await sha256OfFile(executable));

  const recorded = inputs?.[target.name];
  const slim = workFolder(`slim-${target.name}`);
  const jq = await stageJq(slim, target, {
    choice: process.env["JQ"] || "auto",
    recorded: recorded?.jq,
  });
  await writeProvenance(slim, product, [...runtime, ...jq.parts]);

  const full = workFolder(`layer-${target.name}`);
  cpSync(slim, full, { recursive: true });
  const awsCli = await stageAwsCli(full, target, {
    choice: process.env["AWS_CLI"] || "auto",
    recorded: recorded?.awsCli,
  });
  step(`prune and precompile for ${target.name}`);
  const savings = prune(full);
  if (awsCli.kind === "upstream") savings.push(await shrinkModels(full));
  else {
    savings.push(await compressModels(full));
    savings.push(await compileByteCode(full, await hostInput(inputs)));
  }
  const elfFiles = await checkElfFiles(full, target);
  await writeProvenance(full, product, [
    ...runtime,
    ...awsCli.parts,
    ...caBundleParts(full),
    ...jq.parts,
  ]);

  step(`zip for ${target.name}`);
  const name = (kind: string) => `${kind}-${target.name}-${version}.zip`;
  const artifacts = [
    writeZip(name("bootstrap"), "bootstrap", [bootstrap]),
    writeZip(name("lambda-shell-runtime-slim"), "slim", [bootstrap, ...treeEntries(slim)]),
    writeZip(name("lambda-shell-runtime"), "layer", [bootstrap, ...treeEntries(full)]),
  ];
  return { target, awsCli, jq, savings, elfFiles, artifacts };
}

let host: Promise<DebianInput> | undefined;

/** The packages of this machine's architecture: their Python compiles for every other one. */
function hostInput(inputs?: Inputs): Promise<DebianInput> {
  const target = HOST_ARCHITECTURE;
  if (target === undefined) throw new Error(`failed to find a Python for ${process.arch}`);
  const awsCli = inputs?.[target.name]?.awsCli;
  host ??= awsCli?.kind === "debian" ? Promise.resolve(awsCli) : newestInput(target);
  return host;
}

await main(async () => {
  const names = process.argv.slice(2);
  const targets = names.length > 0 ? names.map(architecture) : ARCHITECTURES;
  const recorded = readInputs(process.env["INPUTS"]);
  for (const { name } of targets) {
    if (recorded !== undefined && recorded[name] === undefined) {
      throw new Error(
        `failed to build for ${name} from ${process.env["INPUTS"]}: it has no ${name}`,
      );
    }
  }
  sweepUnfinished();
  const reports: LayerReport[] = [];
  for (const target of targets) reports.push(await buildLayer(target, recorded));
  writeInputs(
    Object.fromEntries(
      reports.map(({ target, awsCli, jq }) => [
        target.name,
        { awsCli: awsCli.input, jq: jq.input },
      ]),
    ),
  );
  console.log(writeReport(reports));
  console.log(await writeChecksums());
});
