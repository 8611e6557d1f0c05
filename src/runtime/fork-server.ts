/**
 * The runtime's side of the fork server: a shell that has loaded the handler once and forks for each
 * event. Its other side is fork-server.sh, which tells the protocol; fork-turns.ts says why a status is
 * always its event's.
 *
 * A file handler takes the same way: there is nothing to source, and the fork becomes the file.
 *
 * @module
 */

import type { Invocation } from "../runtime-api/invocation.ts";
import { type ControlMessage, ControlReader, type LastCommand } from "./control-messages.ts";
import { EventScripts } from "./event-script.ts";
import { exitStatusOf, type LostStatus } from "./exit-error.ts";
import { exitReport as exitReportTo, forkServerScript } from "./fork-server-protocol.ts";
import {
  type EventPipe,
  ForkTurns,
  type SharedPipes,
  type TurnEnd,
  type TurnWatch,
} from "./fork-turns.ts";
import { readScript } from "./handler-files.ts";
import { LastLines } from "./last-lines.ts";
import { LateOutputs } from "./late-outputs.ts";
import { lazy } from "./lazy.ts";
import {
  close,
  duplicateTo,
  memoryFile,
  O_NONBLOCK,
  openFile,
  pipe,
  processId,
  read,
  setBlocking,
  sleep,
  stopWithLineEnd,
  writeAll,
  writeToReader,
} from "./libc.ts";
import {
  type FailedCommand,
  failedCommandIn,
  type LoadReport,
  parseLoadReport,
} from "./load-report.ts";
import { LoadedShell, type Reply, type RunnableHandler } from "./loaded-shell.ts";
import { LogPipe } from "./log-pipe.ts";
import type { Log } from "./log.ts";
import { type OnOutput, OutputPipe } from "./output-pipe.ts";
import type { Poller } from "./poller.ts";
import {
  endFirstWithoutMemory,
  endOf,
  type ExitStatus,
  forget,
  isAlive,
  kill,
  openProcess,
  reap,
  SIGNAL,
} from "./process.ts";
import { spawn } from "./spawn.ts";

/** How loading ended. */
export type Loading =
  | { readonly kind: "loaded"; readonly report: LoadReport }
  | { readonly kind: "ended"; readonly end: ExitStatus };

/** How the handler's process, or the whole shell, ended for one event. */
export interface HandlerEnd {
  readonly who: "the handler" | "the handler's shell";
  readonly end: ExitStatus | LostStatus;
}

/** What a fork is sent: a script or, where that is long, only the name of the file that holds it. */
interface SendableScript {
  readonly sent: Buffer;
  readonly file: number | undefined;
}

/** What watches over an event. */
export interface EventWatch extends TurnWatch {
  /** The event goes to a fork, as soon as there is one that takes it. */
  onBegin(): void;
}

/** What a fork server is started with. */
export interface ForkServerOptions {
  readonly handler: RunnableHandler;
  /** NUL-terminated `NAME=value` entries. */
  readonly environment: readonly Uint8Array[];
  readonly taskRoot: string;
  /** Functions of the script that the loaded shell itself runs before any event, each by {@link ForkServer.runHook}. */
  readonly hooks: readonly string[];
}

/** Most bytes taken from CONTROL at once. */
const READ_BYTES = 64 * 1024;
/**
 * Most characters of a load report that are kept at its beginning and at its end: between the first
 * lines and the last one may be traps and readonly variables of any length.
 */
const REPORT_PART_MAX = 64 * 1024;
/** Most forks that may end without an event since the last one: more are a shell that is beyond use. */
const IDLE_ENDS_MAX = 64;
/** Longest script, in bytes, that is sent through a pipe: as many fit into any pipe, and arrive at once. */
const SENT_BYTES_MAX = 4096;

/** How long the kernel may take to end what was killed, in milliseconds. */
const GROUP_END_MS = 1000;

const scratch = lazy(() => Buffer.allocUnsafeSlow(READ_BYTES));

/** One loaded shell. When it dies another one is to be made. */
export class ForkServer {
  readonly #options: ForkServerOptions;
  readonly #poller: Poller;
  readonly #pid: number;
  readonly #process: number;
  /** What is known of the shell. */
  readonly shell: LoadedShell;
  readonly #stderr: LogPipe;
  readonly #lastLines = new LastLines();
  readonly #stderrWriteEnd: number;
  readonly #control: readonly [number, number];
  readonly #lifeline: readonly [number, number];
  /** Through these the shell gets what it runs for each hook. */
  readonly #hookPipes: readonly (readonly [number, number])[];
  #hooksRun = 0;
  /** Descriptors whose paths stay the same, with another pipe behind them for each event. */
  readonly #nextSlot: number;
  readonly #outputSlot: number;
  /** The pipe that NEXT leads to now. */
  #next: NextPipe;
  readonly #lateOutputs: LateOutputs;
  readonly #messages: ControlReader;
  readonly #turns: ForkTurns<OutputPipe>;
  #onOutput: OnOutput = () => undefined;
  #end: ExitStatus | undefined;
  #reportText = "";
  /** Whether the report is of all that the shell has run in front of its loop. */
  #isReported = false;
  #scripts: EventScripts | undefined;
  #lastCommand: LastCommand | undefined;
  #isClosed = false;

  /**
   * Starts the shell; {@link load} waits until it has loaded the handler.
   * @throws {SystemError} When the shell cannot be started.
   */
  constructor(options: ForkServerOptions, poller: Poller, log: Log) {
    this.#options = options;
    this.#poller = poller;
    const { handler } = options;
    const text = handler.kind === "function" ? readScript(handler.script) : "";
    this.shell = new LoadedShell(handler, text, (commands) => this.#ask(commands));
    this.#lateOutputs = new LateOutputs(poller, log);
    const opened: (number | readonly [number, number])[] = [];
    const owned = <Opened extends number | readonly [number, number]>(one: Opened): Opened => {
      opened.push(one);
      return one;
    };
    try {
      this.#control = owned(pipe(O_NONBLOCK));
      this.#lifeline = owned(pipe());
      const hooks = options.handler.kind === "function" ? options.hooks : [];
      this.#hookPipes = hooks.map(() => owned(pipe()));
      // Until the first event, statuses are part of the load report.
      this.#outputSlot = owned(openFile("/dev/null"));
      duplicateTo(this.#control[1], this.#outputSlot);
      this.#nextSlot = owned(openFile("/dev/null"));
      this.#next = new NextPipe(this.#nextSlot);
      const next = this.#next;
      opened.push(next.ends);
      this.#messages = new ControlReader(pathOf(this.#control[1]), pathOf(this.#outputSlot));
      this.#turns = new ForkTurns(this.#sharedPipes());
      const [stderrReadEnd, stderrWriteEnd] = owned(pipe());
      this.#pid = this.#spawn(stderrWriteEnd);
      endFirstWithoutMemory(this.#pid);
      next.stop();
      this.#process = owned(openProcess(this.#pid));
      this.#stderrWriteEnd = stderrWriteEnd;
      this.#stderr = new LogPipe(stderrReadEnd, poller, log, { lastLines: this.#lastLines });
    } catch (error) {
      // It is tried again with the next event, and with the one after it.
      for (const descriptor of opened.flat()) close(descriptor);
      throw error;
    }
    poller.watch(this.#process, () => this.#reap());
    poller.watch(this.#control[0], () => this.#readControl());
  }

  /** Passes on what has been written to the log up to now. */
  passLog(): void {
    this.#stderr.pass();
    this.#lateOutputs.pass();
  }

  /** The last lines on standard error since the current event, or loading, began, without traced commands. */
  lastLines(): string[] {
    return this.#lastLines.lines(this.shell.tracing());
  }

  /** The last command of a bash that has failed in the current event, where that is known. */
  get lastCommand(): LastCommand | undefined {
    this.#readControl();
    return this.#lastCommand;
  }

  /** The command of the script at which a bash has ended while it loaded, where that is known. */
  get failedCommand(): FailedCommand | undefined {
    this.#readControl();
    return failedCommandIn(this.#reportText, pathOf(this.#control[1]));
  }

  /** Whether it can take an event. */
  isReady(): boolean {
    // It may have died while nobody looked.
    this.#reap();
    return this.#scripts !== undefined && this.#end === undefined;
  }

  /** Waits until the shell has loaded the handler, or has ended. */
  load(): Loading {
    return this.#awaitReport();
  }

  /**
   * Has the loaded shell run the next of its hooks, if the script has defined it, and waits until it has
   * returned, or has ended the shell.
   */
  runHook(): Loading {
    const name = this.#options.hooks[this.#hooksRun];
    const pipe = this.#hookPipes[this.#hooksRun];
    if (name === undefined || pipe === undefined) {
      throw new RangeError("there is no hook to run");
    }
    this.#hooksRun += 1;
    this.#lastLines.clear();
    const { sent, file } = this.#sendable(this.#loadedScripts().callHook(name));
    this.#isReported = false;
    writeAll(pipe[1], sent);
    // Closed twice they might be somebody else's.
    duplicateTo(this.#control[1], pipe[1]);
    const loading = this.#awaitReport();
    if (file !== undefined) close(file);
    return loading;
  }

  #awaitReport(): Loading {
    this.#poller.waitUntil(() => this.#end !== undefined || this.#isReported);
    const { report } = this.shell;
    if (report === undefined || !this.#isReported) {
      this.#stderr.drain();
      return { kind: "ended", end: this.#end ?? { kind: "exited", status: 0 } };
    }
    const { handler } = this.#options;
    const functionName = handler.kind === "function" ? handler.functionName : undefined;
    const exitReport = this.shell.reportsExit(report) ? exitReportTo(pathOf(this.#control[1])) : "";
    const seesCall = this.shell.maySeeCall(report);
    this.#scripts = new EventScripts(functionName, report.state, exitReport, seesCall);
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
    this.#lastLines.clear();
    this.#lastCommand = undefined;
    // A program of the event before may have left it otherwise, for all that share it.
    setBlocking(this.#stderrWriteEnd, true);
    this.#onOutput = onOutput;
    const script = this.#sendable(this.#eventScript(invocation, pathOf(input)));
    // From here on the event is the shell's alone.
    watch.onBegin();
    const end = this.#run(script, watch);
    close(input);
    this.#stderr.drain();
    return end;
  }

  /** Ends the shell with all that it has started in its process group, and forgets it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#scripts = undefined;
    this.#endGroup();
    forget(this.#pid);
    this.#poller.unwatch(this.#process);
    this.#poller.unwatch(this.#control[0]);
    this.#stderr.finish();
    this.#lateOutputs.close();
    this.#next.close();
    const pipes = [
      ...this.#control,
      ...this.#lifeline,
      ...this.#hookPipes.flat(),
      this.#stderrWriteEnd,
    ];
    const slots = [this.#nextSlot, this.#outputSlot];
    for (const descriptor of [...pipes, ...slots, this.#process]) close(descriptor);
  }

  /** The process group of everything that runs below this shell. */
  get processGroup(): number {
    return this.#pid;
  }

  #script(): string {
    const { handler } = this.#options;
    const isFunction = handler.kind === "function";
    const words = {
      SCRIPT: isFunction ? handler.script : "/dev/null",
      FUNCTION: isFunction ? handler.functionName : ":",
      CONTROL: pathOf(this.#control[1]),
      OUTPUT: pathOf(this.#outputSlot),
      NEXT: pathOf(this.#nextSlot),
      LIFELINE: pathOf(this.#lifeline[0]),
    };
    const hooks = this.#hookPipes.map(([readEnd]) => pathOf(readEnd));
    return forkServerScript(words, this.shell.mayTrap(), hooks);
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

  #eventScript(invocation: Invocation, input: string): Buffer {
    const scripts = this.#loadedScripts();
    const paths = { input, output: pathOf(this.#outputSlot) };
    const { handler } = this.#options;
    return handler.kind === "function"
      ? scripts.callFunction(invocation, paths)
      : scripts.execFile(invocation, paths, handler.command);
  }

  #loadedScripts(): EventScripts {
    if (this.#scripts === undefined) throw new Error("an event came before the handler was loaded");
    return this.#scripts;
  }

  /** Has a fork run commands, and end; undefined as long as there are none: while the shell waits for a hook. */
  #ask(commands: string): Reply | undefined {
    if (!this.isReady() || this.#hooksRun < this.#hookPipes.length) return undefined;
    let output = "";
    this.#onOutput = (bytes) => {
      output += Buffer.from(bytes).toString("latin1");
    };
    const redirection = `\\exec >${pathOf(this.#outputSlot)} 2>/dev/null`;
    const turn = this.#turn(this.#sendable(Buffer.from(`${redirection}\n${commands}\n\\exit\n`)));
    return { status: turn.kind === "ended" ? turn.status : undefined, output };
  }

  /** Puts a long script into a file, since a pipe would not take it at once. */
  #sendable(script: Buffer): SendableScript {
    if (script.length <= SENT_BYTES_MAX) return { sent: script, file: undefined };
    const file = memoryFile(script);
    return { sent: Buffer.from(`\\. ${pathOf(file)}\n`), file };
  }

  /** Has a fork run a script. */
  #turn({ sent, file }: SendableScript, watch?: TurnWatch): TurnEnd {
    const turn = this.#turns.run(sent, watch);
    if (file !== undefined) close(file);
    return turn;
  }

  /** Has a fork run a script of an event. */
  #run(script: SendableScript, watch: TurnWatch): HandlerEnd {
    const turn = this.#turn(script, watch);
    switch (turn.kind) {
      case "not begun":
        return { who: "the handler", end: { kind: "signaled", signal: SIGNAL.terminate } };
      case "ended":
        return { who: "the handler", end: exitStatusOf(turn.status) };
      case "shell ended":
        // A fork that still lives must not find the descriptors of another event behind its paths.
        this.#endGroup();
        return { who: "the handler's shell", end: this.#end ?? { kind: "exited", status: 0 } };
      case "status lost":
        return { who: "the handler", end: { kind: "lost" } };
    }
  }

  /** Ends all that is left of the shell, and waits until it is gone. */
  #endGroup(): void {
    const giveUpAt = performance.now() + GROUP_END_MS;
    kill(-this.#pid, SIGNAL.kill);
    for (reap(); isAlive(-this.#pid) && performance.now() < giveUpAt; reap()) {
      sleep(1);
    }
  }

  /** The system calls of the turns. */
  #sharedPipes(): SharedPipes<OutputPipe> {
    return {
      isNextRead: () => this.#next.isRead,
      renewNext: () => {
        const pipe = this.#next;
        this.#next = new NextPipe(this.#nextSlot);
        this.#next.stop();
        return pipe;
      },
      openOutput: () => {
        const message = this.shell.report?.message;
        if (message === undefined) throw new Error("an event came before the handler was loaded");
        const output = new OutputPipe(this.#poller, message, (bytes) => this.#onOutput(bytes));
        duplicateTo(output.writeEnd, this.#outputSlot);
        return output;
      },
      closeOutput: (output) => {
        duplicateTo(this.#control[1], this.#outputSlot);
        const late = output.finish();
        if (late !== undefined) this.#lateOutputs.add(late);
      },
      waitUntil: (holds) => {
        const next = this.#next;
        if (!next.isRead) {
          this.#poller.watchOnceWritable(next.writeEnd, () => {
            next.isRead = true;
          });
        }
        this.#poller.waitUntil(() => holds() || this.#end !== undefined);
        this.#poller.unwatch(next.writeEnd);
        return holds();
      },
    };
  }

  #readControl(): void {
    const count = read(this.#control[0], scratch());
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
    const report = parseLoadReport(
      this.#reportText,
      pathOf(this.#control[1]),
      pathOf(this.#outputSlot),
    );
    if (report === undefined) return;
    this.shell.report = report;
    this.#isReported = true;
    this.#reportText = "";
    for (const message of this.#messages.take(report.rest)) this.#hear(message);
  }

  #hear(message: ControlMessage): void {
    if (message.kind === "left") {
      this.#lastCommand = message;
      return;
    }
    this.#turns.hearIdleEnd();
    // Forks that end one after the other without an event.
    if (this.#turns.idleEnds > IDLE_ENDS_MAX) kill(-this.#pid, SIGNAL.kill);
  }

  /** Notices the shell's end, and collects orphans that background jobs have left to us. */
  #reap(): void {
    this.#end ??= endOf(this.#pid);
    if (this.#end !== undefined) this.#poller.unwatch(this.#process);
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
 * What `$0` is: the handler's name in the script's folder, for `dirname "$0"`. It is not the script's path
 * or name: by these a script that can be run as well as sourced knows that it is run.
 */
export function ownName(handler: RunnableHandler): string {
  const { script } = handler;
  if (handler.kind === "file") return script;
  const stem = script.endsWith(".sh") ? script.slice(0, -".sh".length) : script;
  return `${stem}.${handler.functionName}`;
}

/** A path by which the shell, with our identity, can open one of our descriptors. */
function pathOf(descriptor: number): string {
  return `/proc/${processId()}/fd/${descriptor}`;
}
