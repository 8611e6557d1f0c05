/**
 * CONTROL, the pipe through which a loaded shell says what a script has made of it and, after that, how forks
 * end that have no event.
 *
 * @module
 */

import { type ControlMessage, ControlReader, type LastCommand } from "./control-messages.ts";
import { lazy } from "./lazy.ts";
import { close, pathOf, read } from "./libc.ts";
import { type FailedCommand, failedCommandIn, parseLoadReport } from "./load-report.ts";
import type { LoadedShell } from "./loaded-shell.ts";
import type { Poller } from "./poller.ts";

/** Most bytes taken at once. */
const READ_BYTES = 64 * 1024;
/**
 * Most characters of a load report that are kept at its beginning and at its end: between the first
 * lines and the last one may be traps and readonly variables of any length.
 */
const REPORT_PART_MAX = 64 * 1024;

const scratch = lazy(() => Buffer.allocUnsafeSlow(READ_BYTES));

/** Who hears what the shell says. */
export interface ControlListener {
  /** Gets the load report. */
  readonly shell: LoadedShell;
  /** A fork has ended without an event. */
  onIdleEnd(): void;
}

/** The reading of one shell's CONTROL, during any wait. */
export class ControlPipe {
  readonly #readEnd: number;
  readonly writeEnd: number;
  /** The path in front of a status. */
  readonly #ended: string;
  readonly #poller: Poller;
  readonly #listener: ControlListener;
  readonly #messages: ControlReader;
  #reportText = "";
  #isReported = false;
  #lastCommand: LastCommand | undefined;

  /** Owns both ends of the pipe. @param ended The path in front of a status. */
  constructor(
    [readEnd, writeEnd]: readonly [number, number],
    ended: string,
    poller: Poller,
    listener: ControlListener,
  ) {
    this.#readEnd = readEnd;
    this.writeEnd = writeEnd;
    this.#ended = ended;
    this.#poller = poller;
    this.#listener = listener;
    this.#messages = new ControlReader(this.path, ended);
    poller.watch(readEnd, () => this.#read());
  }

  get path(): string {
    return pathOf(this.writeEnd);
  }

  /** Whether the report is of all that the shell has run in front of its loop. */
  get isReported(): boolean {
    return this.#isReported;
  }

  /** Takes what comes from now on for another load report: the shell will run more before its loop. */
  expectReport(): void {
    this.#isReported = false;
  }

  /** The last command of a bash that has failed since it was forgotten, where that is known. */
  lastCommand(): LastCommand | undefined {
    this.#read();
    return this.#lastCommand;
  }

  forgetLastCommand(): void {
    this.#lastCommand = undefined;
  }

  /** The command of the script at which a bash has ended while it loaded, where that is known. */
  failedCommand(): FailedCommand | undefined {
    this.#read();
    return failedCommandIn(this.#reportText, this.path);
  }

  close(): void {
    this.#poller.unwatch(this.#readEnd);
    close(this.#readEnd);
    close(this.writeEnd);
  }

  #read(): void {
    const count = read(this.#readEnd, scratch());
    if (count <= 0) return;
    const text = scratch().toString("latin1", 0, count);
    if (!this.#isReported) this.#readReport(text);
    else for (const message of this.#messages.take(text)) this.#hear(message);
  }

  #readReport(text: string): void {
    const all = this.#reportText + text;
    const { length } = all;
    this.#reportText =
      length > 2 * REPORT_PART_MAX
        ? all.slice(0, REPORT_PART_MAX) + all.slice(length - REPORT_PART_MAX)
        : all;
    const report = parseLoadReport(this.#reportText, this.path, this.#ended);
    if (report === undefined) return;
    this.#listener.shell.report = report;
    this.#isReported = true;
    this.#reportText = "";
    for (const message of this.#messages.take(report.rest)) this.#hear(message);
  }

  #hear(message: ControlMessage): void {
    if (message.kind === "left") this.#lastCommand = message;
    else this.#listener.onIdleEnd();
  }
}
