/**
 * What a subject takes of the processors, with all processes below it: where a function has a share of
 * one, that is its time.
 *
 * @module
 */

import { ControlGroup } from "../control-group.ts";
import { inTurn, jsonEvent, type Measure, run, Samples } from "./run.ts";
import type { Subject } from "./subjects.ts";

/** Between events that are apart, in ms: caches have forgotten the one before. */
const APART_MS = 150;
const EVENTS_APART = 5;
/** Events in a row: what an environment handles in its first moments, and in its life. */
const BURSTS = [20, 200] as const;
const EVENT = jsonEvent(50);

/**
 * Measures every subject.
 * @param enter The program that enters a control group (enter.c).
 */
export async function measureProcessorTime(
  subjects: readonly Subject[],
  rounds: number,
  enter: string,
): Promise<Measure[]> {
  const next = new Samples();
  const first = new Samples();
  const apart = new Samples();
  const bursts = BURSTS.map(() => new Samples());
  for (let round = 0; round < rounds; round += 1) {
    for (const subject of inTurn(subjects, round)) {
      const used = await usedApart(subject, enter);
      const [untilNext = 0, untilFirst = 0] = used;
      next.add(subject.name, untilNext);
      first.add(subject.name, untilFirst - untilNext);
      apart.add(subject.name, ((used.at(-1) ?? 0) - untilFirst) / EVENTS_APART);
      for (const [index, count] of BURSTS.entries()) {
        // A slow subject would take its time, and shows what it does in a few events.
        if (count > BURSTS[0] && subject.share < 100) continue;
        bursts[index]?.add(subject.name, await usedInRow(subject, enter, count));
      }
    }
  }
  return [
    { title: "until GET /next", samples: next },
    { title: "first event", samples: first },
    { title: `event, ${APART_MS} ms after the one before`, samples: apart },
    ...BURSTS.map((count, index) => ({
      title: `start and ${count} events in a row`,
      samples: bursts[index] ?? new Samples(),
    })),
  ];
}

/** Measures a program that ends by itself, from its start to its end. */
export async function measureProgram(
  command: readonly string[],
  rounds: number,
  enter: string,
): Promise<{ readonly wallMs: number[]; readonly processorMs: number[] }> {
  const wallMs: number[] = [];
  const processorMs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const group = ControlGroup.make();
    const words = [...entering(enter, group), ...command];
    const startedAt = performance.now();
    await Bun.spawn(words, { stdio: ["ignore", "ignore", "inherit"], env: {} }).exited;
    wallMs.push(performance.now() - startedAt);
    processorMs.push(group.usedMs());
    await group.remove();
  }
  return { wallMs, processorMs };
}

/** Used until each pause: before the first event, after it, after the second, and so on; in ms. */
async function usedApart(subject: Subject, enter: string): Promise<number[]> {
  const group = ControlGroup.make();
  const used: number[] = [];
  const pause = { ms: APART_MS, onEnd: () => void used.push(group.usedMs()) };
  await run(subject, EVENT, 1 + EVENTS_APART, { wrapper: entering(enter, group), pause });
  await group.remove();
  return used;
}

/** Used for the start and a number of events, in ms. */
async function usedInRow(subject: Subject, enter: string, count: number): Promise<number> {
  const group = ControlGroup.make();
  let used = 0;
  const atEnd = () => {
    used = group.usedMs();
  };
  await run(subject, EVENT, count, { wrapper: entering(enter, group), atEnd });
  await group.remove();
  return used;
}

/** The words before a command whose processes must be in a group. */
export function entering(enter: string, group: ControlGroup): string[] {
  return [enter, ...group.procsFiles, "--"];
}
