/**
 * What a signal from the keyboard or a supervisor does to a command.
 *
 * @module
 */

import { EXIT } from "./exit-status.ts";

/**
 * Calls back on the first SIGINT or SIGTERM; the second ends the process at once.
 * @returns A function that tells the exit status of the signal that came, if one did.
 */
export function onInterrupt(stop: () => void, kill: () => void = stop): () => number | undefined {
  let status: number | undefined;
  const take = (exitStatus: number) => () => {
    if (status !== undefined) {
      kill();
      process.exit(exitStatus);
    }
    status = exitStatus;
    stop();
  };
  process.on("SIGINT", take(EXIT.interrupted));
  process.on("SIGTERM", take(EXIT.terminated));
  return () => status;
}

/** The wish that a server ends. */
export interface StopSignal {
  /** Fulfilled when it has come. */
  readonly arrived: Promise<void>;
  readonly hasArrived: () => boolean;
}

/** Watches for the first SIGINT or SIGTERM; the second kills and ends the process at once. */
export function stopSignal(kill: () => void): StopSignal {
  const { promise, resolve } = Promise.withResolvers<void>();
  const status = onInterrupt(resolve, kill);
  return { arrived: promise, hasArrived: () => status() !== undefined };
}
