/**
 * The process of a bootstrap with everything it starts: started once, ended as a whole.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";

import { endGuarded, guarded, startErrno } from "../../guard/guard.ts";
import type { ProcessEnd } from "../invocation/platform-error.ts";
import { drainLog } from "./log.ts";

/** How long the log of a process that has ended may take to arrive, in milliseconds. */
export const LOG_DRAIN_MS = 100;

/** How often the memory of a bounded process is looked at, in milliseconds. */
const MEMORY_WATCH_MS = 100;

/** How to start a bootstrap, and who is told of its log and its end. */
interface RuntimeProcessOptions {
  readonly command: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Memory of the whole group above which it is killed, in bytes; none when absent. */
  readonly memoryBytesMax?: number;
  readonly onLog: (chunk: Uint8Array) => unknown;
  /** Called once, when the process has ended and its log has arrived. */
  readonly onEnd: (end: ProcessEnd) => void;
}

/** A running bootstrap. */
export class RuntimeProcess {
  /** The guard's, whose first child the bootstrap is; where there is no guard, the bootstrap's own. */
  #pid: number | undefined;
  readonly #isGuarded: boolean;
  #runtimePid: number | undefined;
  #peakBytes = 0;
  #memoryTimer: Timer | undefined;

  /** Starts it; a bootstrap that cannot be started is told by `onEnd`, as any other end is. */
  constructor(options: RuntimeProcessOptions) {
    const { command, memoryBytesMax } = options;
    const guard = guarded(command);
    this.#isGuarded = guard !== undefined;
    let logDrained: Promise<unknown> = Promise.resolve();
    const onExit = async (end: ProcessEnd) => {
      clearInterval(this.#memoryTimer);
      // With a guard nothing is left by now.
      if (!this.#isGuarded) this.signal("SIGKILL");
      // The number may be another process's soon.
      this.#pid = undefined;
      await Promise.race([logDrained, Bun.sleep(LOG_DRAIN_MS)]);
      options.onEnd(end);
    };
    try {
      const child = Bun.spawn({
        ...(guard ?? { cmd: [...command] }),
        cwd: options.directory,
        env: options.environment,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        // Not of the terminal's group: what ends the tool must find the guard alive.
        detached: true,
        onExit: (_process, status, signal) =>
          void onExit(processEnd(command, status, signal, this.#isGuarded)),
      });
      this.#pid = child.pid;
      logDrained = Promise.all([
        drainLog(child.stdout, options.onLog),
        drainLog(child.stderr, options.onLog),
      ]);
    } catch (error) {
      const end = notStarted(command, error);
      queueMicrotask(() => options.onEnd(end));
      return;
    }
    if (memoryBytesMax !== undefined) {
      this.#memoryTimer = setInterval(() => this.#watchMemory(memoryBytesMax), MEMORY_WATCH_MS);
    }
  }

  /** The bootstrap's process; nothing before it has been started or after it has gone. */
  get pid(): number | undefined {
    if (this.#pid === undefined) return undefined;
    this.#runtimePid ??= this.#isGuarded ? childrenOf(this.#pid)[0] : this.#pid;
    return this.#runtimePid;
  }

  /** Sends a signal to the bootstrap's group; no effect when it has gone. */
  signal(signal: NodeJS.Signals): void {
    if (this.pid !== undefined) sendSignal(-this.pid, signal);
  }

  /** Kills it and everything that it has started, in whatever group and session. */
  kill(): void {
    if (this.#pid === undefined) return;
    this.#takePeak();
    if (this.#isGuarded) return endGuarded(this.#pid);
    // Looked up first: the children of the dead have other parents.
    const below = processTree(this.#pid).slice(1);
    this.signal("SIGKILL");
    for (const { pid } of below) sendSignal(pid, "SIGKILL");
  }

  /** Most memory that the bootstrap has had until now, in bytes. */
  peakBytes(): number {
    this.#takePeak();
    return this.#peakBytes;
  }

  /** What a handler runs now, without the shells that wait for it: `command (pid N), child of handler`. */
  descendants(): readonly string[] {
    const { pid: runtimePid } = this;
    if (runtimePid === undefined) return [];
    const [, ...below] = processTree(runtimePid);
    const parents = new Set(below.map(({ parentPid }) => parentPid));
    const commands = new Map(below.map(({ pid, command }) => [pid, command]));
    // A fork that has outlived its parent, as the one that waits for our shell's end, is not a handler.
    const forked = new Set(below.filter(({ pid }) => parents.has(pid)).map((each) => each.command));
    return below
      .filter(({ pid }) => !parents.has(pid))
      .filter(({ parentPid, command }) => parentPid !== runtimePid || !forked.has(command))
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
    if (this.#pid === undefined) return;
    const bytes = treeResidentBytes(this.#pid);
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

/** Bun names the signal, whatever its types say; a number is one that has no name. */
function processEnd(
  command: readonly string[],
  status: number | null,
  signal: number | string | null,
  isGuarded: boolean,
): ProcessEnd {
  if (typeof signal === "string") return { kind: "signalled", signal };
  if (typeof signal !== "number") return { kind: "exited", status: status ?? 0 };
  const errno = isGuarded ? startErrno(signal) : undefined;
  if (errno === undefined) return { kind: "signalled", signal: `signal ${signal}` };
  const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0];
  return notStarted(command, { code: code ?? "" });
}

function notStarted([program = ""]: readonly string[], error: unknown): ProcessEnd {
  const isCoded = typeof error === "object" && error !== null && "code" in error;
  const code = isCoded ? String(error.code) : "";
  const reason = startFailure(program, code, error);
  return { kind: "not-started", program, reason, isOfFile: FILE_FAULTS.test(code) };
}

const FILE_FAULTS = /^(?:EACCES|ELOOP|EMLINK|ENOENT|ENOEXEC|ENOTDIR)$/;

/** Why a program was not executed, in the words of Lambda's supervisor. */
function startFailure(program: string, code: string, error: unknown): string {
  if (code === "ENOENT" && !existsSync(program)) {
    return `Couldn't find valid bootstrap(s): [${program}]`;
  }
  return `fork/exec ${program}: ${START_FAILURES[code] ?? (code || String(error))}`;
}

const START_FAILURES: Readonly<Record<string, string>> = {
  E2BIG: "argument list too long",
  EACCES: "permission denied",
  // The guard's last signal stands for every errno that has none of its own, as for a link to itself.
  EMLINK: "not a file that can be executed",
  // The file is there: what its #! line or its ELF header names is not.
  ENOENT: "no such file or directory",
  ENOEXEC: "exec format error",
  ENOTDIR: "not a directory",
  ETXTBSY: "text file busy",
};

/**
 * A runtime that somebody else starts, in a debugger for instance. It stands for the process, and
 * ends when the environment must end.
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

/** One process. */
interface ProcessInfo {
  readonly pid: number;
  readonly parentPid: number;
  /** Command line, spaces between the arguments. */
  readonly command: string;
  /** Resident memory, in bytes. */
  readonly residentBytes: number;
}

/** Processes that are looked at, at most; a fork bomb must not stop the host. */
const PROCESSES_MAX = 4096;

/** Kernel's page size on every Linux that Lambda or this host runs on, in bytes. */
const PAGE_BYTES = 4096;

/** A process and everything below it, parents first; empty where there is no /proc. */
export function processTree(rootPid: number): readonly ProcessInfo[] {
  const tree: ProcessInfo[] = [];
  const waiting = [{ pid: rootPid, parentPid: 0 }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { pid, parentPid } = next;
    const pages = Number(readProc(`${pid}/statm`).split(" ")[1] ?? 0);
    const command = readProc(`${pid}/cmdline`).replaceAll("\0", " ").trim();
    if (command !== "" || tree.length === 0) {
      tree.push({ pid, parentPid, command, residentBytes: pages * PAGE_BYTES });
    }
    if (tree.length >= PROCESSES_MAX) break;
    for (const child of childrenOf(pid)) waiting.push({ pid: child, parentPid: pid });
  }
  return tree;
}

/** Resident memory of a process and everything below it, in bytes. */
function treeResidentBytes(rootPid: number): number {
  return processTree(rootPid).reduce((sum, { residentBytes }) => sum + residentBytes, 0);
}

/** Largest resident memory that one process has had, in bytes; 0 when it has gone. */
function peakResidentBytes(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`));
  return Number(line?.[1] ?? 0) * 1024;
}

/**
 * Children of a process, those of its main thread first, each thread's in the order in which they were started. The
 * kernel lists them by the thread that has started them, which in Java, Go and Python may be any.
 */
function childrenOf(pid: number): readonly number[] {
  return threadsOf(pid)
    .flatMap((thread) => readProc(`${pid}/task/${thread}/children`).split(" "))
    .filter((word) => word !== "")
    .map(Number);
}

/** Ids of a process's threads, the main one's first; none when the process has gone. */
function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** A file of /proc, empty when the process has gone. */
function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return "";
  }
}
