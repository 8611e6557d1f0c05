/**
 * Feeds a log pipe with the pieces that its standard input lists, and lets the log go to its standard error.
 *
 *     echo '{"json": true, "pieces": ["a", "b\n"], "first": "x"}' | bun log-pipe-program.ts
 *
 * @module
 */

import { close, pipe, writeAll } from "../runtime/libc.ts";
import { LogPipe, type LogPipeOptions } from "../runtime/log-pipe.ts";
import { Log } from "../runtime/log.ts";
import { Poller } from "../runtime/poller.ts";

/** What the program is told. */
export interface LogPipeTrial {
  readonly json: boolean;
  /** Whether the pieces have a character for each byte. */
  readonly areBytes?: boolean;
  /** What is written, each piece read before the next is written; null: the event ends. */
  readonly pieces: readonly (string | null)[];
  /** What was read before. */
  readonly first?: string;
  /** A text that is taken out. */
  readonly left?: string;
}

const trial = JSON.parse(await Bun.stdin.text()) as LogPipeTrial;
const log = new Log({ json: trial.json, level: "INFO" });
log.requestId = "the-id";
const [readEnd, writeEnd] = pipe();
const { first, left } = trial;
const options: LogPipeOptions = {
  ...(first === undefined ? {} : { first: Buffer.from(first) }),
  ...(left === undefined
    ? {}
    : { filter: (bytes: Buffer) => Buffer.from(bytes.toString().replaceAll(left, "")) }),
};
const logPipe = new LogPipe(readEnd, new Poller(), log, options);
for (const piece of trial.pieces) {
  if (piece === null) logPipe.drain();
  else writeAll(writeEnd, Buffer.from(piece, trial.areBytes === true ? "latin1" : "utf8"));
  logPipe.pass();
}
close(writeEnd);
logPipe.pass();
if (logPipe.isOpen) throw new Error("the pipe is open after its end");
