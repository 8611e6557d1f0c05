/**
 * A handler that is ready for events: a fork server, and a new one whenever it dies.
 *
 * @module
 */

import { definedFunctions } from "../handler/script.ts";
import type { FunctionError, InitErrorType } from "../runtime-api/function-error.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { variableBytes } from "./environment.ts";
import { describeEnd, exitError } from "./exit-error.ts";
import {
  type EventWatch,
  ForkServer,
  type ForkServerOptions,
  type Loading,
} from "./fork-server.ts";
import { readScript } from "./handler-files.ts";
import { fileType, SystemError } from "./libc.ts";
import type { Log } from "./log.ts";
import type { OnOutput } from "./output-pipe.ts";
import type { Poller } from "./poller.ts";
import { reap } from "./process.ts";
import { syntaxError } from "./script-diagnosis.ts";

/** A handler that can't be loaded; its error is for `/init/error`. */
export class InitFailure extends Error {
  override readonly name = "InitFailure";
  readonly error: FunctionError;

  constructor(error: FunctionError) {
    super(error.errorMessage);
    this.error = error;
  }
}

/** Runs events through a loaded shell. */
export class ShellHandler {
  readonly #options: ForkServerOptions;
  readonly #poller: Poller;
  readonly #log: Log;
  #server: ForkServer;

  /**
   * Starts the shell; {@link load} is to follow.
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
    const loading = this.#server.load();
    const failure = this.#failureOf(loading);
    if (failure === undefined) return;
    const stackTrace = this.#server.lastLines();
    this.#server.close();
    throw new InitFailure({ ...failure, stackTrace });
  }

  /**
   * Loads the handler again if its shell has died since the event before.
   * @throws {InitFailure} When that cannot be done.
   */
  ensureLoaded(): void {
    if (this.#server.isReady()) return;
    this.#server.close();
    // Ended processes count as long as they are not collected: there may be no room for a shell.
    reap();
    this.#log.write("WARN", "the handler's shell is gone: loading it anew");
    this.#server = startServer(this.#options, this.#poller, this.#log);
    this.load();
  }

  /** Loads the handler again if its shell has died; if that cannot be done now, the next event says why. */
  prepare(): void {
    try {
      this.ensureLoaded();
    } catch (error) {
      if (!(error instanceof InitFailure)) throw error;
    }
  }

  /** Handles one event; returns the error if the handler failed. */
  invoke(invocation: Invocation, onOutput: OnOutput, watch: EventWatch): FunctionError | undefined {
    try {
      // It may have died while the event was awaited.
      this.ensureLoaded();
    } catch (error) {
      if (error instanceof InitFailure) return error.error;
      throw error;
    }
    const { who, end } = this.#server.invoke(invocation, onOutput, watch);
    if (who === "the handler" && end.kind === "exited" && end.status === 0) return undefined;
    return exitError(who, end, this.#server.lastLines());
  }

  /** The process groups of all that runs below the shell: one. */
  get processGroups(): readonly number[] {
    return [this.#server.processGroup];
  }

  /** The loaded shell's process id. */
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
      const text = syntaxError(this.#options, this.#poller);
      if (text !== undefined)
        return { errorType: "Runtime.UserCodeSyntaxError", errorMessage: text };
    }
    if (loading.kind === "ended") {
      const lastLine = this.#server.lastLines().at(-1);
      const reason = lastLine === undefined ? "" : `: ${lastLine}`;
      const errorMessage = `${describeEnd(`${script}, while it was loaded,`, loading.end)}${reason}`;
      return { errorType: "Runtime.InitError", errorMessage };
    }
    const { description } = loading.report;
    const isInherited = variableBytes(environment, `BASH_FUNC_${functionName}%%`) !== undefined;
    const [kind = ""] = description.split("\n", 1);
    const isDefined = kind.includes(" is a function") || kind.includes(" is a shell function");
    if (isDefined && !isInherited) return undefined;
    const names = definedFunctions(readScript(script));
    if (isDefined && names.includes(functionName)) return undefined;
    // An alias of the same name hides the function from `command -V`, but not from the call.
    if (/^\S+ is an? alias/.test(description) && names.includes(functionName)) return undefined;
    const defined = names.length === 0 ? "no function" : names.join(", ");
    return {
      errorType: "Runtime.HandlerNotFound",
      errorMessage: `${script} does not define the function ${functionName}: it defines ${defined}`,
    };
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
