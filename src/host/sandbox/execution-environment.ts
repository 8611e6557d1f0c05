/**
 * One execution environment: a Runtime API port, the bootstrap that talks to it, and its clocks.
 *
 * It starts once, serves events one after another, and ends once: by itself, or killed with
 * everything it started. Whatever happens, each invocation that was delivered to it is settled.
 * @module
 */

import { invocationReport, type PendingInvocation } from "../invocation/invocation.ts";
import type {
  InvocationReport,
  StreamEnd,
  UnreportedError,
  UnreportedOutcome,
} from "../invocation/outcome.ts";
import {
  errorOutcome,
  type PlatformError,
  type ProcessEnd,
  processEndError,
  type StartFailure,
  timeoutError,
} from "../invocation/platform-error.ts";
import { functionArn, type FunctionSettings } from "../invocation/settings.ts";
import { EnvironmentLog, type LogSink } from "./log.ts";
import {
  BrokenResponses,
  type PostedResult,
  type PostedStream,
  resultOutcome,
  type StreamedResult,
} from "./posted-result.ts";
import { AttachedRuntime, LOG_DRAIN_MS, RuntimeProcess } from "./process.ts";
import { RuntimeApiServer } from "./runtime-api-server.ts";
import { functionEnvironment } from "./variables.ts";

/** Lambda's time from SIGTERM to SIGKILL with an internal extension, in milliseconds. */
const TERMINATION_MS = 500;

/** How long a killed environment's port refuses late answers before it closes, in milliseconds. */
const LATE_RESPONSE_MS = 2_000;

const BYTES_PER_MB = 1024 * 1024;

/** What the pool wants to know of an environment. */
export interface EnvironmentListener<Environment> {
  /** Waits for an event now. */
  onReady(environment: Environment): void;
  /** Has ended, in its init phase or later; it is of no more use. */
  onEnd(environment: Environment, end: ProcessEnd, failure?: StartFailure): void;
  onOutcome(invocation: PendingInvocation, report: InvocationReport, origin: string): void;
}

type Phase = "starting" | "serving" | "ending" | "ended";

/** One bootstrap with its Runtime API. */
export class ExecutionEnvironment {
  readonly index: number;
  readonly #settings: FunctionSettings;
  readonly #listener: EnvironmentListener<ExecutionEnvironment>;
  readonly #log: EnvironmentLog;
  readonly #api: RuntimeApiServer;
  readonly #startedAtMs = performance.now();
  readonly #deadlines = new Map<PendingInvocation, Timer>();
  /** Responses that are still written. */
  readonly #streams = new Map<PendingInvocation, PostedStream>();
  readonly #broken = new BrokenResponses();
  readonly #ended = Promise.withResolvers<void>();
  #phase: Phase = "starting";
  #process: RuntimeProcess | AttachedRuntime | undefined;
  #initTimer: Timer | undefined;
  #initMs: number | undefined;
  #served = 0;
  #initError: PlatformError | undefined;
  #initTimedOut = false;
  #timedOut = false;

  constructor(
    settings: FunctionSettings,
    index: number,
    listener: EnvironmentListener<ExecutionEnvironment>,
    sink: LogSink,
  ) {
    this.#settings = settings;
    this.index = index;
    this.#listener = listener;
    this.#log = new EnvironmentLog(index, sink);
    this.#api = new RuntimeApiServer(
      {
        onNext: () => this.#onNext(),
        onPosted: (invocation, result) => this.#onPosted(invocation, result),
        onInitError: (error) => {
          this.#initError = error;
          // A process of ours ends by itself then.
          if (settings.attachedPort !== undefined) setTimeout(() => this.kill(), LOG_DRAIN_MS);
        },
      },
      settings.concurrency,
      settings.readError,
    );
    this.#api.extensions.registeredFunction = {
      functionName: settings.name,
      functionVersion: settings.version,
      handler: settings.handler,
    };
  }

  /** Fulfilled when the process has gone and everything it left is cleaned up. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** True when it waits for an event. */
  get ready(): boolean {
    return this.#phase === "serving" && this.#api.ready;
  }

  get busy(): boolean {
    return this.#deadlines.size > 0;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Events that it has answered. */
  get served(): number {
    return this.#served;
  }

  /** Time from start to the first `/next`, in milliseconds, once that has come. */
  get initMs(): number | undefined {
    return this.#initMs;
  }

  /** Starts the bootstrap; a bootstrap that cannot be started is an end like any other. */
  async start(): Promise<void> {
    const address = await this.#api.listen(this.#settings.attachedPort);
    if (this.#phase !== "starting") return void this.#finish({ kind: "exited", status: 0 });
    if (this.#settings.attachedPort !== undefined) {
      this.#process = new AttachedRuntime((end) => this.#finish(end));
      return;
    }
    const { command, directory, initTimeoutMs, memoryEnforced, memoryMb } = this.#settings;
    this.#process = new RuntimeProcess({
      command,
      directory,
      environment: functionEnvironment(this.#settings, address, this.index),
      ...(memoryEnforced ? { memoryBytesMax: memoryMb * BYTES_PER_MB } : {}),
      onLog: (chunk) => this.#log.take(chunk),
      onEnd: (end) => this.#finish(end),
    });
    this.#initTimer = setTimeout(() => {
      this.#initTimedOut = true;
      this.kill();
    }, initTimeoutMs);
  }

  /** Gives an event to the runtime; false when it does not wait for one after all. */
  deliver(invocation: PendingInvocation): boolean {
    const { timeoutMs } = this.#settings;
    const arn = functionArn(this.#settings, invocation.request.qualifier);
    const deadlineMs = Date.now() + timeoutMs;
    const headers = invocation.headers(deadlineMs, arn);
    if (!this.ready || !this.#api.deliver(invocation, headers)) return false;
    if (!this.busy) this.#log.begin();
    invocation.deliveredAtMs = performance.now();
    const timer = setTimeout(() => this.#onTimeout(invocation), timeoutMs);
    this.#deadlines.set(invocation, timer);
    this.#api.extensions.publishInvoke(invocation, deadlineMs, arn);
    return true;
  }

  /** Ends it as Lambda does: at once, or with SIGTERM and half a second when an extension asked. */
  async stop(): Promise<void> {
    if (this.#phase === "ended") return;
    const registered = this.#api.extensions.size > 0;
    this.#phase = "ending";
    if (registered) {
      const deadlineMs = Date.now() + TERMINATION_MS;
      this.#api.extensions.publish({
        eventType: "SHUTDOWN",
        deadlineMs,
        shutdownReason: "spindown",
      });
      this.#process?.signal("SIGTERM");
      await Promise.race([this.ended, Bun.sleep(TERMINATION_MS)]);
    }
    this.kill();
    await this.ended;
  }

  /** Kills the process and everything that it started. */
  kill(): void {
    if (this.#phase === "ended") return;
    this.#phase = "ending";
    this.#process?.kill();
  }

  #onNext(): void {
    if (this.#phase === "starting") {
      this.#phase = "serving";
      this.#initMs = performance.now() - this.#startedAtMs;
      clearTimeout(this.#initTimer);
    }
    this.#broken.tell();
    // An invocation ends when the runtime asks for the next one.
    for (const [invocation, timer] of this.#deadlines) {
      if (invocation.postedAtMs === 0 || this.#settings.concurrency > 1) continue;
      clearTimeout(timer);
      this.#deadlines.delete(invocation);
    }
    if (this.#phase === "serving") this.#listener.onReady(this);
  }

  async #onPosted(invocation: PendingInvocation, result: PostedResult): Promise<void> {
    if (result.kind === "stream") return this.#onStream(invocation, result);
    const { requestId } = invocation;
    const outcome =
      result.kind === "truncated" ? this.#broken.cause(requestId) : resultOutcome(result);
    await this.#onWhole(invocation);
    this.#settle(invocation, await outcome);
  }

  /** Its caller has the response as it comes; the invocation goes on until the last byte. */
  async #onStream(invocation: PendingInvocation, result: StreamedResult): Promise<void> {
    const { stream, contentType } = result;
    const { promise: end, resolve } = Promise.withResolvers<StreamEnd>();
    this.#streams.set(invocation, stream);
    invocation.settle({ kind: "stream", chunks: stream, end, contentType });
    const bytes = await stream.end;
    this.#streams.delete(invocation);
    const outcome = bytes.kind === "truncated" ? this.#broken.cause(invocation.requestId) : bytes;
    await this.#onWhole(invocation);
    const known = await outcome;
    const report = this.#report(invocation);
    resolve({ ...known, report });
    const status = known.kind === "complete" ? "success" : known.origin;
    this.#listener.onOutcome(invocation, report, status);
  }

  /** The last byte of an answer has come; the log that belongs to it may trail behind. */
  async #onWhole(invocation: PendingInvocation): Promise<void> {
    if (this.#settings.concurrency > 1) {
      clearTimeout(this.#deadlines.get(invocation));
      this.#deadlines.delete(invocation);
    }
    invocation.postedAtMs = performance.now();
    // Until the runtime is told, it asks for no other event: the log up to then is this one's.
    if (invocation.request.logTail === true) await this.#log.settled();
  }

  #onTimeout(invocation: PendingInvocation): void {
    const stillRunning = this.#process?.descendants() ?? [];
    const { timeoutMs } = this.#settings;
    if (invocation.postedAtMs === 0) {
      const error = timeoutError(invocation.requestId, timeoutMs);
      this.#fail(invocation, errorOutcome("timeout", error, stillRunning));
    }
    this.#timedOut = true;
    this.#api.terminate();
    void this.stop();
  }

  /** Ends an invocation that has no whole answer. */
  #fail(invocation: PendingInvocation, error: UnreportedError): void {
    const stream = this.#streams.get(invocation);
    if (stream === undefined) this.#settle(invocation, error);
    else stream.fail(error);
  }

  #finish(end: ProcessEnd): void {
    const starting = this.#initMs === undefined;
    this.#phase = "ended";
    clearTimeout(this.#initTimer);
    for (const [invocation, timer] of this.#deadlines) {
      clearTimeout(timer);
      if (invocation.postedAtMs > 0) continue;
      this.#fail(invocation, errorOutcome("exit", processEndError(invocation.requestId, end)));
    }
    this.#broken.tell(end);
    this.#deadlines.clear();
    // A runtime that attaches again finds the same port.
    const free = this.#settings.attachedPort !== undefined;
    this.#api.closeAfter(this.#timedOut && !free ? LATE_RESPONSE_MS : 0);
    this.#ended.resolve();
    this.#listener.onEnd(this, end, starting ? this.#startFailure(end) : undefined);
  }

  #startFailure(end: ProcessEnd): StartFailure {
    if (this.#initError !== undefined) return { kind: "reported", error: this.#initError };
    return this.#initTimedOut ? { kind: "timed-out" } : { kind: "ended", end };
  }

  #settle(invocation: PendingInvocation, outcome: UnreportedOutcome): void {
    if (invocation.settled) return;
    const report = this.#report(invocation);
    invocation.settle({ ...outcome, report });
    const status = outcome.kind === "function-error" ? outcome.origin : "success";
    this.#listener.onOutcome(invocation, report, status);
  }

  #report(invocation: PendingInvocation): InvocationReport {
    const first = this.#served === 0;
    const runtime = this.#process;
    this.#served += 1;
    const known = {
      initDurationMs: first ? this.#initMs : undefined,
      memorySizeMb: this.#settings.memoryMb,
      environment: this.index,
      log: this.#log.bytes(),
    };
    return invocationReport(invocation, known, () => runtime?.peakBytes() ?? 0);
  }
}
