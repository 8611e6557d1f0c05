/**
 * The pipes of former events that background processes still hold: what they write goes to the log.
 *
 * @module
 */

import { lazy } from "./lazy.ts";
import { descriptorsMax } from "./libc.ts";
import { LogPipe } from "./log-pipe.ts";
import type { Log } from "./log.ts";
import type { Poller } from "./poller.ts";
import type { StatusMessage } from "./status-message.ts";

/** Most pipes that are kept; the oldest is closed beyond. */
const PIPES_MAX = 64;
/** The part of the descriptors that a process may have which they may take. */
const DESCRIPTORS_SHARE = 4;

/** How many pipes are kept, where descriptors are few: the next event needs some. */
const pipesMax = lazy(() => Math.min(PIPES_MAX, Math.floor(descriptorsMax() / DESCRIPTORS_SHARE)));

/** What is left of a pipe after its event's end. */
export interface LateOutput {
  /** The read end, for its new owner. */
  readonly descriptor: number;
  /** What has been read from it after the status. */
  readonly bytes: Buffer;
  /** How statuses look that may still come. */
  readonly message: StatusMessage;
}

export class LateOutputs {
  readonly #poller: Poller;
  readonly #log: Log;
  #pipes: LogPipe[] = [];

  constructor(poller: Poller, log: Log) {
    this.#poller = poller;
    this.#log = log;
  }

  /** Takes over a pipe that somebody may still hold. Closing it would kill its writer at the next write. */
  add({ descriptor, bytes, message }: LateOutput): void {
    const pipes: LogPipe[] = [];
    for (const pipe of this.#pipes) if (pipe.isOpen) pipes.push(pipe);
    this.#pipes = pipes;
    if (this.#pipes.length >= pipesMax()) this.#pipes.shift()?.close();
    // A fork that is killed as soon as it is made is spoken of here, if that comes before the event is over.
    const filter = (late: Buffer) => message.removedFrom(late);
    this.#pipes.push(new LogPipe(descriptor, this.#poller, this.#log, { first: bytes, filter }));
  }

  /** Takes what has been written up to now. */
  pass(): void {
    for (const pipe of this.#pipes) pipe.pass();
  }

  close(): void {
    for (const pipe of this.#pipes) pipe.finish();
  }
}
