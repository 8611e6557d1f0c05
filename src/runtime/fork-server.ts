/**
 * The runtime's side of the fork server: a shell that has loaded the handler once and forks for each
 * event. Its other side is fork-server.sh, which tells the protocol; fork-turns.ts says why a status is
 * always its event's. The parts: shell-process.ts, which starts and ends the shell, and the pipes between the
 * two sides, fork-pipes.ts for events and control-pipe.ts for all that is not an event's.
 *
 * A file handler takes the same way: there is nothing to source, and the fork becomes the file.
 *
 * @module
 */

import { splitTracing } from "../handler/script.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { copyOf, latin1Bytes, utf8Bytes } from "./bytes.ts";
import type { LastCommand } from "./control-messages.ts";
import { ControlPipe } from "./control-pipe.ts";
import { variableBytes } from "./environment.ts";
import { EventScripts } from "./event-script.ts";
import { exitStatusOf, type LostStatus } from "./exit-error.ts";
import { ForkPipes, type OnOutput, type OutputPipe, type Own } from "./fork-pipes.ts";
import {
  exitReport as exitReportTo,
  type ForkServerScript,
  forkServerScript,
  SENT_BYTES_MAX,
} from "./fork-server-protocol.ts";
import { ForkTurns, type TurnEnd, type TurnWatch } from "./fork-turns.ts";
import { readScript } from "./handler-files.ts";
import { LastLines } from "./last-lines.ts";
import {
  close,
  duplicateTo,
  memoryFile,
  O_NONBLOCK,
  pathOf,
  pipe,
  setBlocking,
  writeAll,
} from "./libc.ts";
import type { FailedCommand, LoadReport } from "./load-report.ts";
import { LoadedShell, type Reply } from "./loaded-shell.ts";
import { LogPipe } from "./log-pipe.ts";
import type { Log } from "./log.ts";
import type { Poller } from "./poller.ts";
import { type ExitStatus, SIGNAL } from "./process.ts";
import { rehearse } from "./rehearsal.ts";
import { type ShellOptions, ShellProcess } from "./shell-process.ts";

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
  readonly sent: Uint8Array;
  readonly file: number | undefined;
  /** How many bytes of it are copies, of which the strings that it was made of are several more. */
  readonly copiedBytes: number;
}

/** What watches over a shell that is loaded again. */
export interface ReloadWatch extends TurnWatch {
  /** The shell is gone, and is loaded again: the event, if any, waits for it. */
  onReload(): void;
}

/** What watches over an event. */
export interface EventWatch extends ReloadWatch {
  /** Whether the event has a deadline, at which it is told to end. */
  readonly isTimed: boolean;
  /**
   * The event goes to a fork, as soon as there is one that takes it.
   * @param copiedBytes How many bytes its copies had, which nobody uses any more.
   */
  onBegin(copiedBytes: number): void;
  /** Whether what the handler writes is a response that is on its way already. */
  isStreamed(): boolean;
}

/** What a fork server is started with. */
export interface ForkServerOptions extends ShellOptions {
  /** Functions of the script that the loaded shell itself runs before any event, each by {@link ForkServer.runHook}. */
  readonly hooks: readonly string[];
}

/** Most forks that may end without an event since the last one: more are a shell that is beyond use. */
const IDLE_ENDS_MAX = 64;

/** One loaded shell. When it dies, another one must be made. */
export class ForkServer {
  readonly #options: ForkServerOptions;
  readonly #poller: Poller;
  readonly #process: ShellProcess;
  /** What is known of the shell. */
  readonly shell: LoadedShell;
  readonly #stderr: LogPipe;
  readonly #lastLines = new LastLines();
  readonly #stderrWriteEnd: number;
  readonly #control: ControlPipe;
  /** A pipe that no other process opens: with it the shell ends (ShellPipes). */
  readonly #ownPipe: readonly [number, number];
  /** Through these the shell gets what it runs for each hook. */
  readonly #hookPipes: (readonly [number, number])[] = [];
  #hooksRun = 0;
  readonly #forks: ForkPipes;
  readonly #turns: ForkTurns<OutputPipe>;
  #scripts: EventScripts | undefined;
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
    const opened: (number | readonly [number, number])[] = [];
    const own: Own = (one) => {
      opened.push(one);
      return one;
    };
    try {
      const control = own(pipe(O_NONBLOCK));
      this.#ownPipe = own(pipe());
      const hooks = handler.kind === "function" ? options.hooks : [];
      for (const _ of hooks) this.#hookPipes.push(own(pipe()));
      const hasEnded = () => this.#process.end !== undefined;
      const forked = { shell: this.shell, hasEnded, control: control[1] };
      this.#forks = new ForkPipes(forked, own, poller, log);
      const [stderrReadEnd, stderrWriteEnd] = own(pipe());
      const script = this.#script(pathOf(control[1]));
      const ends = { output: stderrWriteEnd, ownPipe: this.#ownPipe };
      this.#process = new ShellProcess(options, script, ends, poller);
      this.#forks.start();
      this.#stderrWriteEnd = stderrWriteEnd;
      this.#stderr = new LogPipe(stderrReadEnd, poller, log, { lastLines: this.#lastLines });
      this.#process.watch();
      this.#control = new ControlPipe(control, this.#forks.ended, poller, {
        shell: this.shell,
        onIdleEnd: () => this.#hearIdleEnd(),
      });
      this.#turns = new ForkTurns(this.#forks);
    } catch (error) {
      // It is tried again with the next event, and with the one after it.
      for (const descriptor of opened.flat()) close(descriptor);
      throw error;
    }
  }

  /** Passes on what has been written to the log up to now. */
  passLog(): void {
    this.#stderr.pass();
    this.#forks.passLate();
  }

  /** The last lines on standard error since the current event, or loading, began, without traced commands. */
  lastLines(): string[] {
    return this.#lastLines.lines(this.shell.tracing());
  }

  /** The last command of a bash that has failed in the current event, where that is known. */
  lastCommand(): LastCommand | undefined {
    return this.#control.lastCommand();
  }

  /** The command of the script at which a bash has ended while it loaded, where that is known. */
  failedCommand(): FailedCommand | undefined {
    return this.#control.failedCommand();
  }

  /** Whether it can take an event. */
  isReady(): boolean {
    // It may have died while nobody looked.
    this.#process.reap();
    return this.#scripts !== undefined && this.#process.end === undefined;
  }

  /** Waits until the shell has loaded the handler, or has ended. */
  load(): Loading {
    rehearse(this.#options.handler);
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
    const { sent, file } = this.#sendable([this.#loadedScripts().callHook(name)]);
    this.#control.expectReport();
    writeAll(pipe[1], sent);
    // Closed twice they might be somebody else's.
    duplicateTo(this.#control.writeEnd, pipe[1]);
    const loading = this.#awaitReport();
    if (file !== undefined) close(file);
    return loading;
  }

  #awaitReport(): Loading {
    this.#poller.waitUntil(() => this.#process.end !== undefined || this.#control.isReported);
    const { report } = this.shell;
    if (report === undefined || !this.#control.isReported) {
      this.#stderr.drain();
      return { kind: "ended", end: this.#process.end ?? { kind: "exited", status: 0 } };
    }
    const { handler } = this.#options;
    const functionName = handler.kind === "function" ? handler.functionName : undefined;
    const exitReport = this.shell.reportsExit(report) ? exitReportTo(this.#control.path) : "";
    const seesCall = () => this.shell.maySeeCall(report);
    const state = {
      ...report.state,
      bashOptions: this.shell.bashOptions(report),
      mayHaveEventVariables: this.shell.mayHaveEventVariables(report),
    };
    const trapsErrors = !state.isBash && this.shell.trapsErrors();
    this.#scripts = new EventScripts(functionName, state, exitReport, seesCall, trapsErrors);
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
    this.#control.forgetLastCommand();
    // A program of the event before may have left it otherwise, for all that share it.
    setBlocking(this.#stderrWriteEnd, true);
    this.#forks.onOutput = onOutput;
    const script = this.#sendable(this.#eventScript(invocation, pathOf(input)));
    // From here on the event is the shell's alone.
    watch.onBegin(script.copiedBytes);
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
    this.#process.close();
    this.#stderr.finish();
    this.#forks.close();
    this.#control.close();
    const pipes = [...this.#ownPipe, ...this.#hookPipes.flat()];
    for (const descriptor of [...pipes, this.#stderrWriteEnd]) close(descriptor);
  }

  /** The process group of everything that runs below this shell. */
  get processGroup(): number {
    return this.#process.id;
  }

  /** @param control The path of CONTROL. */
  #script(control: string): ForkServerScript {
    const { handler } = this.#options;
    const isFunction = handler.kind === "function";
    const words = {
      SCRIPT: isFunction ? handler.script : "/dev/null",
      FUNCTION: isFunction ? handler.functionName : ":",
      CONTROL: control,
      OUTPUT: this.#forks.output,
      ENDED: this.#forks.ended,
      NEXT: this.#forks.next,
    };
    const hooks: string[] = [];
    for (const [readEnd] of this.#hookPipes) hooks.push(pathOf(readEnd));
    const { options } = handler.shell;
    const tracing = isFunction && options.length > 0 ? splitTracing(options).tracing : "";
    // With -v the shell would show what it runs for a trap. A file that bash runs before all else may have set one.
    const isFirst = variableBytes(this.#options.environment, "BASH_ENV") === undefined;
    const mayReport = isFirst && !tracing.includes("v") && this.shell.mayTrap();
    const reportsFailure = mayReport && !this.shell.sourcesInCondition();
    return forkServerScript(words, reportsFailure, tracing, hooks);
  }

  #eventScript(invocation: Invocation, input: string): readonly Uint8Array[] {
    const scripts = this.#loadedScripts();
    const paths = { input, output: this.#forks.output };
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
    this.#forks.onOutput = (bytes) => {
      output += copyOf(bytes).toString("latin1");
    };
    const redirection = `\\exec >${this.#forks.output} 2>/dev/null`;
    const turn = this.#turn(this.#sendable([utf8Bytes(`${redirection}\n${commands}\n\\exit\n`)]));
    return { status: turn.kind === "ended" ? turn.status : undefined, output };
  }

  /** Puts a long script into a file, since a pipe would not take it at once. */
  #sendable(script: readonly Uint8Array[]): SendableScript {
    // In several pieces an event stands as it came.
    const [copy] = script.length === 1 ? script : [];
    if (copy !== undefined && copy.length <= SENT_BYTES_MAX) {
      return { sent: copy, file: undefined, copiedBytes: 0 };
    }
    const file = memoryFile(...script);
    const sent = latin1Bytes(`\\. ${pathOf(file)}\n`);
    return { sent, file, copiedBytes: copy?.length ?? 0 };
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
        this.#process.endGroup();
        return {
          who: "the handler's shell",
          end: this.#process.end ?? { kind: "exited", status: 0 },
        };
      case "status lost":
        return { who: "the handler", end: { kind: "lost" } };
    }
  }

  #hearIdleEnd(): void {
    this.#turns.hearIdleEnd();
    // Forks that end one after the other without an event.
    if (this.#turns.idleEnds > IDLE_ENDS_MAX) this.#process.kill();
  }
}
