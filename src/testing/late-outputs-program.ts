/**
 * Hands the pipes of former events over, writes into them and lets the log go to its standard error.
 * Prints, as JSON, which of them nobody reads any more at the end.
 *
 *     echo '{"pipes": 2, "writes": [[0, "late"]]}' | bun late-outputs-program.ts
 *
 * @module
 */

import { LateOutputs } from "../runtime/late-outputs.ts";
import { pipe, writeToReader } from "../runtime/libc.ts";
import { Log } from "../runtime/log.ts";
import { Poller } from "../runtime/poller.ts";
import { StatusMessage } from "../runtime/status-message.ts";

/** What the program is told. */
export interface LateOutputsTrial {
  /** How many pipes are handed over, each with a line that was read from it before. */
  readonly pipes: number;
  /** What is written afterwards: the pipe's number and a text, each passed on before the next. */
  readonly writes: readonly (readonly [number, string])[];
}

/** The path in front of a status, in the messages that do not belong in the log. */
export const MARK = "/proc/8/fd/11/ended-m3x8/";
/** The message of a shell that a fork has ended. */
export const ENDED = `f: line 62: ${MARK}0/: Not a directory\n`;

if (import.meta.main) {
  const trial = JSON.parse(await Bun.stdin.text()) as LateOutputsTrial;
  const late = new LateOutputs(new Poller(), new Log({ json: false, level: "INFO" }));
  const message = new StatusMessage(MARK, "f: line 62: ");
  const writeEnds: number[] = [];
  for (let number = 0; number < trial.pipes; number += 1) {
    const [descriptor, writeEnd] = pipe();
    writeEnds.push(writeEnd);
    late.add({ descriptor, bytes: Buffer.from(`kept ${number}\n`), message });
  }
  for (const [number, text] of trial.writes) {
    writeToReader(writeEnds[number] ?? -1, Buffer.from(text));
    late.pass();
  }
  const closed = writeEnds.flatMap((writeEnd, number) =>
    writeToReader(writeEnd, Buffer.from("end\n")) ? [] : [number],
  );
  late.close();
  console.log(JSON.stringify(closed));
}
