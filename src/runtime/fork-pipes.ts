/**
 * The two pipes of each event, at paths that stay the same: NEXT, through which a fork gets what it runs,
 * and OUTPUT, for what it writes and, after that, its status. fork-turns.ts says in which order they are led
 * to the pipes of the next event, and why.
 *
 * @module
 */

import { copyOf } from "./bytes.ts";
import type { EventOutput, EventPipe, SharedPipes } from "./fork-turns.ts";
import { type LateOutput, LateOutputs } from "./late-outputs.ts";
import { lazy } from "./lazy.ts";
import {
  close,
  duplicateTo,
  O_NONBLOCK,
  openFile,
  pathOf,
  pipe,
  read,
  stopWithLineEnd,
  WOULD_BLOCK,
  writeToReader,
} from "./libc.ts";
import type { LoadedShell } from "./loaded-shell.ts";
import type { Log } from "./log.ts";
import type { Poller } from "./poller.ts";
import { OutputSplitter, type StatusMessage } from "./status-message.ts";

/** Bytes of the handler's standard output, valid until the call returns. */
export type OnOutput = (bytes: Uint8Array) => void;

/** Most bytes taken at once: as many as a pipe holds, unless a handler has made it larger. */
const READ_BYTES = 64 * 1024;
/** Most reads after the handler's end: more than a pipe holds, so only a late writer gets there. */
const DRAIN_READS_MAX = 32;

/** Shared by all events: what has been read is passed on before the next read. */
const scratch = lazy(() => Buffer.allocUnsafeSlow(READ_BYTES));

/** Keeps what has been opened, so that it is closed if the shell cannot be started after all. */
export type Own = <Opened extends number | readonly [number, number]>(opened: Opened) => Opened;

/** The shell whose forks the pipes lead to. */
export interface ForkPipesOptions {
  readonly shell: LoadedShell;
  /** Whether that shell has ended. */
  hasEnded(): boolean;
  /** The write end of CONTROL. */
  readonly control: number;
}

/** The pipes of one loaded shell's forks. */
export class ForkPipes implements SharedPipes<OutputPipe> {
  readonly #options: ForkPipesOptions;
  readonly #poller: Poller;
  /** Descriptors whose paths stay the same, with another pipe behind them for each event. */
  readonly #outputSlot: number;
  readonly #nextSlot: number;
  readonly #word = Math.random().toString(36).slice(2);
  /** The pipe that NEXT leads to now. */
  #next: NextPipe;
  readonly #lateOutputs: LateOutputs;
  /** Takes what a fork writes. */
  onOutput: OnOutput = () => undefined;

  /**
   * Leads NEXT to a pipe, and OUTPUT to CONTROL: until the first event, statuses are part of the load report.
   * {@link start} must be called as soon as the shell is started.
   */
  constructor(options: ForkPipesOptions, own: Own, poller: Poller, log: Log) {
    this.#options = options;
    this.#poller = poller;
    this.#lateOutputs = new LateOutputs(poller, log);
    this.#outputSlot = own(openFile("/dev/null"));
    duplicateTo(options.control, this.#outputSlot);
    this.#nextSlot = own(openFile("/dev/null"));
    this.#next = new NextPipe(this.#nextSlot);
    own(this.#next.ends);
  }

  /** The path of OUTPUT. */
  get output(): string {
    return pathOf(this.#outputSlot);
  }

  /** The path in front of a status: below that of OUTPUT, and with a word that no event can know. */
  get ended(): string {
    return `${this.output}/ended-${this.#word}/`;
  }

  /** The path of NEXT. */
  get next(): string {
    return pathOf(this.#nextSlot);
  }

  /** Has the first fork wait for an event. */
  start(): void {
    this.#next.stop();
  }

  isNextRead(): boolean {
    return this.#next.isRead;
  }

  renewNext(): EventPipe {
    const pipe = this.#next;
    this.#next = new NextPipe(this.#nextSlot);
    this.#next.stop();
    return pipe;
  }

  openOutput(): OutputPipe {
    const message = this.#options.shell.report?.message;
    if (message === undefined) throw new Error("an event came before the handler was loaded");
    const output = new OutputPipe(this.#poller, message, (bytes) => this.onOutput(bytes));
    duplicateTo(output.writeEnd, this.#outputSlot);
    return output;
  }

  closeOutput(output: OutputPipe): void {
    duplicateTo(this.#options.control, this.#outputSlot);
    const late = output.finish();
    if (late !== undefined) this.#lateOutputs.add(late);
  }

  waitUntil(holds: () => boolean): boolean {
    const next = this.#next;
    if (!next.isRead) {
      this.#poller.watchOnceWritable(next.writeEnd, () => {
        next.isRead = true;
      });
    }
    this.#poller.waitUntil(() => holds() || this.#options.hasEnded());
    this.#poller.unwatch(next.writeEnd);
    return holds();
  }

  /** Passes on what has been written to the pipes of former events up to now. */
  passLate(): void {
    this.#lateOutputs.pass();
  }

  close(): void {
    this.#lateOutputs.close();
    this.#next.close();
    close(this.#nextSlot);
    close(this.#outputSlot);
  }
}

/** The pipe through which the next fork gets its event. */
class NextPipe implements EventPipe {
  readonly writeEnd: number;
  /** Whether a fork has read the line end that waits in it. */
  isRead = false;
  /** Ours, so that the pipe is there before a fork has opened it. */
  readonly #readEnd: number;

  /** @param slot The descriptor by whose path forks open it. */
  constructor(slot: number) {
    [this.#readEnd, this.writeEnd] = pipe(O_NONBLOCK);
    duplicateTo(this.writeEnd, slot);
  }

  /** Both ends, the one to read first. */
  get ends(): readonly [number, number] {
    return [this.#readEnd, this.writeEnd];
  }

  /** Has the pipe take no event before a fork has read from it. */
  stop(): void {
    stopWithLineEnd(this.writeEnd);
  }

  send(script: Uint8Array): boolean {
    close(this.#readEnd);
    const isSent = writeToReader(this.writeEnd, script);
    close(this.writeEnd);
    return isSent;
  }

  close(): void {
    close(this.#readEnd);
    close(this.writeEnd);
  }
}

/**
 * The pipe that OUTPUT leads to during one event: what the handler writes on standard output, then its status.
 * Passes on what is written, as it is written, during any wait.
 */
export class OutputPipe implements EventOutput {
  /** Where the handler writes. */
  readonly writeEnd: number;
  readonly #readEnd: number;
  readonly #poller: Poller;
  readonly #onOutput: OnOutput;
  readonly #message: StatusMessage;
  readonly #splitter: OutputSplitter;

  constructor(poller: Poller, message: StatusMessage, onOutput: OnOutput) {
    [this.#readEnd, this.writeEnd] = pipe(O_NONBLOCK);
    this.#poller = poller;
    this.#message = message;
    this.#splitter = new OutputSplitter(message);
    this.#onOutput = onOutput;
    poller.watch(this.#readEnd, () => this.#pass());
  }

  get status(): number | undefined {
    return this.#splitter.status;
  }

  pass(): void {
    for (let reads = 0; reads < DRAIN_READS_MAX && this.#pass() > 0; reads += 1);
  }

  /**
   * Stops watching and closes the runtime's write end.
   * @returns What is left, for its new owner, if a background process, or the shell for a moment, still holds the pipe.
   */
  finish(): LateOutput | undefined {
    const descriptor = this.#readEnd;
    this.#poller.unwatch(descriptor);
    close(this.writeEnd);
    const { rest } = this.#splitter;
    const count = rest.length > 0 ? WOULD_BLOCK : read(descriptor, scratch());
    if (count === 0) {
      close(descriptor);
      return undefined;
    }
    const bytes = count > 0 ? copyOf(scratch().subarray(0, count)) : rest;
    return { descriptor, bytes, message: this.#message };
  }

  /** One read, before the status has come: its bytes, or less if there are none. */
  #pass(): number {
    if (this.status !== undefined) return 0;
    const count = read(this.#readEnd, scratch());
    if (count <= 0) return count;
    const isCut = count === READ_BYTES;
    const output = this.#splitter.take(scratch().subarray(0, count), isCut);
    if (output.length > 0) this.#onOutput(output);
    return count;
  }
}
