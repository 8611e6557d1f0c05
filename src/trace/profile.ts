/**
 * Where the time of one event went, command by command.
 *
 * The trace says when each command began, and in which process. In one process a command lasts until
 * the next one begins or the process ends. The time of a process that a shell has forked is taken from the
 * command during which it ran. So the commands of a pipeline, which run at
 * the same time, each have all of its time.
 *
 * @module
 */

import { readFileSync } from "node:fs";

import { processTree } from "../host/sandbox/process.ts";
import { tracedWord, type TraceRecord } from "./trace-reader.ts";

/** Commands that are kept of one event; a loop may run millions. */
const RECORDS_MAX = 200_000;

/** Commands that are shown. */
const ROWS_MAX = 15;

/** The sum of all shares from which on it is said why they are more than the whole; below, it is rounding. */
const OVERLAP_SHOWN = 1.05;

/** Longest text of a command that is shown, in characters. */
const TEXT_LENGTH_MAX = 60;

/** A command of the function, with all the times that it was run. */
export interface ProfileRow {
  /** `function.sh:12`; empty for the shell and the runtime themselves. */
  readonly place: string;
  /** The command as the shell expanded it the first time. */
  readonly text: string;
  readonly count: number;
  readonly timeMs: number;
}

/** A span of time, as times of day in milliseconds. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is known of a process that the trace does not say. */
export interface ProcessFacts {
  readonly parentPid?: number;
  /** When it has ended, as a time of day in milliseconds. */
  readonly endMs?: number;
}

/** Keeps the commands of one event. */
export class Profile {
  readonly #records: TraceRecord[] = [];
  #lost = 0;

  /** Takes a command. */
  add(record: TraceRecord): void {
    if (this.#records.length < RECORDS_MAX) this.#records.push(record);
    else this.#lost += 1;
  }

  /** Commands that were not kept, since there were too many. */
  get lost(): number {
    return this.#lost;
  }

  /**
   * The commands that began in a span, slowest first; what is left of the span comes last.
   * @param placeOf Names the file and line of a command; nothing where it is not the function's.
   * @param processes What is known of the processes otherwise.
   */
  rows(
    span: Span,
    placeOf: (record: TraceRecord) => string | undefined,
    processes: ReadonlyMap<number, ProcessFacts> = new Map(),
  ): readonly ProfileRow[] {
    const records = this.#records
      .filter(({ atMs }) => atMs >= span.fromMs && atMs <= span.toMs)
      .sort((a, b) => a.atMs - b.atMs);
    const tree = new ProcessTree(records, processes);
    const commands = timedCommands(records, endTimes(records, span.toMs, tree), tree);
    const rows = new Map<string, { place: string; text: string; count: number; timeMs: number }>();
    const told: Span[] = [];
    for (const { record, fromMs, toMs, ownMs } of commands) {
      const place = placeOf(record);
      if (place === undefined) continue;
      told.push({ fromMs, toMs });
      const key = `${place} ${tracedWord(record.text)}`;
      const row = rows.get(key) ?? { place, text: record.text, count: 0, timeMs: 0 };
      rows.set(key, { ...row, count: row.count + 1, timeMs: row.timeMs + ownMs });
    }
    const sorted = [...rows.values()].sort((a, b) => b.timeMs - a.timeMs);
    const restMs = Math.max(0, span.toMs - span.fromMs - unionMs(told));
    return [...sorted, { place: "", text: "the shell and the runtime", count: 1, timeMs: restMs }];
  }
}

interface TimedCommand extends Span {
  readonly record: TraceRecord;
  /** Without the time of the processes that were forked meanwhile. */
  readonly ownMs: number;
}

/** @param records In the order of their times. */
function timedCommands(
  records: readonly TraceRecord[],
  ends: readonly number[],
  tree: ProcessTree,
): readonly TimedCommand[] {
  const forks = forkSpans(records, ends);
  return records.map((record, at) => {
    const fromMs = record.atMs;
    const toMs = ends[at] ?? fromMs;
    const within: Span[] = [];
    for (let next = firstFrom(forks, fromMs); next < forks.length; next += 1) {
      const fork = forks[next];
      if (fork === undefined || fork.fromMs >= toMs) break;
      if (tree.isBelow(fork, record)) within.push({ ...fork, toMs: Math.min(fork.toMs, toMs) });
    }
    return { record, fromMs, toMs, ownMs: toMs - fromMs - unionMs(within) };
  });
}

/** Which process was forked below which. */
class ProcessTree {
  readonly facts: ReadonlyMap<number, ProcessFacts>;
  /** The handler's own process, which waits for all others but those in the background. */
  readonly mainPid: number | undefined;

  constructor(records: readonly TraceRecord[], facts: ReadonlyMap<number, ProcessFacts>) {
    this.facts = facts;
    const depth = records.reduce((least, record) => Math.min(least, record.depth), Infinity);
    this.mainPid = records.find((record) => record.depth === depth)?.pid;
  }

  isBelow(
    { pid, depth }: Pick<TraceRecord, "pid" | "depth">,
    above: Pick<TraceRecord, "pid" | "depth">,
  ): boolean {
    if (above.pid === this.mainPid) return pid !== this.mainPid;
    const known = this.facts.get(pid)?.parentPid;
    for (let parent = known; parent !== undefined; parent = this.facts.get(parent)?.parentPid) {
      if (parent === above.pid) return true;
    }
    // Bash counts subshells, but not the processes of a pipeline's commands.
    return known === undefined && depth > above.depth;
  }
}

/** When each command ended: with its process, at the next one in it, or when a shell above went on. */
function endTimes(
  records: readonly TraceRecord[],
  endMs: number,
  { facts, mainPid }: ProcessTree,
): readonly number[] {
  const ends: number[] = [];
  const nextOfProcess = new Map<number, number>();
  const nextOfDepth: number[] = [];
  for (let at = records.length - 1; at >= 0; at -= 1) {
    const record = records[at];
    if (record === undefined) continue;
    const { pid, depth, atMs } = record;
    const above = nextOfDepth.slice(0, depth).filter((each) => each !== undefined);
    if (mainPid !== undefined) above.push(nextOfProcess.get(mainPid) ?? endMs);
    const nextOrEnd = nextOfProcess.get(pid) ?? facts.get(pid)?.endMs ?? endMs;
    ends[at] = Math.max(atMs, Math.min(nextOrEnd, ...above, endMs));
    nextOfProcess.set(pid, atMs);
    nextOfDepth[depth] = atMs;
  }
  return ends;
}

interface ForkSpan extends Span {
  readonly pid: number;
  readonly depth: number;
}

/** The time that each process took, in the order in which they began. */
function forkSpans(records: readonly TraceRecord[], ends: readonly number[]): readonly ForkSpan[] {
  const spans = new Map<number, ForkSpan>();
  for (const [at, { pid, depth, atMs }] of records.entries()) {
    const fromMs = spans.get(pid)?.fromMs ?? atMs;
    spans.set(pid, { pid, depth, fromMs, toMs: ends[at] ?? atMs });
  }
  return [...spans.values()].sort((a, b) => a.fromMs - b.fromMs);
}

/** The first of the spans that begins at a time or later. */
function firstFrom(spans: readonly ForkSpan[], fromMs: number): number {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((spans[middle]?.fromMs ?? fromMs) < fromMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The time that spans cover together. */
function unionMs(spans: readonly Span[]): number {
  let coveredMs = 0;
  let untilMs = -Infinity;
  for (const { fromMs, toMs } of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    if (toMs <= untilMs) continue;
    coveredMs += toMs - Math.max(fromMs, untilMs);
    untilMs = toMs;
  }
  return coveredMs;
}

/** The rows in words, for a person at a terminal. */
export function profileText(rows: readonly ProfileRow[], span: Span): string {
  const spanMs = span.toMs - span.fromMs;
  const shown = [...rows.slice(0, -1).slice(0, ROWS_MAX), ...rows.slice(-1)];
  const hidden = rows.length - shown.length;
  const width = Math.max(0, ...shown.map(({ place }) => place.length));
  const lines = shown.map(({ place, text, count, timeMs }) => {
    const share = spanMs > 0 ? Math.round((100 * timeMs) / spanMs) : 0;
    const cut = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
    const times = place === "" ? "" : `${count}x`;
    return (
      `${`${timeMs.toFixed(1)} ms`.padStart(12)} ${`${share} %`.padStart(6)} ${times.padStart(7)}  ` +
      `${place.padEnd(width)}  ${cut}\n`
    );
  });
  const more = hidden > 0 ? `${" ".repeat(30)}and ${hidden} more commands\n` : "";
  const sumMs = rows.reduce((sum, { timeMs }) => sum + timeMs, 0);
  const overlap =
    sumMs > spanMs * OVERLAP_SHOWN
      ? "  commands of a pipeline run at the same time: each has all of its time\n"
      : "";
  return lines.join("") + more + overlap;
}

/** Milliseconds of a tick, in which /proc counts on every Linux. */
const TICK_MS = 10;

/** Places of `utime` to `cstime` after the command's name, see proc(5). */
const CPU_FIELDS = [11, 12, 13, 14];

/** Time that a process, what is below it now and what has ended below it have computed, in milliseconds. */
export function treeCpuMs(rootPid: number): number {
  let ticks = 0;
  for (const { pid } of processTree(rootPid)) {
    let stat = "";
    try {
      stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    } catch {
      // It has gone; its parent has its time.
    }
    const fields = stat.split(") ").at(-1)?.split(" ") ?? [];
    for (const field of CPU_FIELDS) ticks += Number(fields[field] ?? 0);
  }
  return ticks * TICK_MS;
}
