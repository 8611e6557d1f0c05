/**
 * Several events at once (AWS_LAMBDA_MAX_CONCURRENCY): one process for each loop, so that every loop
 * stays as sequential as a single one, and no id can meet another's event.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
 * @module
 */

import { close, duplicateTo, openFile, pipe } from "./libc.ts";
import type { Poller } from "./poller.ts";
import { becomeSubreaper, endOf, type ExitStatus, openProcess } from "./process.ts";
import { spawn } from "./spawn.ts";
import { endAllBelow, endOnTermination } from "./termination.ts";

/** The argument by which a copy of the runtime knows that it is one of the loops. */
const LOOP_ARGUMENTS = { first: "first-loop", later: "later-loop" } as const;

/** The first loop's standard input: as long as it is open, that loop is loading its handler. */
const IS_LOADING = 0;

/** How long a loop that can't load its handler waits to be ended with the first one. */
const FIRST_LOOP_MS = 2000;

/** Which of several loops, started by {@link superviseLoops}, this process is; undefined if none. */
export function placeAmongLoops(): "first" | "later" | undefined {
  const argument = process.argv.at(-1);
  if (argument === LOOP_ARGUMENTS.first) return "first";
  return argument === LOOP_ARGUMENTS.later ? "later" : undefined;
}

/**
 * Runs loops until one of them ends; then all end, and this process, since error means exit.
 * @param environment NUL-terminated `NAME=value` entries, for every loop.
 */
export function superviseLoops(
  count: number,
  environment: readonly Uint8Array[],
  poller: Poller,
): never {
  const pids: number[] = [];
  becomeSubreaper();
  // The loops write to the log themselves.
  const loops = { processGroups: pids, passLog: () => undefined, close: () => undefined };
  endOnTermination(poller, () => loops);
  let ended: ExitStatus | undefined;
  const [hasLoaded, isLoading] = pipe();
  for (let index = 0; index < count; index += 1) {
    const pid = spawn({
      path: "/proc/self/exe",
      argv: ["bootstrap", index === 0 ? LOOP_ARGUMENTS.first : LOOP_ARGUMENTS.later],
      environment,
      cwd: process.cwd(),
      stdio: [index === 0 ? isLoading : hasLoaded, 1, 2],
    });
    pids.push(pid);
    const descriptor = openProcess(pid);
    poller.watch(descriptor, () => {
      ended ??= endOf(pid);
      poller.unwatch(descriptor);
    });
  }
  close(isLoading);
  close(hasLoaded);
  poller.waitUntil(() => ended !== undefined);
  endAllBelow(loops);
  process.exit(ended?.kind === "exited" && ended.status !== 0 ? ended.status : 1);
}

/** Has the other loops know that the first one has loaded its handler. */
export function tellLoaded(): void {
  const nothing = openFile("/dev/null");
  duplicateTo(nothing, IS_LOADING);
  close(nothing);
}

/** Leaves it to the first loop to say why the handler can't be loaded: that one ends us, too. */
export function waitForFirstLoop(poller: Poller): void {
  poller.waitReadable(IS_LOADING);
  Bun.sleepSync(FIRST_LOOP_MS);
}
