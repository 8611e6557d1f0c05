/**
 * Starts the compiled `bootstrap` as Lambda does: in a process group of its own, with Lambda's
 * environment and nothing else, standard input empty.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { localArchitecture, type MachineArchitecture } from "../program.ts";

/** Where the executables are: dist/, or another folder such as an unpacked release. */
const DIST = process.env["BOOTSTRAP_DIST"] ?? join(import.meta.dir, "../../dist");

/**
 * The path of a compiled bootstrap, of this machine's architecture unless another one is given.
 * @throws {Error} When it has not been compiled: a test without it would prove nothing.
 */
export function bootstrapExecutable(architecture = localArchitecture()): string {
  const path = join(DIST, `bootstrap-${architecture}`);
  if (!existsSync(path)) throw new Error(`failed to find ${path}: run "make bootstrap" first`);
  return path;
}

/** Those that a test which ran out of time has left running end with the test process. */
const running = new Set<number>();
process.on("exit", () => {
  for (const pid of running) killGroup(pid);
});

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The whole group is gone already.
  }
}

/** What a bootstrap is started with. */
export interface BootstrapOptions {
  /** AWS_LAMBDA_RUNTIME_API. */
  readonly api: string;
  /** LAMBDA_TASK_ROOT, and the working directory. */
  readonly taskRoot: string;
  /** _HANDLER. */
  readonly handler: string;
  /** Adds to Lambda's variables, replaces them, or (null) leaves one out. */
  readonly env?: Readonly<Record<string, string | null>>;
  /** Program and arguments that run the executable, such as strace or an emulator. */
  readonly wrapper?: readonly string[];
  readonly architecture?: MachineArchitecture;
  /** Its own arguments; none, as on Lambda, unless they are given. */
  readonly args?: readonly string[];
}

/** How a bootstrap ended: its status, or the signal that killed it. */
export interface BootstrapExit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/**
 * The environment that Lambda gives an OS-only runtime, with example values.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
 */
export function lambdaEnvironment(options: BootstrapOptions): Record<string, string> {
  const merged: Record<string, string | null> = {
    AWS_ACCESS_KEY_ID: "test",
    AWS_DEFAULT_REGION: "eu-central-1",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
    AWS_LAMBDA_FUNCTION_NAME: "test",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/test",
    AWS_LAMBDA_LOG_STREAM_NAME: "2026/01/01/[$LATEST]0123456789abcdef",
    AWS_LAMBDA_RUNTIME_API: options.api,
    AWS_REGION: "eu-central-1",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_SESSION_TOKEN: "test",
    AWS_XRAY_CONTEXT_MISSING: "LOG_ERROR",
    AWS_XRAY_DAEMON_ADDRESS: "169.254.100.1:2000",
    LAMBDA_RUNTIME_DIR: "/var/runtime",
    LAMBDA_TASK_ROOT: options.taskRoot,
    LANG: "en_US.UTF-8",
    LD_LIBRARY_PATH:
      "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    PATH: "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    TZ: ":UTC",
    _HANDLER: options.handler,
    ...options.env,
  };
  const present = Object.entries(merged).filter(([, value]) => value !== null);
  return Object.fromEntries(present) as Record<string, string>;
}

/** A running bootstrap; `await using` ends it. */
export class BootstrapProcess implements AsyncDisposable {
  readonly pid: number;
  /** Resolves when the process has ended; some of its output may still be on its way then. */
  readonly exited: Promise<BootstrapExit>;
  /** Resolves when nobody can write into its output any more, and all of it has been read. */
  readonly #closed: Promise<void>;
  /** Whether the process has ended. */
  ended = false;

  readonly #child: ChildProcess;
  readonly #stderr: Buffer[] = [];
  readonly #stdout: Buffer[] = [];
  #watchers: (() => void)[] = [];

  constructor(options: BootstrapOptions) {
    const executable = bootstrapExecutable(options.architecture);
    const command = [...(options.wrapper ?? []), executable, ...(options.args ?? [])];
    const [program = "", ...args] = command;
    this.#child = spawn(program, args, {
      cwd: options.taskRoot,
      env: lambdaEnvironment(options),
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.pid = this.#child.pid ?? 0;
    running.add(this.pid);
    this.#child.stderr?.on("data", (bytes: Buffer) => this.#keep(this.#stderr, bytes));
    this.#child.stdout?.on("data", (bytes: Buffer) => this.#keep(this.#stdout, bytes));
    this.exited = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("exit", (status, signal) => {
        this.ended = true;
        this.#changed();
        resolve({ status, signal });
      });
    });
    this.#closed = new Promise((resolve) => this.#child.on("close", () => resolve()));
  }

  /** The log so far: what the runtime and its handler wrote on standard error. */
  get stderr(): string {
    return Buffer.concat(this.#stderr).toString("utf8");
  }

  /** What was written on standard output so far; also goes to the log in Lambda. */
  get stdout(): string {
    return Buffer.concat(this.#stdout).toString("utf8");
  }

  /** Resolves when the log contains `text`; the test's own time limit bounds it. */
  async logged(text: string): Promise<void> {
    while (!this.stderr.includes(text)) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Sends a signal to the process alone. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it as Lambda does, unless it has ended; resolves when the log has all that was written into it. */
  async end(): Promise<void> {
    this.signal("SIGTERM");
    await this.exited;
    killGroup(this.pid);
    await this.#closed;
  }

  /** Kills the process and everything in its process group. */
  async kill(): Promise<void> {
    killGroup(this.pid);
    await this.exited;
    running.delete(this.pid);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #keep(chunks: Buffer[], bytes: Buffer): void {
    chunks.push(bytes);
    this.#changed();
  }

  #changed(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const wake of watchers) wake();
  }
}
