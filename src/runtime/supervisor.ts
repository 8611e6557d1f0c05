/**
 * Several events at once (AWS_LAMBDA_MAX_CONCURRENCY): one process for each loop, so that every loop
 * stays as sequential as a single one, and no id can meet another's event.
 *
 * The loops do not depend on each other: when one ends, by whatever cause, its event gets an error,
 * the others go on, and it is started again after a while. Only the first loading is common
 * to all: it shows whether the handler can be loaded, so the other loops start after it. This process
 * handles no events.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
 * @module
 */

import { CONCURRENCY_MAX } from "../runtime-api/contract.ts";
import type { Invocation } from "../runtime-api/invocation.ts";
import { elapsedMs, MS_PER_S } from "./clock.ts";
import { describeEnd } from "./exit-error.ts";
import type { HttpAddress } from "./http-connection.ts";
import { readerOf } from "./http-response-reader.ts";
import { lazy } from "./lazy.ts";
import { close, descriptorsMax, processId, read } from "./libc.ts";
import type { Log } from "./log.ts";
import { LOOP_STATE, LoopBoard } from "./loop-board.ts";
import { loopArguments, loopDescriptors, type SharedConnection } from "./loop.ts";
import { isReadableNow } from "./poll-set.ts";
import type { Poller } from "./poller.ts";
import {
  becomeSubreaper,
  type ExitStatus,
  kill,
  SIGNAL,
  signalDescriptor,
  takeEnded,
  unblockSignals,
} from "./process.ts";
import { RestartDelay, RestartFailures } from "./restart-policy.ts";
import { invocationOf, type RuntimeApiClient } from "./runtime-api-client.ts";
import { connect, peek } from "./socket.ts";
import { spawn } from "./spawn.ts";
import { endAllBelow, endOnTermination, type Terminable } from "./termination.ts";
import { Timer } from "./timer.ts";

/** Most loops that load their handler at the same time: a handler's file may need much memory to load. */
const LOADING_MAX = 64;
/**
 * Loops after the first one may take so many times as long as that to load their handler, since as many may load at
 * the same time, on one processor; and at least so many ms.
 */
const LOADING_FACTOR = LOADING_MAX;
const LOADING_MS_MIN = 10_000;
/** How long a loop may then take to end after SIGTERM, in ms. */
const OVERDUE_MS_MAX = 1000;
/** Room for the head of a response, in bytes: Lambda allows 1 MB of headers. */
const PEEKED_BYTES = 2 * 1024 * 1024;
/** Descriptors that are not used for loops' connections. */
const SPARE_DESCRIPTORS = 64;
/** Signals are read so many at a time; how many there were does not matter. */
const SIGNALS_READ_BYTES = 1024;

/** What the supervisor needs for its loops. */
export interface SupervisorOptions {
  /** How many loops are wanted; no more than Lambda allows are made. */
  readonly count: number;
  /** NUL-terminated `NAME=value` entries, for every loop. */
  readonly environment: readonly Uint8Array[];
  /** The handler's name. */
  readonly handler: string;
  readonly address: HttpAddress;
  /** Reports the events of loops that have ended. */
  readonly client: () => RuntimeApiClient;
}

/** One loop, whether its process runs or not. */
interface SupervisedLoop {
  readonly index: number;
  readonly delay: RestartDelay;
  /** Its process, while it runs. */
  pid: number | undefined;
  /** Its first connection to the Runtime API, which it shares. */
  connection: SharedConnection | undefined;
  /** How its process has ended last, as a sentence. */
  lastEnd: string;
  isLoading: boolean;
  isRestart: boolean;
  /** When it was started last, in ms of `elapsedMs()`. */
  startedAtMs: number;
  /** When it may be started, likewise. */
  startAtMs: number;
}

/** Runs loops until SIGTERM, or until none of them can be kept alive. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #poller: Poller;
  readonly #log: Log;
  readonly #loops: SupervisedLoop[] = [];
  readonly #board: LoopBoard;
  readonly #failures = new RestartFailures();
  readonly #timer: Timer;
  /** How long a loop may take to load the handler, in ms. */
  #loadingMsMax = Number.POSITIVE_INFINITY;
  /** Connections are kept below this descriptor. */
  readonly #connectionsEnd = lazy(() => descriptorsMax() - SPARE_DESCRIPTORS);
  readonly #below: Terminable;
  #isChanged = false;

  constructor(options: SupervisorOptions, poller: Poller, log: Log) {
    this.#options = options;
    this.#poller = poller;
    this.#log = log;
    const loops = this.#loops;
    this.#below = {
      get processGroups() {
        return loops.flatMap(({ pid }) => pid ?? []);
      },
      // The loops write to the log themselves.
      passLog: () => undefined,
      close: () => undefined,
    };
    const count = Math.min(options.count, CONCURRENCY_MAX);
    for (let index = 0; index < count; index += 1) {
      const delay = new RestartDelay();
      const notRunning = {
        pid: undefined,
        connection: undefined,
        lastEnd: "",
        isLoading: false,
        isRestart: false,
      };
      loops.push({ index, delay, ...notRunning, startedAtMs: 0, startAtMs: 0 });
    }
    // Before anything else is opened.
    endOnTermination(poller, () => this.#below);
    this.#watchChildren();
    this.#board = new LoopBoard();
    log.shareBy(this.#board.descriptor);
    unblockSignals();
    becomeSubreaper();
    this.#timer = new Timer(poller, () => {
      this.#isChanged = true;
    });
  }

  run(): never {
    this.#logCount();
    this.#loadFirst();
    for (;;) {
      this.#startWaiting();
      this.#waitForChange();
      for (const [pid, end] of takeEnded()) this.#settleEnd(pid, end);
      for (const loop of this.#loops) this.#reportUnread(loop);
    }
  }

  #logCount(): void {
    const { count: wanted } = this.#options;
    const { length: count } = this.#loops;
    if (wanted > count) {
      this.#log.write(
        "WARN",
        `AWS_LAMBDA_MAX_CONCURRENCY is ${wanted}, Lambda allows at most ${count}: ` +
          `${count} events are handled at once`,
      );
    }
    // The record that AWS's own clients write.
    const record = { workerCount: count, executionEnvironmentMaxConcurrency: wanted };
    this.#log.writeRecord("DEBUG", { event: "runtime_worker_pool_initializing", ...record });
  }

  /** Starts the first loop; comes back when it has loaded the handler, and ends with it if it cannot. */
  #loadFirst(): void {
    const [first] = this.#loops;
    if (first === undefined) throw new RangeError("there is no loop to run");
    this.#start(first, true);
    while (this.#isLoading(first)) {
      this.#waitForChange();
      for (const [pid, end] of takeEnded()) {
        if (this.#isLoading(first)) this.#endWith(end);
        this.#settleEnd(pid, end);
      }
    }
    const firstMs = elapsedMs() - first.startedAtMs;
    this.#loadingMsMax = Math.max(LOADING_MS_MIN, firstMs * LOADING_FACTOR);
  }

  /** The first loop has said why the handler cannot be loaded, unless something has killed it. */
  #endWith(end: ExitStatus): never {
    endAllBelow(this.#below);
    if (end.kind === "signaled") throw new Error(describeEnd("the first loop", end));
    process.exit(end.status === 0 ? 1 : end.status);
  }

  #waitForChange(): void {
    this.#poller.waitUntil(() => this.#isChanged);
    this.#isChanged = false;
  }

  #watchChildren(): void {
    const descriptor = signalDescriptor(SIGNAL.child);
    const scratch = new Uint8Array(SIGNALS_READ_BYTES);
    this.#poller.watch(descriptor, () => {
      read(descriptor, scratch);
      this.#isChanged = true;
    });
  }

  #start(loop: SupervisedLoop, isFirst: boolean): void {
    this.#board.clear(loop.index);
    loop.startedAtMs = elapsedMs();
    loop.isLoading = true;
    const { environment, handler } = this.#options;
    if (loop.connection?.hasAsked === true) this.#poller.unwatch(loop.connection.socket);
    else this.#closeConnection(loop);
    loop.connection ??= this.#connect();
    const orders = {
      index: loop.index,
      isFirst,
      supervisor: processId(),
      board: this.#board.descriptor,
      connection: loop.connection,
      handler,
    };
    loop.pid = spawn({
      path: "/proc/self/exe",
      argv: ["bootstrap", ...loopArguments(orders)],
      environment,
      cwd: process.cwd(),
      stdio: loopDescriptors(orders),
    });
  }

  /** Makes a loop's connection, if there is room for it; the loop will make one otherwise. */
  #connect(): SharedConnection | undefined {
    const { host, port } = this.#options.address;
    try {
      const socket = connect(host, port, this.#poller);
      if (socket < this.#connectionsEnd()) return { socket, hasAsked: false };
      close(socket);
    } catch {
      // The loop will say why.
    }
    return undefined;
  }

  /** Starts the loops that may be started now, and sets the timer for the next one. */
  #startWaiting(): void {
    const now = elapsedMs();
    let loading = 0;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const loop of this.#loops) {
      if (loop.isLoading) loop.isLoading = this.#isLoading(loop);
      if (!loop.isLoading) continue;
      loading += 1;
      nextMs = Math.min(nextMs, this.#endIfOverdue(loop, now));
    }
    for (const loop of this.#loops) {
      if (loop.pid !== undefined) continue;
      if (loop.startAtMs > now) nextMs = Math.min(nextMs, loop.startAtMs);
      // If there is no room, the next loop that has loaded brings us here again.
      else if (loading < LOADING_MAX && this.#tryStart(loop)) {
        loading += 1;
        nextMs = Math.min(nextMs, now + this.#loadingMsMax);
      }
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#timer.setIn(nextMs - now);
    else this.#timer.clear();
  }

  /**
   * Ends a loop whose file hangs while it is loaded, for which an event may wait: nothing else would.
   * @returns When it must be looked at again, in ms of `elapsedMs()`.
   */
  #endIfOverdue({ pid, startedAtMs }: SupervisedLoop, now: number): number {
    const dueAtMs = startedAtMs + this.#loadingMsMax;
    if (now < dueAtMs || pid === undefined) return dueAtMs;
    const isStuck = now >= dueAtMs + OVERDUE_MS_MAX;
    kill(pid, isStuck ? SIGNAL.kill : SIGNAL.terminate);
    return isStuck ? Number.POSITIVE_INFINITY : dueAtMs + OVERDUE_MS_MAX;
  }

  #isLoading({ pid, index }: SupervisedLoop): boolean {
    return pid !== undefined && this.#board.read(index).state === LOOP_STATE.loading;
  }

  #tryStart(loop: SupervisedLoop): boolean {
    try {
      this.#start(loop, false);
      return true;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      loop.lastEnd = `failed to start a loop: ${error.message}`;
      this.#log.write("ERROR", loop.lastEnd);
      if (loop.connection?.hasAsked === true) this.#keepConnection(loop, true);
      else this.#closeConnection(loop);
      this.#settleLife(loop, false);
      return false;
    }
  }

  #settleEnd(pid: number, end: ExitStatus): void {
    const loop = this.#loops.find((candidate) => candidate.pid === pid);
    if (loop === undefined) return;
    const { state, hadEvent, invocation } = this.#board.read(loop.index);
    const isOpen = state === LOOP_STATE.handling || state === LOOP_STATE.posting;
    const isAsking = state === LOOP_STATE.loading && loop.connection?.hasAsked === true;
    if (isOpen) this.#closeConnection(loop);
    else this.#keepConnection(loop, state === LOOP_STATE.waiting || isAsking);
    loop.lastEnd = this.#describeEnd(loop, end);
    const delayMs = this.#settleLife(loop, hadEvent);
    const lost = isOpen ? invocation : undefined;
    this.#log.requestId = lost?.requestId;
    this.#log.write("ERROR", `${loop.lastEnd}; it is started again in ${delayMs} ms`);
    this.#log.requestId = undefined;
    if (lost !== undefined) this.#report(lost, loop);
  }

  #describeEnd(loop: SupervisedLoop, end: ExitStatus): string {
    const name = `loop ${loop.index + 1} of ${this.#loops.length}`;
    const isOverdue = elapsedMs() >= loop.startedAtMs + this.#loadingMsMax;
    if (!isOverdue || !this.#isLoading(loop)) return describeEnd(name, end);
    const seconds = (this.#loadingMsMax / MS_PER_S).toFixed(1);
    return `${name} was ended: it had not loaded the handler's file in ${seconds} s, which waits for something`;
  }

  #report(invocation: Invocation, { lastEnd }: SupervisedLoop): void {
    this.#log.requestId = invocation.requestId;
    this.#options.client().reportLostEvent(invocation, lastEnd);
    this.#log.requestId = undefined;
  }

  /**
   * Keeps the connection of a loop that has ended until it is started again. If it was waiting there for
   * an event, its next life goes on with that, so that the platform does not hand an event to nobody;
   * else it may just have asked for one.
   */
  #keepConnection(loop: SupervisedLoop, hasAsked: boolean): void {
    if (loop.connection === undefined) return;
    const { socket } = loop.connection;
    loop.connection = { socket, hasAsked };
    this.#poller.watch(socket, () => {
      this.#poller.unwatch(socket);
      this.#isChanged = true;
    });
  }

  #closeConnection(loop: SupervisedLoop): void {
    if (loop.connection === undefined) return;
    const { socket } = loop.connection;
    loop.connection = undefined;
    this.#poller.unwatch(socket);
    close(socket);
  }

  /** Reports the event that has come to a loop that does not run. */
  #reportUnread(loop: SupervisedLoop): void {
    if (loop.pid !== undefined || loop.connection === undefined) return;
    const { socket } = loop.connection;
    if (!isReadableNow(socket)) return;
    let invocation: Invocation | undefined;
    const responses = readerOf(peek(socket, PEEKED_BYTES));
    try {
      // The response to its last post may come first.
      while (invocation === undefined) {
        responses.read((_, headers) => {
          invocation = invocationOf(headers);
        });
      }
    } catch {
      // There is none; or its head is there, and the rest does not matter.
    }
    this.#closeConnection(loop);
    if (invocation !== undefined) this.#report(invocation, loop);
  }

  /** Says when a loop that has ended may be started again, and returns in how many ms. */
  #settleLife(loop: SupervisedLoop, hadEvent: boolean): number {
    const now = elapsedMs();
    const lifeMs = now - loop.startedAtMs;
    this.#failures.note({ lifeMs, isRestart: loop.isRestart, hadEvent });
    const delayMs = loop.delay.after(lifeMs);
    loop.pid = undefined;
    loop.isLoading = false;
    loop.isRestart = true;
    loop.startAtMs = now + delayMs;
    const isAnyLeft = this.#loops.some(({ pid }) => pid !== undefined);
    if (!isAnyLeft && this.#failures.areTooMany) {
      // Shells of loops that have ended may still be there, and what these have left behind.
      endAllBelow(this.#below);
      throw new Error("no loop is left, and the last attempts to start one have failed");
    }
    return delayMs;
  }
}
