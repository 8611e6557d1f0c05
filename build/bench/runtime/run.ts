/**
 * Runs one subject of the benches over a number of events, in an environment like Lambda's.
 *
 * @module
 */

import { type Pause, StopwatchApi, type Timeline } from "./stopwatch-api.ts";
import type { Subject } from "./subjects.ts";

/** How a run differs from the usual one. */
export interface RunOptions {
  /** What runs the subject, such as strace; its command comes after. */
  readonly wrapper?: readonly string[];
  readonly pause?: Pause;
  /** Called when all events have got a response, while it still runs. */
  readonly atEnd?: (pid: number) => void;
}

/** An event of a size, in bytes, in the form that Python's JSON module writes, so that it comes back. */
export function jsonEvent(bytes: number): Buffer {
  return Buffer.from(`{"text": "${"x".repeat(bytes - 12)}"}`);
}

/** An event of many records of 112 bytes each, with as many of a name, such as `OBrien`. */
export function recordsEvent(bytes: number, name: string): Buffer {
  const record = `{"id": 1234567, "name": "${name}", "text": "`.padEnd(112 - '"},'.length, "x");
  return Buffer.from(`[${`${record}"},`.repeat(Math.floor(bytes / 112))}0]`);
}

/**
 * Runs a subject.
 * @throws {Error} When it ends before its last event, or has altered one.
 */
export async function run(
  subject: Subject,
  event: Buffer,
  count: number,
  { wrapper = [], pause, atEnd }: RunOptions = {},
): Promise<Timeline> {
  const api = new StopwatchApi(event, count, pause);
  const timeline = api.start();
  const child = Bun.spawn([...wrapper, ...subject.command], {
    cwd: subject.taskRoot,
    env: {
      PATH: "/usr/local/bin:/usr/bin:/bin",
      AWS_LAMBDA_RUNTIME_API: api.address,
      LAMBDA_TASK_ROOT: subject.taskRoot,
      _HANDLER: subject.handler,
      // What a killed curl loop leaves behind goes when the bench ends.
      TMPDIR: subject.taskRoot,
    },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    detached: true,
  });
  const ended = child.exited.then(async (status) => {
    const errors = await new Response(child.stderr).text();
    throw new Error(`${subject.name} ended with ${status} before its last event: ${errors}`);
  });
  ended.catch(() => undefined);
  const result = await Promise.race([timeline, ended]);
  atEnd?.(child.pid);
  api.stop();
  // The whole group: a curl loop has a curl below it, and strace what it traces.
  process.kill(-child.pid, "SIGKILL");
  await child.exited;
  if (!result.lastBody.subarray(0, event.length).equals(event)) {
    throw new Error(`${subject.name} altered an event of ${event.length} bytes`);
  }
  return result;
}

/** There and back again: who follows a busy subject finds the caches cold. */
export function inTurn<Item>(items: readonly Item[], round: number): readonly Item[] {
  return round % 2 === 0 ? items : items.toReversed();
}

/** Samples by subject. */
export class Samples {
  readonly #bySubject = new Map<string, number[]>();

  add(subject: string, ...values: readonly number[]): void {
    this.#bySubject.set(subject, [...this.of(subject), ...values]);
  }

  of(subject: string): number[] {
    return this.#bySubject.get(subject) ?? [];
  }

  get subjects(): string[] {
    return [...this.#bySubject.keys()];
  }
}

/** One row of a result. */
export interface Measure {
  readonly title: string;
  readonly samples: Samples;
}
