/**
 * The runtime's side of the fork server: a shell that has loaded the handler once and forks for each
 * event. Its other side is fork-server.sh.
 *
 * Protocol. The runtime starts that text with `sh -c` and the script's path as $0, standard input
 * empty, standard output and error on the log. Words between @ signs are put in by the runtime:
 * literal paths below /proc/RUNTIME/fd, so that the shell holds no descriptor, no variable and no
 * function of the runtime's that a handler could see or break.
 *   1. The script is sourced, once.
 *   2. One report goes to STATUS: the script's traps, which the runtime hands to each fork, with words
 *      of a DEBUG trap before that is gone; a line that only holds STATE; a line "STATUS FLAGS SHELLOPTS
 *      BASHOPTS" (the last status, $-, two lists of bash's); what the function's name stands for; a line
 *      that only holds TOKEN.
 *   3. For each event a fork of the loaded shell waits for a line on TRIGGER. It is forked ahead of
 *      the event, so that the fork costs the event nothing. It then sources EVENT, which redirects
 *      standard input and output, exports the event's metadata, restores the script's options and
 *      traps, and calls the handler.
 *   4. Its exit status goes to STATUS as a decimal line. Then the next fork is made.
 * When the runtime is gone the paths are, too, and the loop ends. A process that waits on LIFELINE, whose
 * only writer is the runtime, then ends the whole process group, with a handler that still runs.
 *
 * A file handler takes the same way: there is nothing to source, and the fork becomes the file.
 *
 * @module
 */

import type { Handler } from "../handler/resolve.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { variableBytes } from "./environment.ts";
import {
  callFunction,
  type EventPaths,
  execFile,
  prologue,
  restoreOptions,
} from "./event-script.ts";
import { exitStatusOf } from "./exit-error.ts";
import { forkServerScript, statusIn } from "./fork-server-protocol.ts";
import { isLarge } from "./large-buffers.ts";
import { LateOutputs } from "./late-outputs.ts";
import { lazy } from "./lazy.ts";
import {
  close,
  duplicateTo,
  emptyFile,
  memoryFile,
  O_NONBLOCK,
  openFile,
  pipe,
  processId,
  read,
  setBlocking,
  writeAll,
} from "./libc.ts";
import { type LoadReport, parseLoadReport } from "./load-report.ts";
import { LogPipe } from "./log-pipe.ts";
import type { Log } from "./log.ts";
import { type OnOutput, OutputPipe } from "./output-pipe.ts";
import type { Poller } from "./poller.ts";
import {
  endFirstWithoutMemory,
  endOf,
  type ExitStatus,
  forget,
  kill,
  openProcess,
  SIGNAL,
} from "./process.ts";
import { spawn } from "./spawn.ts";

/** A handler that can be run. */
export type RunnableHandler = Exclude<Handler, { kind: "rejected" }>;

/** How loading ended. */
export type Loading =
  | { readonly kind: "loaded"; readonly report: LoadReport }
  | { readonly kind: "ended"; readonly end: ExitStatus };

/** How the handler's process, or the whole shell, ended for one event. */
export interface HandlerEnd {
  readonly who: "the handler" | "the handler's shell";
  readonly end: ExitStatus;
}

/** Whoever watches over an event. */
export interface EventWatch {
  /** The event has been handed to its fork. */
  onStarted(): void;
  /** Whether it has been told to end, so that no other fork may take it. */
  isOver(): boolean;
}

/** What a fork server is started with. */
export interface ForkServerOptions {
  readonly handler: RunnableHandler;
  /** NUL-terminated `NAME=value` entries. */
  readonly environment: readonly Uint8Array[];
  readonly taskRoot: string;
}

/** Most bytes taken from the shell's status at once. */
const READ_BYTES = 64 * 1024;
/**
 * Most characters of a load report that are kept at its beginning and at its end: between the first
 * lines and the last one bash puts the function's source.
 */
const REPORT_PART_MAX = 64 * 1024;
/** Most bytes of status while no event is handled: a few forks that were killed as they waited. */
const IDLE_STATUS_BYTES_MAX = 256;

const NEW_LINE = new Uint8Array([0x0a]);
const scratch = lazy(() => Buffer.allocUnsafeSlow(READ_BYTES));

/** One loaded shell. When it dies another one is to be made. */
export class ForkServer {
  readonly #options: ForkServerOptions;
  readonly #poller: Poller;
  readonly #pid: number;
  readonly #process: number;
  readonly #stderr: LogPipe;
  readonly #stderrWriteEnd: number;
  readonly #trigger: readonly [number, number];
  readonly #status: readonly [number, number];
  readonly #lifeline: readonly [number, number];
  /** A descriptor whose path stays the same while each event gets a file of its own behind it. */
  readonly #eventSlot: number;
  readonly #lateOutputs: LateOutputs;
  #end: ExitStatus | undefined;
  #statusText = "";
  #isLoaded = false;
  #isBusy = false;
  #isClosed = false;
  /** The command that gives a fork the options that the script has set. */
  #restoration = lazy(() => "");

  /**
   * Starts the shell; {@link load} waits until it has loaded the handler.
   * @throws {SystemError} When the shell cannot be started.
   */
  constructor(options: ForkServerOptions, poller: Poller, log: Log) {
    this.#options = options;
    this.#poller = poller;
    this.#lateOutputs = new LateOutputs(poller, log);
    const opened: (number | readonly [number, number])[] = [];
    const owned = <Opened extends number | readonly [number, number]>(one: Opened): Opened => {
      opened.push(one);
      return one;
    };
    try {
      this.#trigger = owned(pipe(O_NONBLOCK));
      this.#status = owned(pipe(O_NONBLOCK));
      this.#lifeline = owned(pipe());
      this.#eventSlot = owned(memoryFile());
      const [stderrReadEnd, stderrWriteEnd] = owned(pipe());
      this.#pid = this.#spawn(stderrWriteEnd);
      endFirstWithoutMemory(this.#pid);
      this.#process = openProcess(this.#pid);
      this.#stderrWriteEnd = stderrWriteEnd;
      this.#stderr = new LogPipe(stderrReadEnd, poller, log);
    } catch (error) {
      // It is tried again with the next event, and with the one after it.
      for (const descriptor of opened.flat()) close(descriptor);
      throw error;
    }
    poller.watch(this.#process, () => this.#reap());
    poller.watch(this.#status[0], () => this.#readStatus());
  }

  /** Passes on what has been written to the log up to now. */
  passLog(): void {
    this.#stderr.pass();
    this.#lateOutputs.pass();
  }

  /** The last lines on standard error since the current event, or loading, began. */
  lastLines(): string[] {
    return this.#stderr.lastLines();
  }

  /** Whether it can take an event. */
  isReady(): boolean {
    return this.#isLoaded && this.#end === undefined;
  }

  /** Waits until the shell has loaded the handler, or has ended. */
  load(): Loading {
    const terminator = `\n${this.#token}\n`;
    this.#poller.waitUntil(() => this.#end !== undefined || this.#statusText.includes(terminator));
    if (this.#end !== undefined) {
      this.#stderr.drain();
      return { kind: "ended", end: this.#end };
    }
    const text = this.#statusText.slice(0, this.#statusText.indexOf(terminator));
    const report = parseLoadReport(text, this.#stateToken, this.#inheritedPosixlyCorrect());
    this.#statusText = "";
    this.#isLoaded = true;
    this.#restoration = lazy(() => restoreOptions(report.state));
    return { kind: "loaded", report };
  }

  /**
   * Has the waiting fork handle one event, passing on its standard output as it is written.
   *
   * Complete when the handler has returned: a background process that still holds its standard output
   * is not waited for; what it writes later goes to the log.
   */
  invoke(invocation: Invocation, onOutput: OnOutput, watch: EventWatch): HandlerEnd {
    const input = memoryFile(invocation.event);
    const eventBytes = invocation.event.byteLength;
    const output = new OutputPipe(this.#poller, onOutput);
    this.#stderr.beginEvent();
    // A program of the event before may have left it otherwise, for all that share it.
    setBlocking(this.#stderrWriteEnd, true);
    this.#writeEvent(invocation, { input: pathOf(input), output: pathOf(output.writeEnd) });
    this.#runFork(watch);
    close(input);
    // It would keep its place until the next event.
    if (isLarge(eventBytes)) emptyFile(this.#eventSlot);
    const heldOutput = output.finish();
    if (heldOutput !== undefined) this.#lateOutputs.add(heldOutput);
    this.#stderr.drain();
    this.#reap();
    return this.#takeEnd();
  }

  /** Ends the shell with all that it has started in its process group, and forgets it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isLoaded = false;
    kill(-this.#pid, SIGNAL.kill);
    forget(this.#pid);
    this.#poller.unwatch(this.#process);
    this.#poller.unwatch(this.#status[0]);
    this.#stderr.finish();
    this.#lateOutputs.close();
    const pipes = [...this.#trigger, ...this.#status, ...this.#lifeline, this.#stderrWriteEnd];
    for (const descriptor of [...pipes, this.#eventSlot, this.#process]) close(descriptor);
  }

  /** The process group of everything that runs below this shell. */
  get processGroup(): number {
    return this.#pid;
  }

  /** Marks where the load report's state begins: what no trap holds by chance. */
  get #stateToken(): string {
    return `state reported to ${pathOf(this.#status[1])}`;
  }

  /** Marks the end of the load report: what no function's source holds by chance. */
  get #token(): string {
    return `end of the report to ${pathOf(this.#status[1])}`;
  }

  #script(): string {
    const { handler } = this.#options;
    const isFunction = handler.kind === "function";
    return forkServerScript({
      SCRIPT: isFunction ? handler.script : "/dev/null",
      FUNCTION: isFunction ? handler.functionName : ":",
      STATE: this.#stateToken,
      TOKEN: this.#token,
      TRIGGER: pathOf(this.#trigger[0]),
      STATUS: pathOf(this.#status[1]),
      LIFELINE: pathOf(this.#lifeline[0]),
      EVENT: pathOf(this.#eventSlot),
    });
  }

  #spawn(standardError: number): number {
    const { handler, environment, taskRoot } = this.#options;
    const { path, options } = handler.shell;
    const nothing = openFile("/dev/null");
    try {
      return spawn({
        path,
        argv: [path, ...options, "-c", this.#script(), ownName(handler)],
        environment,
        cwd: taskRoot,
        stdio: [nothing, standardError, standardError],
      });
    } finally {
      close(nothing);
    }
  }

  #inheritedPosixlyCorrect(): string | undefined {
    const bytes = variableBytes(this.#options.environment, "POSIXLY_CORRECT");
    return bytes && Buffer.from(bytes).toString("latin1");
  }

  #writeEvent(invocation: Invocation, paths: EventPaths): void {
    const { handler } = this.#options;
    const lines = prologue(invocation, paths, this.#restoration());
    const script = memoryFile(
      handler.kind === "function"
        ? callFunction(lines, handler.functionName, invocation.event)
        : execFile(lines, handler.command),
    );
    duplicateTo(script, this.#eventSlot);
    close(script);
  }

  /** Lets the waiting fork go and waits for its status, or for the shell's end. */
  #runFork(watch: EventWatch): void {
    // A fork may have been killed while it waited; the shell has made another one then.
    this.#readStatus();
    this.#statusText = "";
    this.#isBusy = true;
    do {
      this.#statusText = "";
      writeAll(this.#trigger[1], NEW_LINE);
      watch.onStarted();
      this.#poller.waitUntil(
        () => this.#end !== undefined || statusIn(this.#statusText) !== undefined,
      );
      // Killed before it had begun, if what it was to read is still there: the next fork's turn.
    } while (this.#wasKilled() && read(this.#trigger[0], scratch()) > 0 && !watch.isOver());
    this.#isBusy = false;
  }

  #takeEnd(): HandlerEnd {
    const status = statusIn(this.#statusText);
    this.#statusText = "";
    if (status !== undefined) return { who: "the handler", end: exitStatusOf(status) };
    if (this.#end === undefined) throw new Error("an event ended without a status");
    return { who: "the handler's shell", end: this.#end };
  }

  #wasKilled(): boolean {
    const status = statusIn(this.#statusText) ?? 0;
    return this.#end === undefined && exitStatusOf(status).kind === "signaled";
  }

  #readStatus(): void {
    const count = read(this.#status[0], scratch());
    if (count > 0) this.#statusText += scratch().toString("latin1", 0, count);
    const { length } = this.#statusText;
    if (this.#isLoaded && !this.#isBusy) {
      // Forks that end one after the other without an event: this shell is beyond use.
      if (length > IDLE_STATUS_BYTES_MAX) kill(-this.#pid, SIGNAL.kill);
    } else if (length > 2 * REPORT_PART_MAX) {
      const text = this.#statusText;
      this.#statusText = text.slice(0, REPORT_PART_MAX) + text.slice(-REPORT_PART_MAX);
    }
  }

  /** Notices the shell's end, and collects orphans that background jobs have left to us. */
  #reap(): void {
    this.#end ??= endOf(this.#pid);
    if (this.#end !== undefined) this.#poller.unwatch(this.#process);
  }
}

/**
 * What `$0` is: the script's path, for `dirname "$0"`. For bash it is another spelling of it, since a
 * script that is to be run as well as sourced runs if `${BASH_SOURCE[0]}` is `$0`.
 */
function ownName({ script, shell }: RunnableHandler): string {
  if (!shell.path.endsWith("/bash")) return script;
  const slash = script.lastIndexOf("/");
  return `${script.slice(0, slash)}/.${script.slice(slash)}`;
}

/** A path by which the shell, with our identity, can open one of our descriptors. */
function pathOf(descriptor: number): string {
  return `/proc/${processId()}/fd/${descriptor}`;
}
