/**
 * Measures starts from cold storage: the runtime that does not ask for its pages, the one that does,
 * and the curl loop of AWS's tutorial, side by side.
 *
 *     make bench-cold                          # needs root; a minute or two
 *     bun build/bench/cold-start.ts [ROUNDS]
 *
 * Everything that a start reads (runtime, shell, commands, libraries) is in a file system of its own
 * on a loop device and not cached. The device is once the disk, with four distances of read-ahead,
 * and once a store that takes 1 or 5 ms for a block of 512 KiB, requests in parallel: Lambda's case.
 * Rounds are interleaved, and medians compared.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { HOST_ARCHITECTURE } from "../architectures.ts";
import { lockedBun } from "../bun-executable.ts";
import { BOOTSTRAP, compile } from "../compile.ts";
import { reportErrors } from "../plain-errors.ts";
import { ColdDevice } from "./cold-start-device.ts";
import { makeImage } from "./cold-start-image.ts";
import { type ColdStart, measureStart } from "./cold-start-run.ts";
import { BlockStore, compileStore, storeObstacle } from "./cold-start-store.ts";

const ROUNDS = 9;
const READ_AHEADS_KIB = [0, 32, 128, 512];
const LATENCIES_MS = [1, 5];
/** Read-ahead of block devices unless somebody changed it, and so of Lambda's, in KiB. */
const READ_AHEAD_KIB = 128;
/** What is compared. */
const RUNTIMES: readonly string[] = ["plain", "prefetched", "curl-loop"];

/** Where starts are measured. */
interface Setting {
  readonly name: string;
  readonly readAheadKib: number;
  /** Whether the image is mounted again before each start. */
  readonly cold: boolean;
}

type Medians = Readonly<Record<keyof ColdStart, number>>;

/** One line of the result. */
interface Row extends Medians {
  readonly setting: string;
  readonly runtime: string;
  /** The best time to the first response, in milliseconds: what other work disturbed least. */
  readonly bestMs: number;
}

/** Measures every runtime in a setting, interleaved. */
async function measureSetting(
  device: ColdDevice,
  setting: Setting,
  rounds: number,
  beforeStart: () => Promise<void>,
): Promise<Row[]> {
  const starts = new Map<string, ColdStart[]>(RUNTIMES.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of RUNTIMES) {
      if (setting.cold) {
        await device.unmount();
        await beforeStart();
        await device.mountCold(setting.readAheadKib);
      } else {
        await measureStart(device, name);
      }
      starts.get(name)?.push(await measureStart(device, name));
    }
  }
  return RUNTIMES.map((runtime) => {
    const measured = starts.get(runtime) ?? [];
    const bestMs = Math.min(...measured.map(({ responseMs }) => responseMs));
    return { setting: setting.name, runtime, ...medians(measured), bestMs };
  });
}

/** Measures the settings whose storage is the disk, and the warm one. */
async function measureDisk(image: string, folder: string, rounds: number): Promise<Row[]> {
  const device = await ColdDevice.attach(image, folder);
  const rows: Row[] = [];
  try {
    for (const readAheadKib of READ_AHEADS_KIB) {
      const name = `disk, read-ahead ${readAheadKib} KiB`;
      const setting = { name, readAheadKib, cold: true };
      rows.push(...report(await measureSetting(device, setting, rounds, async () => {})));
    }
    const warm = { name: "warm", readAheadKib: READ_AHEAD_KIB, cold: false };
    rows.push(...report(await measureSetting(device, warm, 3 * rounds, async () => {})));
  } finally {
    await device.detach();
  }
  return rows;
}

/** Measures the settings whose storage takes its time for each block. */
async function measureStores(image: string, folder: string, rounds: number): Promise<Row[]> {
  const program = await compileStore(folder);
  const rows: Row[] = [];
  for (const latencyMs of LATENCIES_MS) {
    const store = await BlockStore.start(program, image, folder, latencyMs);
    try {
      const device = await ColdDevice.attach(store.path, folder);
      try {
        const name = `store, ${latencyMs} ms a block`;
        const setting = { name, readAheadKib: READ_AHEAD_KIB, cold: true };
        rows.push(...report(await measureSetting(device, setting, rounds, () => store.makeCold())));
      } finally {
        await device.detach();
      }
    } finally {
      await store.stop();
    }
  }
  return rows;
}

function medians(starts: readonly ColdStart[]): Medians {
  const median = (key: keyof ColdStart) => {
    const values = starts.map((start) => start[key]).sort((a, b) => a - b);
    return values[Math.floor(values.length / 2)] ?? Number.NaN;
  };
  return {
    nextMs: median("nextMs"),
    responseMs: median("responseMs"),
    majorFaults: median("majorFaults"),
    readBytes: median("readBytes"),
    pages: median("pages"),
    blocks: median("blocks"),
  };
}

/** Prints the rows of a setting as they come. */
function report(rows: readonly Row[]): readonly Row[] {
  for (const row of rows) {
    console.log(
      [
        row.setting.padEnd(28),
        row.runtime.padEnd(11),
        row.nextMs.toFixed(1).padStart(7),
        row.responseMs.toFixed(1).padStart(8),
        row.bestMs.toFixed(1).padStart(7),
        String(row.majorFaults).padStart(6),
        (row.readBytes / 1e6).toFixed(1).padStart(5),
        String(row.pages).padStart(6),
        String(row.blocks).padStart(6),
      ].join(" "),
    );
  }
  return rows;
}

/** Prints the ratios that the runtime is held to: of medians, and of the best times. */
function reportTargets(rows: readonly Row[]): void {
  const compare = (setting: string, of: string, target: string) => {
    const find = (name: string) =>
      rows.find((row) => row.setting === setting && row.runtime === name);
    const [ours, theirs] = [find("prefetched"), find(of)];
    if (ours === undefined || theirs === undefined) return;
    const ratio = (ours.responseMs / theirs.responseMs).toFixed(2);
    const bestRatio = (ours.bestMs / theirs.bestMs).toFixed(2);
    console.log(`  ${of}, ${setting}: ${ratio}, best times ${bestRatio} (target ${target})`);
  };
  console.log("\nprefetched, to the first response, as a part of");
  compare(`disk, read-ahead ${READ_AHEAD_KIB} KiB`, "plain", "0.50");
  compare(`disk, read-ahead ${READ_AHEAD_KIB} KiB`, "curl-loop", "0.50");
  compare(`store, ${LATENCIES_MS[0]} ms a block`, "plain", "0.25");
  compare(`store, ${LATENCIES_MS[0]} ms a block`, "curl-loop", "0.45");
  compare("warm", "plain", "1.03");
}

async function main(rounds: number): Promise<void> {
  if (HOST_ARCHITECTURE === undefined) throw new Error(`there is no runtime for ${process.arch}`);
  const folder = mkdtempSync(join(tmpdir(), "cold-start-"));
  try {
    const runtimes: Record<string, string> = {};
    for (const [name, prefetch] of [
      ["plain", false],
      ["prefetched", true],
    ] as const) {
      const program = { ...BOOTSTRAP, outputName: () => name, prefetch };
      runtimes[name] = await compile(program, HOST_ARCHITECTURE, folder);
    }
    const image = await makeImage(folder, runtimes);
    console.log(
      `${"".padEnd(40)}  to GET   to first response faults    MB  pages blocks\n` +
        `${"".padEnd(40)} /next, ms   ms     best          read  of the file`,
    );
    const rows = [
      ...(await measureDisk(image, folder, rounds)),
      ...(await measureStores(image, folder, rounds)),
    ];
    reportTargets(rows);
    const results = join(import.meta.dir, "results");
    mkdirSync(results, { recursive: true });
    const day = new Date().toISOString().slice(0, 10);
    const result = {
      bun: HOST_ARCHITECTURE && lockedBun(HOST_ARCHITECTURE).version,
      kernel: (await Bun.file("/proc/version").text()).split(" ")[2],
      rounds,
      rows,
    };
    const output = join(results, `${day}-cold-start.json`);
    writeFileSync(output, `${JSON.stringify(result, null, 2)}\n`);
    console.log(`wrote ${output}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  reportErrors();
  const obstacle = storeObstacle();
  if (obstacle !== undefined) {
    console.log(`bench-cold: skipped, ${obstacle}`);
  } else {
    await main(Number(process.argv[2] ?? ROUNDS));
  }
}
