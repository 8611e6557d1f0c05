/**
 * SIGTERM: everything below us ends, then we do, with status 0.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
 * @module
 */

import { elapsedMs } from "./clock.ts";
import { processId, sleep } from "./libc.ts";
import type { Poller } from "./poller.ts";
import { childrenOf, kill, reap, SIGNAL, signalDescriptor } from "./process.ts";

/** How long handlers may take to clean up, in milliseconds: the platform gives us 150. */
const GRACE_MS = 100;
const CHECK_MS = 5;
/** How often leftovers are looked for: each round ends all children of the round before. */
const ROUNDS_MAX = 100;

/** What must end before this process does. */
export interface Terminable {
  /** Whom to ask first to end. */
  readonly processGroups: readonly number[];
  /** Passes on what they have written to the log: there may be more than a pipe holds. */
  passLog(): void;
  /** Passes on the rest of it. */
  close(): void;
}

/**
 * Watches for SIGTERM, from now on and during any wait.
 * @param running What is running when the signal arrives.
 */
export function endOnTermination(poller: Poller, running: () => Terminable | undefined): void {
  poller.watch(signalDescriptor(SIGNAL.terminate), () => {
    endAllBelow(running());
    process.exit(0);
  });
}

/** Ends everything below this process: asks the groups first, then leaves no choice. */
export function endAllBelow(running: Terminable | undefined): void {
  const wait = () => {
    sleep(CHECK_MS);
    reap();
    running?.passLog();
  };
  for (const group of running?.processGroups ?? []) kill(-group, SIGNAL.terminate);
  const giveUpAt = elapsedMs() + GRACE_MS;
  while (children().length > 0 && elapsedMs() < giveUpAt) wait();
  // We are their subreaper: a process that left the group becomes our child when its parent has ended.
  for (let round = 0; round < ROUNDS_MAX && children().length > 0; round += 1) {
    for (const child of children()) kill(child, SIGNAL.kill);
    wait();
  }
  running?.close();
}

function children(): number[] {
  return childrenOf(processId());
}
