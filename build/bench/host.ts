/**
 * What the host costs: `serve` against the runtime's own warm time, a naive host, AWS's
 * emulator, and itself with more environments.
 *
 *     bun build/bench/host.ts [rounds]
 *
 * All subjects take turns in one run, so that a busy machine slows all of them; what counts are
 * differences and ratios. The runtime is our bootstrap with the hello function.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";

import { reportErrors } from "../plain-errors.ts";
import { bareRuntime, CALLERS, emulator, naiveHost, serve } from "./host/subjects.ts";

reportErrors();

const SPIN = join(import.meta.dir, "host-spin");
const ROUNDS = Number(process.argv[2] ?? 5);
const WARM_EVENTS = 400;
const NAIVE_EVENTS = 30;
const SPIN_EVENTS = 100;
/** Longest time of the whole bench, in milliseconds. */
const TIME_MS_MAX = 180_000;

/** Limits of the host, as its specification has them. */
const ADDED_MS_MAX = 0.7;
const NAIVE_RATIO_MIN = 5;

/** Times of calls one after another, in milliseconds. */
async function times(call: () => Promise<void>, count: number): Promise<number[]> {
  const all: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const startedAtMs = performance.now();
    await call();
    all.push(performance.now() - startedAtMs);
  }
  return all;
}

/** Requests a second with several callers at once. */
async function throughput(call: () => Promise<void>, count: number): Promise<number> {
  let left = count;
  const startedAtMs = performance.now();
  const caller = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return (count / (performance.now() - startedAtMs)) * 1000;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const pairs = (of: readonly number[], to: readonly number[]) =>
  of.map((value, at) => value / (to[at] ?? Number.NaN));

const spread = (values: readonly number[], digits: number) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;

// A subject that does not respond must not hold up everything after the bench.
setTimeout(() => {
  console.error(`error: the bench did not end within ${TIME_MS_MAX / 60_000} minutes`);
  process.exit(1);
}, TIME_MS_MAX).unref();

await using bare = await bareRuntime();
await using naive = await naiveHost();
await using emulated = await emulator();
await using one = await serve(1);
await using spin1 = await serve(1, SPIN);
await using spin2 = await serve(2, SPIN);
await using spin4 = await serve(4, SPIN);
for (const subject of [bare, emulated, one, spin1, spin2, spin4]) await times(subject.call, 100);

const rows = {
  bareMs: [] as number[],
  serveMs: [] as number[],
  addedMs: [] as number[],
  emulatorMs: [] as number[],
  naiveRate: [] as number[],
  rate1: [] as number[],
  ratio: [] as number[],
  spin1: [] as number[],
  spin2: [] as number[],
  spin4: [] as number[],
};
for (let round = 0; round < ROUNDS; round += 1) {
  const bareMs = median(await times(bare.call, WARM_EVENTS));
  const serveMs = median(await times(one.call, WARM_EVENTS));
  rows.emulatorMs.push(median(await times(emulated.call, WARM_EVENTS)));
  const naiveRate = await throughput(naive.call, NAIVE_EVENTS);
  const rate1 = await throughput(one.call, WARM_EVENTS);
  rows.bareMs.push(bareMs);
  rows.serveMs.push(serveMs);
  rows.addedMs.push(serveMs - bareMs);
  rows.naiveRate.push(naiveRate);
  rows.rate1.push(rate1);
  rows.spin1.push(await throughput(spin1.call, SPIN_EVENTS));
  rows.spin2.push(await throughput(spin2.call, SPIN_EVENTS));
  rows.spin4.push(await throughput(spin4.call, SPIN_EVENTS));
  rows.ratio.push(rate1 / naiveRate);
}

const lines = [
  ["bootstrap alone, warm event, ms", spread(rows.bareMs, 2)],
  ["serve with 1 environment, warm event, ms", spread(rows.serveMs, 2)],
  [`added by the host, ms (at most ${ADDED_MS_MAX})`, spread(rows.addedMs, 2)],
  ["AWS's emulator, warm event, ms", spread(rows.emulatorMs, 2)],
  ["serve / AWS's emulator", spread(pairs(rows.serveMs, rows.emulatorMs), 2)],
  [`naive host, requests/s, ${CALLERS} callers`, spread(rows.naiveRate, 0)],
  ["serve with 1 environment, requests/s", spread(rows.rate1, 0)],
  [`serve with 1 / naive (at least ${NAIVE_RATIO_MIN})`, spread(rows.ratio, 1)],
  [`work in the shell, requests/s, ${cpus().length} cores: 1 environment`, spread(rows.spin1, 0)],
  ["  2 environments / 1", spread(pairs(rows.spin2, rows.spin1), 2)],
  ["  4 environments / 1", spread(pairs(rows.spin4, rows.spin1), 2)],
];
for (const [what = "", value = ""] of lines) console.log(`${what.padEnd(58)} ${value}`);
const day = new Date().toISOString().slice(0, 10);
const results = join(import.meta.dir, "results");
mkdirSync(results, { recursive: true });
const output = join(results, `${day}-host.json`);
await Bun.write(output, `${JSON.stringify(rows, undefined, 2)}\n`);
console.log(`wrote ${output}`);
const held = median(rows.addedMs) <= ADDED_MS_MAX && median(rows.ratio) >= NAIVE_RATIO_MIN;
if (!held) {
  console.error(
    'error: the host is slower than the lines with "at most" and "at least" allow: repeat it while ' +
      "nothing else runs; if it stays, a change has made the host slower",
  );
}
process.exitCode = held ? 0 : 1;
