/**
 * The process of a handler's shell: how it is started, and how it ends.
 *
 * @module
 */

import { splitTracing } from "../handler/script.ts";
import { elapsedMs } from "./clock.ts";
import type { ForkServerScript } from "./fork-server-protocol.ts";
import { close, openFile, signalAtEnd, sleep } from "./libc.ts";
import type { RunnableHandler } from "./loaded-shell.ts";
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

/** What a handler's shell is started with. */
export interface ShellOptions {
  readonly handler: RunnableHandler;
  /** NUL-terminated `NAME=value` entries. */
  readonly environment: readonly Uint8Array[];
  readonly taskRoot: string;
}

/** The pipes of a shell that stays. */
export interface ShellPipes {
  /** The write end of its standard output and error. */
  readonly output: number;
  /** A pipe that no other process opens: with it the shell ends, and all of its group. */
  readonly ownPipe: readonly [number, number];
}

/** How long the kernel may take to end what was killed, in milliseconds. */
const GROUP_END_MS = 1000;

/**
 * Starts the handler's shell, with nothing on standard input.
 * @param args What stands after the handler's own options.
 * @param output Descriptor of its standard output and error.
 * @returns Its process id, for `endOf` and, in the end, `forget`.
 * @throws {SystemError} When it cannot be started.
 */
export function spawnShell(
  { handler, environment, taskRoot }: ShellOptions,
  args: readonly string[],
  output: number,
): number {
  const { path, options } = handler.shell;
  // Tracing is for the script (fork-server-protocol.ts), not for what the runtime runs.
  const ownOptions = options.length === 0 ? options : splitTracing(options).others;
  const nothing = openFile("/dev/null");
  try {
    return spawn({
      path,
      argv: [path, ...ownOptions, ...args],
      environment,
      cwd: taskRoot,
      stdio: [nothing, output, output],
    });
  } finally {
    close(nothing);
  }
}

/** A shell that loads the handler and stays, with the process group of all that it starts. */
export class ShellProcess {
  /** Its process id, which is its group's as well. */
  readonly id: number;
  readonly #descriptor: number;
  readonly #poller: Poller;
  #end: ExitStatus | undefined;

  /**
   * Starts the shell.
   * @param script What it runs.
   * @throws {SystemError} When it cannot be started.
   */
  constructor(
    options: ShellOptions,
    script: ForkServerScript,
    { output, ownPipe }: ShellPipes,
    poller: Poller,
  ) {
    this.#poller = poller;
    const args = ["-c", script.text, ownName(options.handler), ...script.arguments];
    this.id = spawnShell(options, args, output);
    // First of all: we may be killed.
    signalAtEnd(ownPipe, this.id, SIGNAL.kill);
    endFirstWithoutMemory(this.id);
    try {
      this.#descriptor = openProcess(this.id);
    } catch (error) {
      // Who tries it again starts another one: this one would stay.
      this.endGroup();
      forget(this.id);
      throw error;
    }
  }

  /** Notices its end, from now on, during any wait. */
  watch(): void {
    this.#poller.watch(this.#descriptor, () => this.reap());
  }

  /** How it has ended, if that has been noticed. */
  get end(): ExitStatus | undefined {
    return this.#end;
  }

  /** Notices its end, and collects orphans that background jobs have left to us. */
  reap(): void {
    this.#end ??= endOf(this.id);
    if (this.#end !== undefined) this.#poller.unwatch(this.#descriptor);
  }

  /** Kills it with all of its group. */
  kill(): void {
    kill(-this.id, SIGNAL.kill);
  }

  /** Ends all that is left of its group, and waits until it is gone. */
  endGroup(): void {
    const giveUpAt = elapsedMs() + GROUP_END_MS;
    this.kill();
    for (reap(); isAlive(-this.id) && elapsedMs() < giveUpAt; reap()) {
      sleep(1);
    }
  }

  /** Ends it with all of its group, and forgets it. */
  close(): void {
    this.endGroup();
    forget(this.id);
    this.#poller.unwatch(this.#descriptor);
    close(this.#descriptor);
  }
}

/**
 * What `$0` is: the handler's name in the script's folder, for `dirname "$0"`. It is not the script's path
 * or name: by these a script that can be run as well as sourced knows that it is run.
 *
 * Messages of shells begin with it. That of a status is one line (status-message.ts): more would be in a response.
 */
export function ownName(handler: RunnableHandler): string {
  const { script } = handler;
  const stem = script.endsWith(".sh") ? script.slice(0, -".sh".length) : script;
  const name = handler.kind === "file" ? script : `${stem}.${handler.functionName}`;
  return name.replaceAll("\n", "?");
}
