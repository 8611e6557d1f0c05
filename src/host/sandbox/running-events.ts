/**
 * The events that an environment has been given. One is over when the runtime asks for the next, and not
 * when its response has come: what is written to the log in between is its own too.
 *
 * @module
 */

import { invocationReport, type PendingInvocation } from "../invocation/invocation.ts";
import type { InvocationReport, StreamEnd, UnreportedError } from "../invocation/outcome.ts";
import type { ProcessEnd } from "../invocation/platform-error.ts";
import {
  BrokenResponses,
  type PostedResult,
  type PostedStream,
  resultOutcome,
  type StreamedResult,
} from "./posted-result.ts";

/** What is known of the end of an event. */
interface Conclusion {
  /** `success`, or where the error is from. */
  readonly status: string;
  /** Tells the caller; only the first time has an effect. */
  readonly give: (report: InvocationReport) => void;
}

interface RunningEvent {
  readonly timer: Timer;
  readonly isFirst: boolean;
  /** The response that is still written. */
  stream?: PostedStream | undefined;
  conclusion?: Conclusion;
  /** The runtime does no more for it. */
  isFinished: boolean;
}

/** What a report says besides the invocation's own times. */
type Measured = Omit<Parameters<typeof invocationReport>[1], "initDurationMs"> & {
  /** Of the environment's start, where an event was the first. */
  readonly initMs: number | undefined;
  readonly peakBytes: () => number;
};

/** Who is asked and told. */
interface RunningEventsListener {
  readonly measure: () => Measured;
  /** Waits for the rest of the log. */
  readonly logSettled: () => Promise<void>;
  readonly onTimeout: (invocation: PendingInvocation) => void;
  readonly onOver: (
    invocation: PendingInvocation,
    report: InvocationReport,
    status: string,
  ) => void;
  /** The log of an event has been waited for, in which time no other may begin. */
  readonly onSettled: () => void;
}

/** Keeps the clocks and the responses of events until they are over. */
export class RunningEvents {
  readonly #events = new Map<PendingInvocation, RunningEvent>();
  readonly #broken = new BrokenResponses();
  readonly #listener: RunningEventsListener;
  #begun = 0;
  #over = 0;
  #settling = 0;

  constructor(listener: RunningEventsListener) {
    this.#listener = listener;
  }

  /** Events that are not over. */
  get size(): number {
    return this.#events.size + this.#settling;
  }

  /** Events that are over. */
  get over(): number {
    return this.#over;
  }

  /** True while the log of an event that has ended is waited for. */
  get settling(): boolean {
    return this.#settling > 0;
  }

  /** The runtime is given an event. */
  begin(invocation: PendingInvocation, timeoutMs: number): void {
    invocation.deliveredAtMs = performance.now();
    const timer = setTimeout(() => this.#listener.onTimeout(invocation), timeoutMs);
    this.#events.set(invocation, { timer, isFirst: this.#begun === 0, isFinished: false });
    this.#begun += 1;
  }

  /** The runtime has responded, or has begun to. */
  async post(invocation: PendingInvocation, result: PostedResult): Promise<void> {
    const event = this.#events.get(invocation);
    if (event === undefined) return;
    if (result.kind === "stream") return this.#postStream(invocation, event, result);
    invocation.postedAtMs = performance.now();
    const { requestId } = invocation;
    const outcome =
      result.kind === "truncated" ? await this.#broken.cause(requestId) : resultOutcome(result);
    const status = outcome.kind === "function-error" ? outcome.origin : "success";
    const give = (report: InvocationReport) => invocation.settle({ ...outcome, report });
    this.#setConclusion(invocation, event, { status, give });
  }

  /** Its caller has the response as it comes. */
  async #postStream(
    invocation: PendingInvocation,
    event: RunningEvent,
    { stream, contentType }: StreamedResult,
  ): Promise<void> {
    const { promise: end, resolve } = Promise.withResolvers<StreamEnd>();
    event.stream = stream;
    invocation.settle({ kind: "stream", chunks: stream, end, contentType });
    const bytes = await stream.end;
    event.stream = undefined;
    invocation.postedAtMs ||= performance.now();
    const known =
      bytes.kind === "truncated" ? await this.#broken.cause(invocation.requestId) : bytes;
    const status = known.kind === "complete" ? "success" : known.origin;
    this.#setConclusion(invocation, event, {
      status,
      give: (report) => resolve({ ...known, report }),
    });
  }

  /** A caller that wants the log waits for the end of it. */
  #setConclusion(invocation: PendingInvocation, event: RunningEvent, conclusion: Conclusion): void {
    if (event.conclusion !== undefined) return;
    event.conclusion = conclusion;
    if (event.isFinished) return void this.#conclude(invocation, event, conclusion);
    if (!wantsLog(invocation, conclusion)) conclusion.give(this.#report(invocation, event));
  }

  /** The runtime does no more for these, or for all. */
  finish(invocations: Iterable<PendingInvocation> = [...this.#events.keys()]): void {
    for (const invocation of invocations) {
      const event = this.#events.get(invocation);
      if (event === undefined || event.isFinished) continue;
      event.isFinished = true;
      invocation.overAtMs = performance.now();
      clearTimeout(event.timer);
      if (event.conclusion !== undefined) void this.#conclude(invocation, event, event.conclusion);
    }
  }

  /** Ends an event early; one that has a response keeps it. */
  fail(invocation: PendingInvocation, error: UnreportedError): void {
    const event = this.#events.get(invocation);
    if (event === undefined) return;
    if (invocation.postedAtMs === 0 && event.stream === undefined) {
      const give = (report: InvocationReport) => invocation.settle({ ...error, report });
      this.#setConclusion(invocation, event, { status: error.origin, give });
    }
    event.stream?.fail(error);
    // Its caller has the response already; the log says that the rest took too long.
    if (event.conclusion !== undefined && error.origin === "timeout") {
      event.conclusion = { ...event.conclusion, status: error.origin };
    }
    this.finish([invocation]);
  }

  /** Ends all early, each with an error of its own. */
  failAll(error: (invocation: PendingInvocation) => UnreportedError): void {
    for (const invocation of [...this.#events.keys()]) this.fail(invocation, error(invocation));
  }

  /** The runtime lives, or has ended: with that it is known why a response broke off. */
  tell(end?: ProcessEnd): void {
    this.#broken.tell(end);
  }

  async #conclude(
    invocation: PendingInvocation,
    event: RunningEvent,
    conclusion: Conclusion,
  ): Promise<void> {
    const { status, give } = conclusion;
    this.#events.delete(invocation);
    this.#over += 1;
    const isWaitedFor = wantsLog(invocation, conclusion);
    if (isWaitedFor) {
      this.#settling += 1;
      await this.#listener.logSettled();
      this.#settling -= 1;
    }
    const report = this.#report(invocation, event);
    give(report);
    this.#listener.onOver(invocation, report, status);
    invocation.end();
    if (isWaitedFor) this.#listener.onSettled();
  }

  #report(invocation: PendingInvocation, { isFirst }: RunningEvent): InvocationReport {
    const { initMs, peakBytes, ...known } = this.#listener.measure();
    const initDurationMs = isFirst ? initMs : undefined;
    return invocationReport(invocation, { ...known, initDurationMs }, peakBytes);
  }
}

function wantsLog({ request: { logTail } }: PendingInvocation, { status }: Conclusion): boolean {
  return logTail === true || (logTail === "of-error" && status !== "success");
}
