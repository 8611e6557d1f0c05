/**
 * Measures the layer's AWS CLI side by side with the same tree without byte code and with Debian's
 * own installed package, in turn, and fails when the layer's is too slow.
 *
 *     bun build/layer/compare-aws-cli.ts        # or: make bench-aws-cli
 *
 * @module
 */

import { join } from "node:path";

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
      CRYPTOGRAPHY_OPENSSL_NO_LEGACY: "1",
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
  } finally {
    await moto.stop();
  }
}
