/**
 * One execution environment: a Runtime API port, the extensions and the bootstrap that talk to it, and
 * their clocks.
 *
 * It starts once, serves events one after another, and ends once: by itself, or killed with
 * everything it started. Whatever happens, each invocation that was delivered to it is settled.
 * @module
 */

import { basename } from "node:path";

import type { PendingInvocation } from "../invocation/invocation.ts";
import type { InvocationReport } from "../invocation/outcome.ts";
import {
  errorOutcome,
  extensionError,
  type ExtensionFailure,
  type PlatformError,
  type ProcessEnd,
  processEndError,
  type StartFailure,
  timeoutError,
} from "../invocation/platform-error.ts";
import { BYTES_PER_MB, functionArn, type FunctionSettings } from "../invocation/settings.ts";
import { ExtensionProcesses, extensionPrograms, type ShutdownReason } from "./extensions.ts";
import { EnvironmentLog, type LogSink } from "./log.ts";
import { platformRoutes } from "./platform-endpoints.ts";
import { AttachedRuntime, LOG_DRAIN_MS, RuntimeProcess } from "./process.ts";
import { RunningEvents } from "./running-events.ts";
import { RuntimeApiServer } from "./runtime-api-server.ts";
import { functionEnvironment, initializationType } from "./variables.ts";

/**
 * Lambda's time from SIGTERM to SIGKILL, in milliseconds; without extensions there is none.
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
 */
const SHUTDOWN_MS = { internal: 500, external: 2_000 } as const;

/** Longest time from the restore of a snapshot to the first `/next`, in milliseconds. */
const RESTORE_MS = 10_000;

/** How long a killed environment's port refuses late responses before it closes, in milliseconds. */
const LATE_RESPONSE_MS = 2_000;

/** How long the loops of a runtime may come one after the other, in milliseconds. */
const LOOPS_MS = 1_000;

/** What the pool wants to know of an environment. */
export interface EnvironmentListener<Environment> {
  /** Waits for its first event. */
  onStarted(environment: Environment): void;
  /** Waits for an event now. */
  onReady(environment: Environment): void;
  /** Is restored from its snapshot from now on. */
  onRestore(environment: Environment): void;
  /** Has ended, in its init phase or later; it is of no more use. */
  onEnd(environment: Environment, end: ProcessEnd, failure?: StartFailure): void;
  /** An event is over. */
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
  readonly #events: RunningEvents;
  readonly #startedAtMs = performance.now();
  readonly #ended = Promise.withResolvers<void>();
  #phase: Phase = "starting";
  #process: RuntimeProcess | AttachedRuntime | undefined;
  #extensions: ExtensionProcesses | undefined;
  #variables: Readonly<Record<string, string>> = {};
  /** Events of which the runtime has done its part. */
  readonly #asked = new Set<PendingInvocation>();
  #limit: Timer | undefined;
  #initMs: number | undefined;
  #servingAtMs = 0;
  #restoredAtMs: number | undefined;
  #restoreMs: number | undefined;
  #failure: StartFailure | undefined;
  #timedOut = false;
  #stopping: Promise<void> | undefined;
  #runtimeEnded = false;

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
    this.#events = new RunningEvents({
      measure: () => this.#measure(),
      logSettled: () => this.#log.settled(),
      onTimeout: (invocation) => this.#onTimeout(invocation),
      onOver: (invocation, report, status) => listener.onOutcome(invocation, report, status),
      onSettled: () => this.#proceed(),
    });
    this.#api = new RuntimeApiServer(
      {
        onNext: (finished) => this.#onNext(finished),
        onPosted: (invocation, result) => void this.#events.post(invocation, result),
        onInitError: (error) => this.#onStartError(error),
        onSnapshot: () => this.#onSnapshot(),
        onRestoreError: (error) => this.#onStartError(error),
      },
      {
        concurrency: settings.concurrency,
        readError: settings.readError,
        snapStart: settings.snapStart,
        routes: platformRoutes(settings),
      },
    );
    this.#api.extensions.registeredFunction = {
      functionName: settings.name,
      functionVersion: settings.version,
      handler: settings.handler,
      accountId: settings.accountId,
    };
    this.#api.extensions.listener = {
      onRegistered: () => this.#startRuntime(),
      onIdle: () => this.#proceed(),
      onFailure: (failure) => this.#onExtensionFailure(failure),
    };
  }

  /** Fulfilled when the processes have gone and everything they left is cleaned up. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** True when it waits for an event. */
  get ready(): boolean {
    // The log of one event must not be that of another; with several at a time it is all the same.
    const isSettling = this.#events.settling && this.#settings.concurrency === 1;
    const isIdle = this.#api.ready && this.#api.extensions.idle;
    return this.#phase === "serving" && isIdle && !isSettling;
  }

  get busy(): boolean {
    return this.#events.size > 0;
  }

  /**
   * Events that it can take now or in a moment. The loops of a runtime come one after the other, and
   * need not be as many as it was told.
   */
  get capacity(): number {
    if (this.#phase === "starting") return this.#settings.concurrency;
    if (this.#phase !== "serving") return 0;
    const isYoung = performance.now() - this.#servingAtMs < LOOPS_MS;
    return this.#api.free + (isYoung ? this.#api.unseen : 0);
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Events to which it has responded. */
  get served(): number {
    return this.#events.over;
  }

  get initializationType(): string {
    return initializationType(this.#settings);
  }

  /** Time from start to the first `/next` or to the snapshot, in milliseconds, once that has come. */
  get initMs(): number | undefined {
    return this.#initMs;
  }

  /** Time from the snapshot's restore to the first `/next`, in milliseconds, where there is one. */
  get restoreMs(): number | undefined {
    return this.#restoreMs;
  }

  /** Starts the bootstrap; a bootstrap that cannot be started is an end like any other. */
  async start(): Promise<void> {
    const { attachedPort, initTimeoutMs, layers, directory } = this.#settings;
    const address = await this.#api.listen(attachedPort);
    if (this.#phase !== "starting") return this.#finish({ kind: "exited", status: 0 });
    if (attachedPort === undefined) this.#limitStart("Init", initTimeoutMs);
    const programs = extensionPrograms(layers);
    this.#api.extensions.expected = programs.map((program) => basename(program));
    this.#variables = functionEnvironment(this.#settings, address, this.index);
    this.#extensions = new ExtensionProcesses({
      programs,
      directory,
      environment: this.#variables,
      onLog: (chunk) => this.#log.take(chunk),
      onCrash: (failure) => this.#onExtensionFailure(failure),
    });
    this.#startRuntime();
  }

  /** Starts the runtime once the extensions have registered, as Lambda does. */
  #startRuntime(): void {
    const isWanted = this.#phase === "starting" && this.#process === undefined;
    if (!isWanted || !this.#api.extensions.complete) return;
    const { attachedPort, command, directory, memoryEnforced, memoryMb } = this.#settings;
    const onEnd = (end: ProcessEnd) => void this.#onRuntimeEnd(end);
    if (attachedPort !== undefined) {
      this.#process = new AttachedRuntime(onEnd);
      return;
    }
    this.#process = new RuntimeProcess({
      command,
      directory,
      environment: this.#variables,
      ...(memoryEnforced ? { memoryBytesMax: memoryMb * BYTES_PER_MB } : {}),
      onLog: (chunk) => this.#log.take(chunk),
      onEnd,
    });
  }

  /** Gives an event to the runtime; false when it does not wait for one after all. */
  deliver(invocation: PendingInvocation): boolean {
    const { timeoutMs, managedInstances } = this.#settings;
    const arn = functionArn(this.#settings, invocation.request.qualifier);
    const deadlineMs = Date.now() + timeoutMs;
    const headers = invocation.headers(deadlineMs, arn);
    if (!this.ready || !this.#api.deliver(invocation, headers)) return false;
    if (!this.busy) this.#log.begin();
    this.#events.begin(invocation, timeoutMs);
    // With many events at a time, extensions hear of the end only.
    if (!managedInstances) this.#api.extensions.publishInvoke(invocation, deadlineMs, arn);
    return true;
  }

  /** Ends it as Lambda does: at once, or with SIGTERM and some time when there are extensions. */
  async stop(reason: ShutdownReason = "spindown"): Promise<void> {
    if (this.#phase === "ended") return;
    this.#stopping ??= this.#stop(reason);
    await this.#stopping;
  }

  async #stop(reason: ShutdownReason): Promise<void> {
    this.#phase = "ending";
    const limitMs = this.#tellOfEnd(reason);
    if (limitMs > 0) {
      this.#process?.signal("SIGTERM");
      const gone = Promise.withResolvers<void>();
      const timer = setTimeout(gone.resolve, limitMs);
      await Promise.race([this.ended, gone.promise]);
      clearTimeout(timer);
    }
    this.kill();
    await this.ended;
  }

  /** Tells the extensions of the end, and returns how long it may take, in milliseconds. */
  #tellOfEnd(shutdownReason: ShutdownReason): number {
    const { size, expected } = this.#api.extensions;
    this.#extensions?.expectEnd();
    if (size === 0) return 0;
    const limitMs = expected.length > 0 ? SHUTDOWN_MS.external : SHUTDOWN_MS.internal;
    const deadlineMs = Date.now() + limitMs;
    this.#api.extensions.publish({ eventType: "SHUTDOWN", deadlineMs, shutdownReason });
    return limitMs;
  }

  /** Kills the processes and everything that they started. */
  kill(): void {
    if (this.#phase === "ended") return;
    this.#phase = "ending";
    this.#extensions?.kill();
    if (this.#process !== undefined) this.#process.kill();
    // One that has no port yet is ended by its start.
    else if (this.#extensions !== undefined) void this.#onRuntimeEnd({ kind: "exited", status: 0 });
  }

  /** A start that takes longer is ended. */
  #limitStart(phase: "Init" | "Restore", limitMs: number): void {
    clearTimeout(this.#limit);
    this.#limit = setTimeout(() => {
      this.#failure ??= { kind: "timed-out", phase, limitMs };
      this.kill();
    }, limitMs);
  }

  #onNext(finished: PendingInvocation | undefined): void {
    this.#events.tell();
    if (finished !== undefined) this.#asked.add(finished);
    this.#proceed();
  }

  /** Goes on once the runtime and all extensions wait. */
  #proceed(): void {
    if (!this.#api.extensions.idle) return;
    this.#events.finish(this.#asked);
    this.#asked.clear();
    if (this.#phase === "starting" && this.#api.ready) this.#beginService();
    if (this.ready) this.#listener.onReady(this);
  }

  #beginService(): void {
    clearTimeout(this.#limit);
    this.#phase = "serving";
    this.#servingAtMs = performance.now();
    if (this.#restoredAtMs === undefined) this.#initMs = this.#servingAtMs - this.#startedAtMs;
    else this.#restoreMs = this.#servingAtMs - this.#restoredAtMs;
    this.#listener.onStarted(this);
  }

  /** Nothing is gained by a wait: what is restored is what has been started. */
  #onSnapshot(): void {
    if (this.#phase !== "starting") return;
    this.#restoredAtMs = performance.now();
    this.#initMs = this.#restoredAtMs - this.#startedAtMs;
    this.#limitStart("Restore", RESTORE_MS);
    this.#listener.onRestore(this);
    this.#api.restore();
  }

  #onStartError(error: PlatformError): void {
    this.#failure ??= { kind: "reported", error };
    // Our own process ends by itself when it cannot begin.
    const isOthers = this.#settings.attachedPort !== undefined;
    if (isOthers || this.#restoredAtMs !== undefined) setTimeout(() => this.kill(), LOG_DRAIN_MS);
  }

  #onExtensionFailure(failure: ExtensionFailure): void {
    if (this.#phase === "ending" || this.#phase === "ended") return;
    this.#failure ??= failure;
    this.#events.failAll(({ requestId }) =>
      errorOutcome("exit", extensionError(requestId, failure)),
    );
    void this.stop("failure");
  }

  #onTimeout(invocation: PendingInvocation): void {
    const { timeoutMs, managedInstances } = this.#settings;
    const error = timeoutError(invocation.requestId, timeoutMs);
    if (managedInstances) {
      this.#events.fail(invocation, errorOutcome("timeout", error));
      return this.#api.expire(invocation);
    }
    const stillRunning = this.#process?.descendants() ?? [];
    this.#events.fail(invocation, errorOutcome("timeout", error, stillRunning));
    this.#timedOut = true;
    this.#api.terminate();
    void this.stop("timeout");
  }

  async #onRuntimeEnd(end: ProcessEnd): Promise<void> {
    if (this.#runtimeEnded) return;
    this.#runtimeEnded = true;
    clearTimeout(this.#limit);
    this.#events.failAll(({ requestId }) => errorOutcome("exit", processEndError(requestId, end)));
    this.#events.tell(end);
    if (this.#phase !== "ending") {
      this.#phase = "ending";
      const limitMs = this.#tellOfEnd("failure");
      setTimeout(() => this.#extensions?.kill(), limitMs);
    }
    await this.#extensions?.gone;
    this.#finish(end);
  }

  #finish(end: ProcessEnd): void {
    this.#phase = "ended";
    // A runtime that attaches again finds the same port.
    const free = this.#settings.attachedPort !== undefined;
    this.#api.closeAfter(this.#timedOut && !free ? LATE_RESPONSE_MS : 0);
    this.#ended.resolve();
    const failure = this.#failure ?? { kind: "ended", end };
    this.#listener.onEnd(this, end, this.#servingAtMs === 0 ? failure : undefined);
  }

  #measure() {
    return {
      initMs: this.#restoredAtMs === undefined ? this.#initMs : undefined,
      memorySizeMb: this.#settings.memoryMb,
      environment: this.index,
      log: this.#log.bytes(),
      peakBytes: () => this.#process?.peakBytes() ?? 0,
    };
  }
}
