/**
 * A handler that is ready for events: a fork server, and a new one whenever it dies.
 *
 * @module
 */

import { definedFunctions } from "../handler/script.ts";
import type { FunctionError, InitErrorType } from "../runtime-api/function-error.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { elapsedMs } from "./clock.ts";
import { variableBytes } from "./environment.ts";
import { EventProcesses } from "./event-processes.ts";
import { bounded, describeEnd, exitError } from "./exit-error.ts";
import type { OnOutput } from "./fork-pipes.ts";
import {
  type EventWatch,
  ForkServer,
  type ForkServerOptions,
  type Loading,
  type ReloadWatch,
} from "./fork-server.ts";
import { readScript } from "./handler-files.ts";
import { characterFrom } from "./last-lines.ts";
import { fileType, SystemError } from "./libc.ts";
import type { RunnableHandler } from "./loaded-shell.ts";
import type { Log } from "./log.ts";
import type { Poller } from "./poller.ts";
import { type ExitStatus, reap, SIGNAL } from "./process.ts";
import { NOT_A_TEXT, syntaxError } from "./script-diagnosis.ts";
import { ownName } from "./shell-process.ts";
import { Timer } from "./timer.ts";
import { type Tracing, withoutTraces } from "./traces.ts";
import { decodeUtf8 } from "./utf8.ts";

/** How much of the end of standard output is looked at for a last line, in bytes. */
const OUTPUT_END_BYTES = 1024;
const NOTHING = new Uint8Array(0);
const NOT_IN_TIME = "the handler's file was not loaded again in time";
const LATE_CAUSES =
  "what stands outside of functions waits for something, or takes longer than at first";

/** How often in a row a shell is loaded again that is killed as it loads. */
const RELOADS_MAX = 5;
/** While no event waits, a file may take so many times as long as at first to be loaded again, and at least so many ms. */
const RELOAD_FACTOR = 10;
const RELOAD_MS_MIN = 10_000;

/** The functions of a script that have to do with snapshots (SnapStart), in the order in which they are run. */
export const SNAPSHOT_HOOKS = ["before_snapshot", "after_restore"] as const;
/** The types of their errors. */
const HOOK_ERROR_TYPES: readonly InitErrorType[] = [
  "Runtime.BeforeSnapshotError",
  "Runtime.AfterRestoreError",
];

/** A handler that can't be loaded; its error is for `/init/error`, or after a restore for `/restore/error`. */
export class InitFailure extends Error {
  override readonly name = "InitFailure";
  readonly error: FunctionError;

  constructor(error: FunctionError) {
    const errorMessage = bounded(error.errorMessage);
    super(errorMessage);
    this.error = { ...error, errorMessage };
  }
}

/** Runs events through a loaded shell. */
export class ShellHandler {
  readonly #options: ForkServerOptions;
  readonly #poller: Poller;
  readonly #log: Log;
  #server: ForkServer;
  #hooksRun = 0;
  #isLoading = false;
  /** Whether the file had its own time, not just an event's, to be loaded again, and was not. */
  #isHanging = false;
  /** How long the file, and its hooks, took at first, in milliseconds. */
  #loadingMs = 0;

  /**
   * Starts the shell; {@link load} must be called next.
   * @throws {InitFailure} When it can't be started.
   */
  constructor(options: ForkServerOptions, poller: Poller, log: Log) {
    this.#options = options;
    this.#poller = poller;
    this.#log = log;
    this.#server = startServer(options, poller, log);
  }

  /**
   * Waits until the handler is loaded.
   * @throws {InitFailure} When it can't be, with the reason.
   */
  load(): void {
    const startedAt = elapsedMs();
    this.#expectLoaded(this.#server.load());
    this.#loadingMs = elapsedMs() - startedAt;
  }

  /**
   * Has the loaded shell itself run the next one of its hooks, if the script defines it.
   * @throws {InitFailure} When it fails.
   */
  runHook(): void {
    if (this.#options.handler.kind !== "function") return;
    const at = this.#hooksRun;
    const startedAt = elapsedMs();
    this.#hooksRun += 1;
    // A new shell runs it, too, if it is one of those that are over.
    if (!this.#server.isReady()) this.ensureLoaded();
    else this.#expectHook(at);
    this.#loadingMs += elapsedMs() - startedAt;
  }

  #expectHook(at: number): void {
    const loading = this.#server.runHook();
    const end: ExitStatus =
      loading.kind === "ended" ? loading.end : { kind: "exited", status: loading.report.status };
    if (loading.kind === "loaded" && loading.report.status === 0) return;
    const lines = this.#server.lastLines();
    this.#server.close();
    const { script } = this.#options.handler;
    const hook = SNAPSHOT_HOOKS[at] ?? "";
    const how = describeEnd(`${hook} in ${script}`, end, lines.at(-1) ?? "");
    const hasExited = loading.kind === "ended" && end.kind === "exited";
    const lastLine = lines.length === 0 ? "" : `: ${lines.at(-1)}`;
    const reason = lastLine === "" && hasExited ? withoutWords(end.status) : lastLine;
    const errorType = HOOK_ERROR_TYPES[at] ?? "Runtime.InitError";
    throw new InitFailure({ errorType, errorMessage: `${how}${reason}`, stackTrace: lines });
  }

  /**
   * Loads the handler again if its shell has died since the event before.
   * @param watch Over the time that there is for it, if any: at its end the shell is not loaded any further.
   * @throws {InitFailure} When it can't be, with the reason.
   */
  ensureLoaded(watch?: ReloadWatch): void {
    if (this.#server.isReady()) return;
    const isOver = () => watch?.isOver() === true;
    watch?.onReload();
    this.#isLoading = true;
    try {
      this.#loadAgain(isOver);
    } catch (error) {
      // Whatever was going on: we have killed it.
      throw error instanceof InitFailure && isOver() ? notInTime() : error;
    } finally {
      this.#isLoading = false;
      if (!isOver()) this.#isHanging = false;
    }
  }

  #loadAgain(isOver: () => boolean): void {
    for (let attempt = 1; ; attempt += 1) {
      this.#server.close();
      // Ended processes count as long as they are not collected: there may be no room for a shell.
      reap();
      this.#log.write("WARN", "the handler's shell is gone: loading it again");
      this.#server = startServer(this.#options, this.#poller, this.#log);
      const loading = this.#server.load();
      if (isOver()) {
        this.#server.close();
        throw notInTime();
      }
      // Whatever killed it once may do so again, without a fault of the file, which has been loaded before.
      const isKilled = loading.kind === "ended" && loading.end.kind === "signaled";
      if (isKilled && attempt < RELOADS_MAX) continue;
      this.#expectLoaded(loading);
      for (let hook = 0; hook < this.#hooksRun; hook += 1) this.#expectHook(hook);
      return;
    }
  }

  #expectLoaded(loading: Loading): void {
    const failure = this.#failureOf(loading);
    if (failure === undefined) {
      if (loading.kind === "loaded") this.#warnOfReadonly(loading.report.state.readonlyNames);
      return;
    }
    const stackTrace = this.#loadingLines();
    this.#server.close();
    throw new InitFailure({ ...failure, stackTrace });
  }

  #warnOfReadonly(names: readonly string[]): void {
    if (names.length === 0) return;
    const { script } = this.#options.handler;
    const text = `${script} makes ${names.join(", ")} readonly: events cannot set what they have there`;
    this.#log.write("WARN", text);
  }

  /** Loads the handler again if its shell has died; if that cannot be done now, the next event says why. */
  prepare(): void {
    if (this.#isHanging) return;
    try {
      this.#ensureLoadedInOwnTime();
    } catch (error) {
      if (!(error instanceof InitFailure)) throw error;
      if (this.#isHanging) this.#log.write("ERROR", `${NOT_IN_TIME}: the next event waits for it`);
    }
  }

  /**
   * Loads the handler again if its shell has died, where no event waits at whose deadline a file that hangs would be
   * ended: it has a time of its own.
   * @throws {InitFailure} When it can't be, with the reason.
   */
  #ensureLoadedInOwnTime(): void {
    if (this.#server.isReady()) return;
    let isOver = false;
    const timer = new Timer(this.#poller, () => {
      isOver = true;
      EventProcesses.ofLoading(this.shell)?.signal(SIGNAL.kill);
    });
    const longestMs = Math.max(RELOAD_MS_MIN, this.#loadingMs * RELOAD_FACTOR);
    try {
      this.ensureLoaded({ onReload: () => timer.setIn(longestMs), isOver: () => isOver });
    } finally {
      timer.close();
      if (isOver) this.#isHanging = true;
    }
  }

  /** Handles one event; returns the error if the handler failed. */
  invoke(invocation: Invocation, onOutput: OnOutput, watch: EventWatch): FunctionError | undefined {
    try {
      // It may have died while the event was awaited.
      if (watch.isTimed) this.ensureLoaded(watch);
      else this.#ensureLoadedInOwnTime();
    } catch (error) {
      if (error instanceof InitFailure) return error.error;
      throw error;
    }
    const output = new OutputEnd();
    const keepEnd = (bytes: Uint8Array) => {
      output.take(bytes);
      onOutput(bytes);
    };
    const { who, end } = this.#server.invoke(invocation, keepEnd, watch);
    if (who === "the handler" && end.kind === "exited" && end.status === 0) return undefined;
    const lines = this.#server.lastLines();
    const command = this.#describeLastCommand();
    // A part of a response is not what a handler says of its end, and may be any bytes.
    const isTold = lines.length > 0 || watch.isStreamed();
    const said = isTold ? "" : output.lastLine(this.#server.shell.tracing());
    const isSilent = said === "" && command === "" && !isTold;
    const hasEnded = who === "the handler" && end.kind === "exited";
    const remedy = isSilent && hasEnded ? this.#remedyOfSilence() : "";
    return exitError(who, end, { lines, output: said, command, remedy });
  }

  /** How to find out why a handler has failed of which no word has come. */
  #remedyOfSilence(): string {
    // Of one that is traced the log has the commands already, which are not told.
    return this.#options.handler.kind === "file" || this.#server.shell.tracing().mayTrace
      ? ""
      : "it gave no reason: set -x in its file shows its commands in the log";
  }

  /** The process groups of all that runs below the shell: one. */
  get processGroups(): readonly number[] {
    return [this.#server.processGroup];
  }

  /** Whether the shell is being loaded again. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  /** The loaded shell's process id, or that of the shell that is being loaded. */
  get shell(): number {
    return this.#server.processGroup;
  }

  /** Passes on what has been written to the log up to now. */
  passLog(): void {
    this.#server.passLog();
  }

  /** Ends the shell, and passes on the rest of its log. */
  close(): void {
    this.#server.close();
  }

  /** What the shell has said while it loaded the script, up to now. */
  #loadingLines(): string[] {
    this.#server.passLog();
    return this.#server.lastLines();
  }

  #describeLoadingEnd(end: ExitStatus): string {
    const { script } = this.#options.handler;
    const lastLine = this.#server.lastLines().at(-1) ?? "";
    const how = describeEnd(`${script}, while it was loaded,`, end, lastLine);
    if (lastLine !== "") return `${how}: ${lastLine}`;
    const failed = this.#server.failedCommand();
    if (failed === undefined)
      return end.kind === "exited" ? `${how}${withoutWords(end.status)}` : how;
    // The script had come to its end: what has failed then is its sourcing.
    if (!failed.command.startsWith("\\. "))
      return `${how} at line ${failed.line}: ${failed.command}`;
    const last = lastCommandLine(readScript(script));
    return `${how}: under set -e a file must not end with a command that fails; its last line is: ${last}`;
  }

  /** The last command of a bash that has failed, and the function. */
  #describeLastCommand(): string {
    const last = this.#server.lastCommand();
    // Our own commands have a backslash in front.
    if (last === undefined || last.command.startsWith("\\")) return "";
    const { command, functionName, caller, line } = last;
    if (functionName === "") return command;
    const call = caller === "" ? "" : `, which ${caller} calls in line ${line}`;
    return `${command} (in ${functionName}${call})`;
  }

  #failureOf(loading: Loading): { errorType: InitErrorType; errorMessage: string } | undefined {
    const { handler, environment } = this.#options;
    if (handler.kind === "file") {
      if (loading.kind === "loaded") return undefined;
      const errorMessage = describeEnd("the shell that starts the handler", loading.end);
      return { errorType: "Runtime.InitError", errorMessage };
    }
    const { script, functionName } = handler;
    // Some shells end at a syntax error, others go on with what they have understood.
    if (loading.kind === "ended" || loading.report.status !== 0) {
      const text = syntaxError(this.#options, this.#loadingLines(), this.#poller);
      if (text !== undefined) return wordsOf(text, handler);
    }
    if (loading.kind === "ended") {
      return {
        errorType: "Runtime.InitError",
        errorMessage: this.#describeLoadingEnd(loading.end),
      };
    }
    const { hindrance } = loading.report;
    if (hindrance !== undefined) {
      return {
        errorType: "Runtime.InitError",
        errorMessage: `${script} cannot be used: ${hindrance}`,
      };
    }
    const isInherited = variableBytes(environment, `BASH_FUNC_${functionName}%%`) !== undefined;
    const isDefined = this.#server.shell.hasFunction();
    if (isDefined && !isInherited) return undefined;
    const text = readScript(script);
    const names = definedFunctions(text);
    if (isDefined && names.includes(functionName)) return undefined;
    const refusal = isDefined ? "" : this.#server.shell.refusalOfName();
    if (refusal !== "") {
      return {
        errorType: "Runtime.MalformedHandlerName",
        errorMessage:
          `${ownName(handler)} does not name a function: ${handler.shell.path} says of ${functionName}() ` +
          `"${refusal}"; with #!/bin/bash as first line names may have more than letters, digits and _`,
      };
    }
    const defined = names.length === 0 ? "no function" : names.join(", ");
    // Bash adds the line of the script to its words.
    const lines = this.#loadingLines();
    const said = lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1);
    const isInText = names.includes(functionName);
    const why = text.includes("\0") ? NOT_A_TEXT : isInText ? said : undefined;
    const others = isInText
      ? "it is in the text, but is not a function after the file is loaded"
      : `it defines ${defined}`;
    const reason = why === undefined ? "" : `: ${why}`;
    return {
      errorType: "Runtime.HandlerNotFound",
      errorMessage: `${script} does not define the function ${functionName}: ${others}${reason}`,
    };
  }
}

/** The end of what a handler has written on standard output. */
class OutputEnd {
  #end: Uint8Array = NOTHING;

  take(bytes: Uint8Array): void {
    // What is given is the giver's again afterwards; a slice of a Buffer would be no copy.
    const taken = new Uint8Array(bytes.subarray(-OUTPUT_END_BYTES));
    this.#end = taken.length === OUTPUT_END_BYTES ? taken : this.#withMore(taken);
  }

  #withMore(taken: Uint8Array): Uint8Array {
    const kept = this.#end.subarray(taken.length - OUTPUT_END_BYTES);
    if (kept.length === 0) return taken;
    const end = new Uint8Array(kept.length + taken.length);
    end.set(kept);
    end.set(taken, kept.length);
    return end;
  }

  /** The last line that is neither empty nor a traced command; of a long one the end. */
  lastLine(tracing: Tracing): string {
    const isCut = this.#end.length === OUTPUT_END_BYTES;
    const end = decodeUtf8(this.#end.subarray(isCut ? characterFrom(this.#end, 0) : 0));
    const lines = end.trimEnd().split("\n");
    // The first one may be the end of a traced command.
    if (tracing.mayTrace && isCut) lines.shift();
    const told = withoutTraces(lines, tracing);
    return (told.findLast((line) => line.trim() !== "") ?? "").trim();
  }
}

function startServer(options: ForkServerOptions, poller: Poller, log: Log): ForkServer {
  try {
    return new ForkServer(options, poller, log);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const { handler, taskRoot } = options;
    const errorMessage =
      fileType(taskRoot) === "folder"
        ? `failed to start ${handler.shell.path}, the shell of ${handler.script}: ${error.message}`
        : `the function's folder ${taskRoot} (LAMBDA_TASK_ROOT) is missing`;
    throw new InitFailure({
      errorType: "Runtime.InvalidEntrypoint",
      errorMessage,
      stackTrace: [],
    });
  }
}

function notInTime(): InitFailure {
  const errorMessage = `${NOT_IN_TIME}, after its shell had ended: ${LATE_CAUSES}`;
  return new InitFailure({ errorType: "Runtime.InitError", errorMessage, stackTrace: [] });
}

/** What a shell says of a script that it cannot read; or of itself, which then cannot take its options. */
function wordsOf(
  text: string,
  { script, shell }: RunnableHandler,
): { errorType: InitErrorType; errorMessage: string } {
  const options = shell.options.join(" ");
  if (options === "" || text.includes(script))
    return { errorType: "Runtime.UserCodeSyntaxError", errorMessage: text };
  const [said = ""] = text.split("\n", 1);
  return {
    errorType: "Runtime.InvalidEntrypoint",
    errorMessage: `${script}: ${shell.path} does not take the options of its first line (${options}): ${said}`,
  };
}

/** What a status means of a file that has ended its shell without a word. */
function withoutWords(status: number): string {
  return status === 0
    ? ": it must not call exit, exec or set -n"
    : ": it called exit or exec, or a command failed under set -e";
}

/** The last line of a script that is neither empty nor a comment. */
function lastCommandLine(text: string): string {
  const lines = text.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && !line.startsWith("#")).at(-1) ?? "";
}
