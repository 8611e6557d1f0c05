/**
 * The engine: one function, its waiting events, and the execution environments that work on them.
 *
 * Every entrance calls {@link FunctionPool.invoke}; everything else here keeps environments alive.
 * The fewest that are wanted are started as soon as one of them has become ready, so that what cannot
 * start says why once and not with each of them; more when events wait, and those are ended again
 * when they have been idle. One that ends is replaced: at once when it has served an event, with
 * growing pauses when none does again and again.
 * @module
 */

import { EVENT_BYTES_MAX } from "../../runtime-api/contract.ts";
import { PendingInvocation } from "../invocation/invocation.ts";
import type {
  InvocationOutcome,
  InvocationReport,
  InvocationRequest,
} from "../invocation/outcome.ts";
import {
  type ProcessEnd,
  type StartFailure,
  startFailureOutcome,
  startFailureWords,
} from "../invocation/platform-error.ts";
import type { FunctionSettings } from "../invocation/settings.ts";
import {
  type EnvironmentListener,
  ExecutionEnvironment,
} from "../sandbox/execution-environment.ts";
import type { LogSink } from "../sandbox/log.ts";
import { InvocationQueue } from "./invocation-queue.ts";

/** First pause before an environment that has served no event is started again, in milliseconds. */
const RESTART_PAUSE_MS = 50;

/** Longest such pause after a start that was right, in milliseconds. */
const RESTART_PAUSE_MAX_MS = 5_000;

/**
 * Longest pause after a start that has failed, in milliseconds: what it failed for lasts, or is in a file that the
 * start needs besides its own.
 */
const FAILED_PAUSE_MAX_MS = 60_000;

/** How often is looked whether the files of a failed start have changed, which ends its pause, in milliseconds. */
const FILES_LOOK_MS = 250;

/** Errors of a start that only another file, or another name of one, helps against. */
const FILE_ERRORS: ReadonlySet<string> = new Set([
  "Runtime.NoSuchHandler",
  "Runtime.MalformedHandlerName",
  "Runtime.HandlerNotFound",
  // Of the runtime: the handler's interpreter, or a mode.
  "Runtime.InvalidEntrypoint",
  "Runtime.UserCodeSyntaxError",
]);

/** Failed starts in a row after which every waiting event gets the failure. */
const START_FAILURES_MAX = 3;

/** Observes the engine, for logs and metrics; every member is optional. */
export interface PoolObserver {
  readonly onLog?: LogSink;
  readonly onDelivered?: (invocation: PendingInvocation, environment: number) => void;
  readonly onOutcome?: (report: InvocationReport, status: string) => void;
  /** An environment waits for its first event. */
  readonly onStarted?: (environment: ExecutionEnvironment) => void;
  /** An environment is restored from its snapshot from now on. */
  readonly onRestore?: (environment: ExecutionEnvironment) => void;
  /** @param failed When it has ended before it could begin. */
  readonly onEnd?: (environment: number, end: ProcessEnd, failed: FailedStart | undefined) => void;
  readonly onRejected?: (reason: string) => void;
}

/** A start that has failed. */
export interface FailedStart {
  /** Why. */
  readonly words: string;
  /** Whether the next one waits for files to change. */
  readonly awaitsFiles: boolean;
  /** Whether the one before has failed for the same, and no event has come since. */
  readonly isRepeated: boolean;
}

/** What a start depends on in files. */
export interface StartFiles {
  /** A text that changes with them. */
  readonly stamp: string;
  /** Whether the handler's are among them; the bootstrap always is. */
  readonly hasHandler: boolean;
}

/** Runs one function. */
export class FunctionPool {
  readonly #observer: PoolObserver;
  readonly #startFiles: (settings: FunctionSettings) => StartFiles | undefined;
  /** Of the last start. */
  #startedFrom: StartFiles | undefined;
  readonly #queue: InvocationQueue;
  readonly #environments: (ExecutionEnvironment | undefined)[];
  readonly #retired = new Set<ExecutionEnvironment>();
  readonly #restarts = new Map<number, Timer>();
  readonly #idleTimers = new Map<ExecutionEnvironment, Timer>();
  readonly #inFlight = new Set<PendingInvocation>();
  #settings: FunctionSettings;
  /** True when the last start has become ready. */
  #starts = false;
  #startFailures = 0;
  /** Ends in a row of environments that were ready and have served no event. */
  #idleEnds = 0;
  #lastFailure: StartFailure | undefined;
  /** Why the last start has failed; nothing when one has been asked for since. */
  #lastWords: string | undefined;
  readonly #closing = new AbortController();
  #stopped = false;
  #idle = Promise.withResolvers<void>();

  constructor(
    settings: FunctionSettings,
    observer: PoolObserver = {},
    startFiles: (settings: FunctionSettings) => StartFiles | undefined = () => undefined,
  ) {
    this.#settings = settings;
    this.#observer = observer;
    this.#startFiles = startFiles;
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

  /** Events that wait or run. */
  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** Fires when it takes no more events. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** True once it has been told to end for good. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  /** Starts the fewest environments that are wanted; they become ready on their own. */
  start(): void {
    this.#fill();
  }

  /** Runs one event; the promise is fulfilled exactly once and never rejected. */
  invoke(request: InvocationRequest): Promise<InvocationOutcome> {
    const invocation = new PendingInvocation(request);
    if (this.#closing.signal.aborted) {
      invocation.settle({ kind: "rejected", reason: "draining" });
    } else if (request.event.byteLength > EVENT_BYTES_MAX) {
      invocation.settle({ kind: "rejected", reason: "event-too-large" });
    } else if (this.#lastFailure !== undefined && !this.#anyAlive()) {
      // It could not start before: the caller learns why, and the start is tried again.
      this.#settleStartFailure(invocation, this.#lastFailure);
      this.#lastFailure = undefined;
      this.#restartAtOnce();
    } else if (this.#settings.managedInstances && !this.#hasCapacity()) {
      invocation.settle({ kind: "rejected", reason: "queue-full" });
    } else if (this.#queue.add(invocation)) {
      this.#inFlight.add(invocation);
      this.#dispatch();
      if (!this.#anyAlive()) this.#restartAtOnce();
      else this.#fill();
    }
    void this.#follow(invocation);
    return invocation.outcome;
  }

  /** An event is in flight until it is over, which is after its response. */
  async #follow(invocation: PendingInvocation): Promise<void> {
    const outcome = await invocation.outcome;
    if (outcome.kind === "stream") await outcome.end;
    if (invocation.deliveredAtMs > 0) await invocation.over;
    this.#inFlight.delete(invocation);
    if (outcome.kind === "rejected") this.#observer.onRejected?.(outcome.reason);
    if (this.#inFlight.size === 0) this.#idle.resolve();
  }

  /** Takes new settings (or the same again) and replaces every environment once it is not busy. */
  reload(settings: FunctionSettings = this.#settings): void {
    this.#settings = settings;
    this.#lastFailure = undefined;
    this.#starts = false;
    this.#startFailures = 0;
    this.#idleEnds = 0;
    for (const environment of this.#environments) {
      if (environment !== undefined) this.#retire(environment);
    }
    this.#restartAtOnce();
  }

  /**
   * Takes no more events and waits for those that it has.
   * @param graceMs Longest wait, in milliseconds; what still waits then is rejected.
   */
  async drain(graceMs: number): Promise<void> {
    this.#closing.abort();
    if (this.#inFlight.size > 0) {
      this.#idle = Promise.withResolvers();
      // A timer that is left over would keep the process for the rest of the time.
      const timer = setTimeout(() => this.#idle.resolve(), graceMs);
      await this.#idle.promise;
      clearTimeout(timer);
    }
    this.#queue.rejectAll("draining");
  }

  /** Ends every environment; invocations that are still open get an outcome. */
  async stop(): Promise<void> {
    this.#closing.abort();
    this.#stopped = true;
    this.#clearRestarts();
    for (const timer of this.#idleTimers.values()) clearTimeout(timer);
    this.#idleTimers.clear();
    this.#queue.rejectAll("draining");
    const living = this.#environments.filter((each) => each !== undefined);
    await Promise.all([...living, ...this.#retired].map((each) => each.stop()));
  }

  /** Kills every environment without waiting for anything; events that still wait are rejected. */
  kill(): void {
    this.#closing.abort();
    this.#stopped = true;
    for (const environment of [...this.#environments, ...this.#retired]) environment?.kill();
    this.#queue.rejectAll("draining");
  }

  /** Whether somebody will take one more event soon, as on Managed Instances, where none waits. */
  #hasCapacity(): boolean {
    const living = this.#environments.filter((each) => each !== undefined);
    const capacity = living.reduce((sum, each) => sum + each.capacity, 0);
    // One that is not there is started.
    const none = this.#environments.length - living.length;
    return this.#queue.length < capacity + none * this.#settings.concurrency;
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
    this.#startedFrom = this.#startFiles(this.#settings);
    void environment.start();
  }

  /** Starts what is wanted, however often it has failed. */
  #restartAtOnce(): void {
    this.#lastWords = undefined;
    this.#clearRestarts();
    this.#fill();
  }

  #clearRestarts(): void {
    for (const timer of this.#restarts.values()) clearTimeout(timer);
    this.#restarts.clear();
  }

  /** Starts environments until there are as few as wanted, and enough for the events that wait. */
  #fill(): void {
    const { environments, environmentsMin = environments, concurrency } = this.#settings;
    const waiting = Math.ceil(this.#queue.length / concurrency);
    const least = this.#starts ? environmentsMin : Math.min(environmentsMin, 1);
    const tooFew = least - this.#living - this.#restarts.size;
    let wanted = Math.max(tooFew, waiting === 0 ? 0 : waiting - this.counts.starting);
    for (let index = 0; wanted > 0 && index < this.#environments.length; index += 1) {
      if (this.#environments[index] !== undefined || this.#restarts.has(index)) continue;
      this.#startEnvironment(index);
      wanted -= 1;
    }
  }

  get #living(): number {
    return this.#environments.filter((each) => each !== undefined).length;
  }

  /** Ends an environment that nobody has needed for a while, when there are more than wanted. */
  #watchIdle(environment: ExecutionEnvironment): void {
    const { environments, environmentsMin = environments, idleMs } = this.#settings;
    if (environmentsMin === environments) return;
    clearTimeout(this.#idleTimers.get(environment));
    const timer = setTimeout(() => {
      const isIdle = environment.ready && !environment.busy;
      if (isIdle && this.#living > environmentsMin) this.#retire(environment);
    }, idleMs);
    timer.unref();
    this.#idleTimers.set(environment, timer);
  }

  #forgetIdle(environment: ExecutionEnvironment): void {
    clearTimeout(this.#idleTimers.get(environment));
    this.#idleTimers.delete(environment);
  }

  #retire(environment: ExecutionEnvironment): void {
    this.#environments[environment.index] = undefined;
    this.#retired.add(environment);
    this.#forgetIdle(environment);
    void environment.ended.then(() => this.#retired.delete(environment));
    if (!environment.busy) void environment.stop();
  }

  readonly #environmentListener: EnvironmentListener<ExecutionEnvironment> = {
    onStarted: (environment) => this.#observer.onStarted?.(environment),
    onRestore: (environment) => this.#observer.onRestore?.(environment),
    onReady: (environment) => {
      if (this.#retired.has(environment)) return void environment.stop();
      this.#startFailures = 0;
      this.#lastFailure = undefined;
      this.#lastWords = undefined;
      this.#watchIdle(environment);
      this.#dispatch();
      if (!this.#starts) {
        this.#starts = true;
        this.#fill();
      }
    },
    onEnd: (environment, end, failure) => {
      const current = this.#environments[environment.index] === environment;
      // One that we ended while it started has not failed.
      const failed =
        failure !== undefined && current && !this.#stopped ? this.#failedStart(failure) : undefined;
      this.#observer.onEnd?.(environment.index, end, failed);
      if (!current) return;
      this.#environments[environment.index] = undefined;
      this.#forgetIdle(environment);
      if (this.#stopped) return;
      if (failure !== undefined) {
        return this.#onStartFailure(environment.index, failure, failed?.awaitsFiles === true);
      }
      if (environment.served > 0) return this.#fill();
      this.#idleEnds += 1;
      this.#restartLater(environment.index, pauseMs(this.#idleEnds, RESTART_PAUSE_MAX_MS));
    },
    onOutcome: (_invocation, report, status) => {
      this.#idleEnds = 0;
      this.#observer.onOutcome?.(report, status);
    },
  };

  /**
   * Starts an environment again after a pause; an event that finds no other one ends the pause.
   * @param files Of the start before: when they have changed, the pause ends too, but not before the first look at them.
   */
  #restartLater(index: number, waitMs: number, files?: StartFiles, firstLookMs = waitMs): void {
    const untilMs = performance.now() + waitMs;
    const look = () => {
      const leftMs = untilMs - performance.now();
      const isSame = files === undefined || this.#startFiles(this.#settings)?.stamp === files.stamp;
      if (isSame && leftMs > 0) {
        const nextMs = files === undefined ? leftMs : Math.min(leftMs, FILES_LOOK_MS);
        this.#restarts.set(index, setTimeout(look, nextMs));
      } else {
        this.#restarts.delete(index);
        this.#fill();
      }
    };
    this.#restarts.set(index, setTimeout(look, Math.min(waitMs, firstLookMs)));
  }

  /** What is told of a start that has failed. */
  #failedStart(failure: StartFailure): FailedStart {
    const words = startFailureWords(failure);
    const isRepeated = words === this.#lastWords && this.#queue.length === 0;
    this.#lastWords = words;
    return { words, awaitsFiles: this.#awaitsFiles(failure), isRepeated };
  }

  /** Whether a start has failed for a file of its own, and the next one waits for that. */
  #awaitsFiles(failure: StartFailure): boolean {
    if (this.#startedFrom === undefined) return false;
    if (failure.kind === "reported") {
      return this.#startedFrom.hasHandler && FILE_ERRORS.has(failure.error.errorType);
    }
    return failure.kind === "ended" && failure.end.kind === "not-started" && failure.end.isOfFile;
  }

  #onStartFailure(index: number, failure: StartFailure, awaitsFiles: boolean): void {
    this.#starts = false;
    this.#startFailures += 1;
    const waitMs = awaitsFiles
      ? FAILED_PAUSE_MAX_MS
      : pauseMs(this.#startFailures, FAILED_PAUSE_MAX_MS);
    // A script may change itself in each start.
    const firstLookMs = awaitsFiles ? FILES_LOOK_MS : RESTART_PAUSE_MAX_MS;
    this.#restartLater(index, waitMs, this.#startedFrom, firstLookMs);
    if (this.#anyAlive()) return;
    this.#lastFailure = failure;
    const all = awaitsFiles || this.#startFailures >= START_FAILURES_MAX;
    for (;;) {
      const invocation = this.#queue.peek();
      if (invocation === undefined || !this.#queue.remove(invocation)) return;
      this.#settleStartFailure(invocation, failure);
      // The failure has reached a caller; the next one sees a fresh start.
      this.#lastFailure = undefined;
      if (!all) return;
    }
  }

  #settleStartFailure(invocation: PendingInvocation, failure: StartFailure): void {
    const outcome = startFailureOutcome(invocation.requestId, failure, this.#settings.memoryMb);
    invocation.settle(outcome);
    this.#observer.onOutcome?.(outcome.report, "init");
  }
}

/** The pause before a start, in milliseconds: twice as long each time, until it is the longest. */
function pauseMs(endsInARow: number, longestMs: number): number {
  return Math.min(RESTART_PAUSE_MS * 2 ** (endsInARow - 1), longestMs);
}
