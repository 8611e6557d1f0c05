/**
 * Compares loops around curl with that of AWS's tutorial: other runtimes for shell functions, whose code
 * is not part of this project. The bootstraps of a clone of each are given by their paths:
 *
 *     bun build/bench/loops.ts gkrizek=../bash-lambda-layer/bootstrap ql4b=../ql4b/runtime/bootstrap
 *
 * Results are printed and written to build/bench/results/.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { formatTable } from "../layer/table.ts";
import { reportErrors } from "../plain-errors.ts";
import { countCalls, tracing } from "./runtime/process-costs.ts";
import { inTurn, jsonEvent, run, Samples } from "./runtime/run.ts";
import { CURL_LOOP, makeSubjects, RUNTIME, type Subject } from "./runtime/subjects.ts";
import { format, summarize, summarizeRatios, type Summary } from "./statistics.ts";

reportErrors();

const ROUNDS = 30;
/** Warm events in each round, after the first. */
const EVENTS = 30;
const TRACED_EVENTS = 20;
const EVENT = jsonEvent(50);

/** Responds on both streams: one of these runtimes takes standard error for the response. */
const HANDLER = `handler() { printf '%s' "$1"; printf '%s' "$1" >&2; }\n`;

const folder = mkdtempSync(join(tmpdir(), "bench-loops-"));
try {
  const subjects = await subjectsOf(process.argv.slice(2), folder);
  const first = new Samples();
  const warm = new Samples();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const subject of inTurn(subjects, round)) {
      const { firstResponseMs, warmMs } = await run(subject, EVENT, 1 + EVENTS);
      first.add(subject.name, firstResponseMs);
      warm.add(subject.name, summarize(warmMs).median);
    }
  }
  const milliseconds: Record<string, Record<string, Summary>> = {};
  const ratios: Record<string, Record<string, Summary>> = {};
  for (const [title, samples] of Object.entries({
    "start to first response": first,
    "warm event, 50 B": warm,
  })) {
    milliseconds[title] = eachOf(samples, (name) => summarize(samples.of(name)));
    ratios[title] = eachOf(samples, (name) =>
      summarizeRatios(samples.of(name), samples.of(CURL_LOOP)),
    );
  }
  const programs: Record<string, number> = {};
  for (const subject of subjects) programs[subject.name] = await programsOf(subject, folder);

  const names = subjects.map(({ name }) => name);
  const rows = (of: typeof milliseconds, unit: string) =>
    Object.entries(of).map(([title, values]) => [
      `${title}, ${unit}`,
      ...names.map((name) => (values[name] === undefined ? "-" : format(values[name], 2))),
    ]);
  console.log(
    formatTable([
      ["", ...names],
      ...rows(milliseconds, "ms"),
      ...rows(ratios, `by the ${CURL_LOOP}'s`),
      ["programs started for an event", ...names.map((name) => `${programs[name]}`)],
    ]),
  );
  const date = new Date().toISOString().slice(0, 10);
  const machine = { processor: cpus()[0]?.model, cores: cpus().length };
  const results = { date, machine, rounds: ROUNDS, milliseconds, ratios, programs };
  const output = join(import.meta.dir, "results", `${date}-loops.json`);
  writeFileSync(output, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`wrote ${output}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * The tutorial's loop, this runtime, and those that are named.
 * @throws {Error} When a word is not NAME=FILE.
 */
async function subjectsOf(words: readonly string[], folder: string): Promise<Subject[]> {
  const own = (await makeSubjects(folder, undefined)).filter(
    ({ name }) => name === CURL_LOOP || name === RUNTIME.bash,
  );
  const taskRoot = join(folder, "both-streams");
  mkdirSync(taskRoot);
  writeFileSync(join(taskRoot, "function.sh"), HANDLER);
  const others = words.map((word) => {
    const [name, file] = word.split("=");
    if (name === undefined || file === undefined) throw new Error(`"${word}" is not NAME=FILE`);
    return { name, command: [resolve(file)], handler: "function.handler", taskRoot, share: 4 };
  });
  return [...own, ...others];
}

function eachOf(samples: Samples, summary: (name: string) => Summary): Record<string, Summary> {
  return Object.fromEntries(samples.subjects.map((name) => [name, summary(name)]));
}

async function programsOf(subject: Subject, folder: string): Promise<number> {
  const trace = join(folder, "trace");
  const execs: number[] = [];
  for (const events of [1, 1 + TRACED_EVENTS]) {
    await run(subject, EVENT, events, { wrapper: tracing(trace) });
    execs.push(countCalls(readFileSync(trace, "utf8")).execs);
  }
  const [one = 0, all = 0] = execs;
  return Math.round((all - one) / TRACED_EVENTS);
}
