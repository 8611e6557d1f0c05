/**
 * The process of a bootstrap with everything it starts: started once, ended as a whole.
 *
 * @module
 */

import { constants } from "node:os";

import type { ProcessEnd } from "../invocation/platform-error.ts";
import { drainLog } from "./log.ts";
import {
  peakResidentBytes,
  processesWith,
  processTree,
  startTicks,
  treeResidentBytes,
} from "./process-tree.ts";

/** How long the log of a process that has ended may take to arrive, in milliseconds. */
export const LOG_DRAIN_MS = 100;

/** How often the memory of a bounded process is looked at, in milliseconds. */
const MEMORY_WATCH_MS = 100;

/** Looks at all processes for those that a dead bootstrap left; a fork bomb must not stop the host. */
const STRAY_ROUNDS_MAX = 10;

const RUNTIME_API_VARIABLE = "AWS_LAMBDA_RUNTIME_API";

/** How to start a bootstrap, and who is told of its log and its end. */
interface RuntimeProcessOptions {
  readonly command: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Memory of the whole group above which it is killed, in bytes; none when absent. */
  readonly memoryBytesMax?: number;
  readonly onLog: (chunk: Uint8Array) => void;
  /** Called once, when the process has ended and its log has arrived. */
  readonly onEnd: (end: ProcessEnd) => void;
}

/** A running bootstrap. */
export class RuntimeProcess {
  readonly pid: number | undefined;
  /** The variable that tells its processes from all others: no other has this port. */
  readonly #mark: string;
  #startTicks = 0;
  #peakBytes = 0;
  #memoryTimer: Timer | undefined;

  /** Starts it; a bootstrap that cannot be started is told by `onEnd`, as any other end is. */
  constructor(options: RuntimeProcessOptions) {
    const { command, directory, environment, memoryBytesMax } = options;
    this.#mark = `${RUNTIME_API_VARIABLE}=${environment[RUNTIME_API_VARIABLE] ?? ""}`;
    let logDrained: Promise<unknown> = Promise.resolve();
    const onExit = async (end: ProcessEnd) => {
      this.#takePeak();
      clearInterval(this.#memoryTimer);
      // Whatever the process left behind goes with it, as with Lambda's sandbox.
      this.signal("SIGKILL");
      this.#killStrays();
      await Promise.race([logDrained, Bun.sleep(LOG_DRAIN_MS)]);
      options.onEnd(end);
    };
    try {
      const child = Bun.spawn([...command], {
        cwd: directory,
        env: environment,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        // A process group of its own, so that everything a handler started dies with it.
        detached: true,
        onExit: (_process, status, signal) => void onExit(processEnd(status, signal)),
      });
      this.pid = child.pid;
      this.#startTicks = startTicks(child.pid);
      logDrained = Promise.all([
        drainLog(child.stdout, options.onLog),
        drainLog(child.stderr, options.onLog),
      ]);
    } catch (error) {
      this.pid = undefined;
      const reason = startFailure(command[0] ?? "", error);
      queueMicrotask(() => options.onEnd({ kind: "not-started", reason }));
      return;
    }
    if (memoryBytesMax !== undefined) {
      this.#memoryTimer = setInterval(() => this.#watchMemory(memoryBytesMax), MEMORY_WATCH_MS);
    }
  }

  /** Sends a signal to the whole group; no effect when it has gone. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined) sendSignal(-this.pid, signal);
  }

  /** Kills the group, and what a handler started in groups of their own. */
  kill(): void {
    if (this.pid === undefined) return;
    // Both looked up first: the dead have no memory, and their children other parents.
    this.#takePeak();
    const below = processTree(this.pid).slice(1);
    this.signal("SIGKILL");
    for (const { pid } of below) sendSignal(pid, "SIGKILL");
  }

  /** Kills what has left both group and parents; again, while there are new ones. */
  #killStrays(): void {
    for (let round = 0; round < STRAY_ROUNDS_MAX; round += 1) {
      const strays = processesWith(this.#mark, this.#startTicks);
      if (strays.length === 0) return;
      for (const pid of strays) sendSignal(pid, "SIGKILL");
    }
  }

  /** Most memory that the bootstrap has had until now, in bytes. */
  peakBytes(): number {
    this.#takePeak();
    return this.#peakBytes;
  }

  /** What a handler runs now, without the shells that wait for it: `command (pid N), child of handler`. */
  descendants(): readonly string[] {
    if (this.pid === undefined) return [];
    const [, ...below] = processTree(this.pid);
    const parents = new Set(below.map(({ parentPid }) => parentPid));
    const commands = new Map(below.map(({ pid, command }) => [pid, command]));
    // A fork that has outlived its parent, as the one that waits for our shell's end, is no handler.
    const forked = new Set(below.filter(({ pid }) => parents.has(pid)).map((each) => each.command));
    return below
      .filter(({ pid }) => !parents.has(pid))
      .filter(({ parentPid, command }) => parentPid !== this.pid || !forked.has(command))
      .map(({ pid, parentPid, command }) => {
        // A fork has its parent's command line: it is the handler itself.
        const isFork = commands.get(parentPid) === command;
        return isFork ? `handler (pid ${pid})` : `${command} (pid ${pid}), child of handler`;
      });
  }

  #takePeak(): void {
    if (this.pid !== undefined) {
      this.#peakBytes = Math.max(this.#peakBytes, peakResidentBytes(this.pid));
    }
  }

  #watchMemory(bytesMax: number): void {
    if (this.pid === undefined) return;
    const bytes = treeResidentBytes(this.pid);
    this.#peakBytes = Math.max(this.#peakBytes, bytes);
    if (bytes > bytesMax) this.kill();
  }
}

/** Signals a process, or a group by its negative number. */
function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

/** Bun names the signal, whatever its types say. */
function processEnd(status: number | null, signal: number | string | null): ProcessEnd {
  if (typeof signal === "string") return { kind: "signalled", signal };
  if (typeof signal === "number") return { kind: "signalled", signal: signalName(signal) };
  return { kind: "exited", status: status ?? 0 };
}

function signalName(signal: number): string {
  const names = Object.entries(constants.signals);
  return names.find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
}

function startFailure(program: string, error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT") return `Couldn't find valid bootstrap(s): [${program}]`;
  return `fork/exec ${program}: ${START_FAILURES[code] ?? String(error)}`;
}

const START_FAILURES: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  ENOEXEC: "exec format error",
  ENOTDIR: "not a directory",
};

/**
 * A runtime that somebody else starts, in a debugger for instance. It stands for the process, and
 * ends when the environment is to end.
 */
export class AttachedRuntime {
  readonly pid = undefined;
  readonly #onEnd: (end: ProcessEnd) => void;
  #ended = false;

  constructor(onEnd: (end: ProcessEnd) => void) {
    this.#onEnd = onEnd;
  }

  /** Leaves the process alone: only the environment has an end. */
  signal(): void {
    if (this.#ended) return;
    this.#ended = true;
    queueMicrotask(() => this.#onEnd({ kind: "exited", status: 0 }));
  }

  /** As {@link signal}. */
  kill(): void {
    this.signal();
  }

  /** Its memory is not known. */
  peakBytes(): number {
    return 0;
  }

  /** Its processes are not ours to name. */
  descendants(): readonly string[] {
    return [];
  }
}
