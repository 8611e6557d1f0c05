/**
 * The engine: one function, its waiting events, and the execution environments that work on them.
 *
 * Every entrance calls {@link FunctionHost.invoke}; everything else here keeps environments alive.
 * An
 * environment that ends is replaced: at once after a while of service, with growing pauses when it
 * fails
 * to start again and again.
 * @module
 */

import { EVENT_BYTES_MAX } from "../runtime-api/contract.ts";
import type { EnvironmentListener, InitFailure } from "./environment-listener.ts";
import { ExecutionEnvironment } from "./execution-environment.ts";
import type { LogSink } from "./function-log.ts";
import type { FunctionSettings } from "./function-settings.ts";
import { InvocationQueue } from "./invocation-queue.ts";
import type { InvocationOutcome, InvocationReport, InvocationRequest } from "./outcome.ts";
import { PendingInvocation } from "./pending-invocation.ts";
import {
  exitError,
  initTimeoutError,
  type PlatformError,
  type ProcessEnd,
} from "./platform-error.ts";

/** First pause before an environment that could not start is started again, in milliseconds. */
const RESTART_PAUSE_MS = 50;

/** Longest such pause, in milliseconds. */
const RESTART_PAUSE_MAX_MS = 5_000;

/** Failed starts in a row after which every waiting event is answered with the failure. */
const START_FAILURES_MAX = 3;

/** Observes the engine, for logs and metrics; every member is optional. */
export interface HostObserver {
  readonly onLog?: LogSink;
  readonly onDelivered?: (invocation: PendingInvocation, environment: number) => void;
  readonly onAnswered?: (report: InvocationReport, status: string) => void;
  readonly onReady?: (environment: ExecutionEnvironment) => void;
  readonly onEnd?: (environment: number, end: ProcessEnd, failed: boolean) => void;
  readonly onRejected?: (reason: string) => void;
}

/** Runs one function. */
export class FunctionHost {
  readonly #observer: HostObserver;
  readonly #queue: InvocationQueue;
  readonly #environments: (ExecutionEnvironment | undefined)[];
  readonly #retired = new Set<ExecutionEnvironment>();
  readonly #restarts = new Map<number, Timer>();
  readonly #inFlight = new Set<PendingInvocation>();
  #settings: FunctionSettings;
  #startFailures = 0;
  #lastFailure: InitFailure | undefined;
  #draining = false;
  #stopped = false;
  #idle = Promise.withResolvers<void>();

  constructor(settings: FunctionSettings, observer: HostObserver = {}) {
    this.#settings = settings;
    this.#observer = observer;
    this.#queue = new InvocationQueue(settings.queueMax, settings.queueTimeoutMs);
    this.#environments = Array.from({ length: settings.environments }, () => undefined);
  }

  get settings(): FunctionSettings {
    return this.#settings;
  }

  get queueLength(): number {
    return this.#queue.length;
  }

  /** Environments by what they do now. */
  get counts(): { readonly starting: number; readonly ready: number; readonly busy: number } {
    const living = this.#environments.filter((each) => each !== undefined);
    return {
      starting: living.filter(({ phase }) => phase === "starting").length,
      ready: living.filter(({ ready }) => ready).length,
      busy: living.filter(({ busy }) => busy).length,
    };
  }

  /** Starts every environment; they become ready on their own. */
  start(): void {
    for (const index of this.#environments.keys()) this.#startEnvironment(index);
  }

  /** Runs one event; the promise is fulfilled exactly once and never rejected. */
  invoke(request: InvocationRequest): Promise<InvocationOutcome> {
    const invocation = new PendingInvocation(request);
    if (this.#draining) {
      invocation.settle({ kind: "rejected", reason: "draining" });
    } else if (request.event.byteLength > EVENT_BYTES_MAX) {
      invocation.settle({ kind: "rejected", reason: "event-too-large" });
    } else if (this.#lastFailure !== undefined && !this.#anyAlive()) {
      // It could not start before: the caller learns why, and the start is tried again.
      this.#settleInitFailure(invocation, this.#lastFailure);
      this.#lastFailure = undefined;
      this.#restartAtOnce();
    } else if (this.#queue.add(invocation)) {
      this.#inFlight.add(invocation);
      this.#dispatch();
      if (!this.#anyAlive()) this.#restartAtOnce();
    }
    void invocation.outcome.then((outcome) => {
      this.#inFlight.delete(invocation);
      if (outcome.kind === "rejected") this.#observer.onRejected?.(outcome.reason);
      if (this.#inFlight.size === 0) this.#idle.resolve();
    });
    return invocation.outcome;
  }

  /** Takes new settings (or the same again) and replaces every environment once it is not busy. */
  reload(settings: FunctionSettings = this.#settings): void {
    this.#settings = settings;
    this.#lastFailure = undefined;
    this.#startFailures = 0;
    for (const [index, environment] of this.#environments.entries()) {
      if (environment !== undefined) this.#retire(environment);
      this.#startEnvironment(index);
    }
  }

  /**
   * Takes no more events and waits for those that it has.
   * @param graceMs Longest wait, in milliseconds; what still waits then is rejected.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    if (this.#inFlight.size > 0) {
      this.#idle = Promise.withResolvers();
      // A timer that is left over would keep the process for the rest of the time.
      const timer = setTimeout(() => this.#idle.resolve(), graceMs);
      await this.#idle.promise;
      clearTimeout(timer);
    }
    this.#queue.rejectAll("draining");
  }

  /** Ends every environment; invocations that are still open are answered. */
  async stop(): Promise<void> {
    this.#draining = true;
    this.#stopped = true;
    for (const timer of this.#restarts.values()) clearTimeout(timer);
    this.#restarts.clear();
    this.#queue.rejectAll("draining");
    const living = this.#environments.filter((each) => each !== undefined);
    await Promise.all([...living, ...this.#retired].map((each) => each.stop()));
  }

  /** Kills every environment without waiting for anything. */
  kill(): void {
    this.#stopped = true;
    for (const environment of [...this.#environments, ...this.#retired]) environment?.kill();
  }

  #anyAlive(): boolean {
    return this.#environments.some(
      (each) => each !== undefined && (each.phase === "starting" || each.phase === "serving"),
    );
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const environment = this.#environments.find((each) => each?.ready === true);
      if (environment === undefined) return;
      const invocation = this.#queue.peek();
      if (invocation === undefined) return;
      // A poll may break in this very moment: the event has not been sent then, and still waits.
      if (!environment.deliver(invocation)) continue;
      this.#queue.remove(invocation);
      this.#observer.onDelivered?.(invocation, environment.index);
    }
  }

  #startEnvironment(index: number): void {
    clearTimeout(this.#restarts.get(index));
    this.#restarts.delete(index);
    if (this.#stopped) return;
    const environment = new ExecutionEnvironment(
      this.#settings,
      index,
      this.#environmentListener,
      (chunk, from) => this.#observer.onLog?.(chunk, from),
    );
    this.#environments[index] = environment;
    void environment.start();
  }

  #restartAtOnce(): void {
    for (const [index, environment] of this.#environments.entries()) {
      if (environment === undefined) this.#startEnvironment(index);
    }
  }

  #retire(environment: ExecutionEnvironment): void {
    this.#environments[environment.index] = undefined;
    this.#retired.add(environment);
    void environment.ended.then(() => this.#retired.delete(environment));
    if (!environment.busy) void environment.stop();
  }

  readonly #environmentListener: EnvironmentListener<ExecutionEnvironment> = {
    onReady: (environment) => {
      if (this.#retired.has(environment)) return void environment.stop();
      this.#startFailures = 0;
      this.#lastFailure = undefined;
      this.#observer.onReady?.(environment);
      this.#dispatch();
    },
    onEnd: (environment, end, failure) => {
      this.#observer.onEnd?.(environment.index, end, failure !== undefined);
      if (this.#environments[environment.index] !== environment) return;
      this.#environments[environment.index] = undefined;
      if (this.#stopped) return;
      if (failure === undefined) return this.#startEnvironment(environment.index);
      this.#onInitFailure(environment.index, failure);
    },
    onAnswered: (_invocation, report, status) => this.#observer.onAnswered?.(report, status),
  };

  #onInitFailure(index: number, failure: InitFailure): void {
    this.#startFailures += 1;
    const pauseMs = Math.min(
      RESTART_PAUSE_MS * 2 ** (this.#startFailures - 1),
      RESTART_PAUSE_MAX_MS,
    );
    this.#restarts.set(
      index,
      setTimeout(() => this.#startEnvironment(index), pauseMs),
    );
    if (this.#anyAlive()) return;
    this.#lastFailure = failure;
    const all = this.#startFailures >= START_FAILURES_MAX;
    for (;;) {
      const invocation = this.#queue.peek();
      if (invocation === undefined || !this.#queue.remove(invocation)) return;
      this.#settleInitFailure(invocation, failure);
      // The failure has reached a caller; the next one sees a fresh start.
      this.#lastFailure = undefined;
      if (!all) return;
    }
  }

  #settleInitFailure(invocation: PendingInvocation, failure: InitFailure): void {
    const report: InvocationReport = {
      requestId: invocation.requestId,
      durationMs: 0,
      initDurationMs: undefined,
      memorySizeMb: this.#settings.memoryMb,
      maxMemoryUsedMb: 0,
      environment: 0,
      log: new Uint8Array(0),
    };
    const error = this.#initFailureError(invocation.requestId, failure);
    invocation.settle({
      kind: "function-error",
      origin: "init",
      ...error,
      stillRunning: [],
      report,
    });
    this.#observer.onAnswered?.(report, "init");
  }

  #initFailureError(requestId: string, failure: InitFailure): PlatformError {
    switch (failure.kind) {
      case "reported": {
        const { body, contentType, errorType } = failure.error;
        return { body, contentType, errorType };
      }
      case "ended":
        return exitError(requestId, failure.end);
      case "timed-out":
        return initTimeoutError(requestId, this.#settings.initTimeoutMs);
    }
  }
}
