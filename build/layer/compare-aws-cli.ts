/**
 * Measures the layer's AWS CLI side by side with the same tree without byte code and with Debian's
 * own installed package, in turn, and fails when the layer's is too slow. Then measures how much
 * memory some commands need: a function that has less kills them.
 *
 *     bun build/layer/compare-aws-cli.ts        # or: make bench-aws-cli
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { MotoServer } from "../deployments/moto-server.ts";
import { stagedPython } from "./aws-cli-debian.ts";
import { formatTable } from "./table.ts";
import { FinishedLayer } from "./testing/finished-layer.ts";
import { installedAwsCli, untouchedTree } from "./testing/untouched-aws-cli.ts";

/** Runs of each command; the median counts. */
const RUNS = Number(process.env["RUNS"] ?? 15);

/** Largest share of the time that the tree without byte code takes. */
const SHARE_MAX = 0.35;

const COMMANDS: readonly (readonly string[])[] = [["--version"], ["s3api", "list-buckets"]];

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

interface Variant {
  readonly name: string;
  readonly command: readonly string[];
}

/** Runs one command of every variant in turn and returns the median of each, in ms. */
async function medians(
  variants: readonly Variant[],
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<number[]> {
  const times = variants.map((): number[] => []);
  for (let turn = 0; turn <= RUNS; turn += 1) {
    for (const [index, { name, command }] of variants.entries()) {
      const startMs = performance.now();
      const child = Bun.spawn([...command, ...words], { env, stdout: "ignore", stderr: "pipe" });
      const errors = await new Response(child.stderr).text();
      if ((await child.exited) !== 0) throw new Error(`failed to run ${name}: ${errors}`);
      // The first turn only fills the page cache.
      if (turn > 0) times[index]?.push(performance.now() - startMs);
    }
  }
  return times.map((all) => all.sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN);
}

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
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) throw new Error(`failed to run ${command.join(" ")}: ${errors}`);
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

if (import.meta.main) {
  const host = HOST_ARCHITECTURE ?? architecture("amd64");
  const layer = await FinishedLayer.unzip(host);
  const untouched = await untouchedTree(host);
  const variants: readonly Variant[] = [
    { name: "the layer", command: [join(layer.opt, "bin/aws")] },
    {
      name: "the same tree without byte code",
      command: [
        ...stagedPython(untouched, host),
        join(import.meta.dir, "testing/start-untouched.py"),
      ],
    },
    { name: "Debian's own, installed", command: await installedAwsCli(host) },
  ];
  const moto = await MotoServer.start();
  try {
    const env = {
      ...moto.environment,
      PATH: "/usr/bin:/bin:/usr/sbin",
      PYTHONDONTWRITEBYTECODE: "1",
      HOME: "/tmp",
    };
    const rows = [[`median of ${RUNS} runs, ms`, ...variants.map(({ name }) => name)]];
    for (const words of COMMANDS) {
      const times = await medians(variants, words, env);
      rows.push([`aws ${words.join(" ")}`, ...times.map((time) => time.toFixed(0))]);
      const [own = 0, slow = 0, installed = 0] = times;
      if (words[0] === "--version" && (own > SHARE_MAX * slow || own > installed)) {
        process.exitCode = 1;
      }
      rows.push(["  share", "1", (own / slow).toFixed(2), (own / installed).toFixed(2)]);
    }
    console.log(formatTable(rows));
    console.log(await memoryTable(join(layer.opt, "bin/aws"), env));
  } finally {
    await moto.stop();
  }
}
