/**
 * Measures how much memory commands of the layer's AWS CLI need: a function that has less kills them.
 *
 *     bun build/bench/aws-cli-memory.ts        # or: make bench-aws-cli
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { MotoServer } from "../deployments/moto-server.ts";
import { outcomeOf } from "../layer/command.ts";
import { formatTable } from "../layer/table.ts";
import { FinishedLayer } from "../layer/testing/finished-layer.ts";
import { reportErrors } from "../plain-errors.ts";

reportErrors();

/** Size of the file that is copied to measure memory, in bytes. */
const COPIED_BYTES = 50_000_000;

/** Commands whose memory is measured; the bucket and the file are made before. */
const MEMORY_COMMANDS: readonly string[] = [
  "--version",
  "sts get-caller-identity",
  "dynamodb list-tables",
  "ec2 describe-instances",
  "s3 cp FILE s3://memory/key",
  "s3 cp s3://memory/key FILE",
  "s3 cp s3://memory/key -",
];

/**
 * Prints the largest memory of a command, in KiB. Python starts it because it is small itself: the
 * kernel counts what the process that starts a program had before.
 */
const MEASURE =
  "import resource,subprocess,sys\n" +
  "status=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL).returncode\n" +
  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\nsys.exit(status)";

/** The largest memory of one command, in bytes. */
async function memoryOf(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const child = Bun.spawn(["/usr/bin/python3", "-I", "-c", MEASURE, ...command], {
    env,
    stdout: "pipe",
    stderr: "pipe",
  });
  const { output, errors, status } = await outcomeOf(child);
  if (status !== 0) throw new Error(`failed to run ${command.join(" ")}: ${errors}`);
  return Number(output) * 1024;
}

/** A table of the memory that commands of the layer's CLI need. */
async function memoryTable(aws: string, env: Readonly<Record<string, string>>): Promise<string> {
  const file = join(temporaryFolder("memory"), "file");
  writeFileSync(file, Buffer.alloc(COPIED_BYTES, 1));
  await memoryOf([aws, "s3", "mb", "s3://memory"], env);
  const rows = [["largest memory, MB", "the layer"]];
  for (const words of MEMORY_COMMANDS) {
    const bytes = await memoryOf([aws, ...words.replace("FILE", file).split(" ")], env);
    rows.push([
      `aws ${words.replace("FILE", `FILE (${COPIED_BYTES / 1e6} MB)`)}`,
      (bytes / 1e6).toFixed(0),
    ]);
  }
  return formatTable(rows);
}

const layer = await FinishedLayer.unzip(HOST_ARCHITECTURE ?? architecture("amd64"));
const moto = await MotoServer.start();
try {
  const env = { ...moto.environment, PATH: "/usr/bin:/bin", HOME: "/tmp" };
  console.log(await memoryTable(join(layer.opt, "bin/aws"), env));
} finally {
  await moto.stop();
}
