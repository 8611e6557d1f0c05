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
import { parseArgs } from "node:util";

import { version } from "../package.json" with { type: "json" };
import { endWithParent } from "../src/runtime/process.ts";
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
import {
  type DebianInput,
  fetchRecorded,
  type Inputs,
  readInputs,
  writeInputs,
} from "./layer/inputs.ts";
import { stageJq } from "./layer/jq.ts";
import { compressModels, shrinkModels } from "./layer/models.ts";
import { checkCachePath, DIST } from "./layer/paths.ts";
import { step } from "./layer/progress.ts";
import { bootstrapParts, caBundleParts, writeProvenance } from "./layer/provenance.ts";
import { prune } from "./layer/prune.ts";
import { type LayerReport, writeReport } from "./layer/report.ts";
import { workFolder } from "./layer/work-folder.ts";
import { reportErrors, SaidError } from "./plain-errors.ts";

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
  if (awsCli.input.kind !== "debian") savings.push(await shrinkModels(full));
  else {
    savings.push(await compressModels(full, target.name === "arm64"));
    savings.push(await compileByteCode(full, await hostInput(target, awsCli.input, inputs)));
  }
  const elfFiles = await checkElfFiles(full, target);
  const parts = [...runtime, ...awsCli.parts, ...caBundleParts(full), ...jq.parts];
  // bin/aws and jq have one C library.
  await writeProvenance(full, product, [
    ...new Map(parts.map((part) => [part.purl, part])).values(),
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

/**
 * The packages of this machine's architecture: their Python compiles for every other one.
 * @param own Those that were just staged, if they are for this machine.
 */
async function hostInput(
  target: Architecture,
  own: DebianInput,
  inputs: Inputs | undefined,
): Promise<DebianInput> {
  const host = HOST_ARCHITECTURE;
  if (host === undefined) throw new Error(`failed to find a Python for ${process.arch}`);
  if (target === host) return own;
  const recorded = inputs?.[host.name]?.awsCli;
  if (recorded?.kind !== "debian") return newestInput(host);
  await fetchRecorded(recorded, host);
  return recorded;
}

/**
 * Builds one architecture in a process of its own, beside this one, and returns what it made. Its
 * words go where ours go.
 */
async function buildBeside(target: Architecture): Promise<LayerReport> {
  const file = join(workFolder("report"), "report.json");
  const child = Bun.spawn([process.execPath, import.meta.path, target.name, "--report", file], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const end = () => child.kill();
  process.on("exit", end);
  const status = await child.exited;
  process.off("exit", end);
  if (status !== 0) throw new SaidError(`the build for ${target.name} ended with status ${status}`);
  return { ...((await Bun.file(file).json()) as LayerReport), target };
}

async function buildAll(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { report: { type: "string" } },
    allowPositionals: true,
  });
  if (values.report !== undefined) endWithParent(process.ppid);
  checkCachePath();
  const targets = positionals.length > 0 ? positionals.map(architecture) : ARCHITECTURES;
  const recorded = readInputs(process.env["INPUTS"]);
  for (const { name } of targets) {
    if (recorded !== undefined && recorded[name] === undefined) {
      throw new Error(
        `failed to build for ${name} from ${process.env["INPUTS"]}: it has no ${name}`,
      );
    }
  }
  sweepUnfinished();
  const [first = architecture("amd64"), ...others] = targets;
  const reports = await Promise.all([
    buildLayer(first, recorded),
    ...others.map((target) => buildBeside(target)),
  ]);
  if (values.report !== undefined) {
    await Bun.write(values.report, JSON.stringify(reports[0]));
    return;
  }
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
}

reportErrors("CACHE=FOLDER and DIST=FOLDER name other folders for the cache and for the result");
await buildAll();
