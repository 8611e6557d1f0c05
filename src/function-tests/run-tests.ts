/**
 * Runs the tests of one function through its real runtime, each as an event of its own.
 *
 * An execution environment stays warm from test to test, as on Lambda; a test with a handler, variables
 * or a time of its own gets a fresh one.
 *
 * @module
 */

import { errorSummary } from "../commands/function/error-summary.ts";
import { FunctionPool } from "../host/function/function-pool.ts";
import { REJECTION, type WholeOutcome, wholeOutcome } from "../host/invocation/outcome.ts";
import type { FunctionSettings } from "../host/invocation/settings.ts";
import { LogTail } from "../host/sandbox/log.ts";
import { problemsOf, type Received } from "./expectation.ts";
import type { FunctionTest } from "./suite.ts";

/** What is kept of one test's log, in bytes. */
const LOG_BYTES_MAX = 1024 * 1024;

/** How a test has ended. */
export interface TestResult {
  readonly test: FunctionTest;
  readonly passed: boolean;
  /** What has been written into its file as expected, in words; absent when nothing was. */
  readonly written?: string;
  /** Time of the event, in milliseconds; 0 when it was not run. */
  readonly durationMs: number;
  /** What is wrong, each with its further lines. */
  readonly problems: readonly string[];
  readonly log: string;
  /** What came back; absent when the event was not run. */
  readonly received?: Received;
}

/** What the runs need besides their tests. */
export interface RunOptions {
  readonly settings: FunctionSettings;
  /** Tests at the same time, each in an environment of its own. */
  readonly workers: number;
  /** Gives each result in the order of the tests, as soon as it is known. */
  readonly onResult: (result: TestResult) => void;
}

/** A run that can be broken off. */
export interface TestRun {
  /** Fulfilled when every environment has ended: after the last test, or killed before. */
  readonly ended: Promise<"done" | "killed">;
  /** Kills every environment; what has not run is not run. */
  readonly kill: () => void;
}

/** Starts the tests. */
export function runTests(tests: readonly FunctionTest[], options: RunOptions): TestRun {
  const results = new Map<number, TestResult>();
  const slots: Slot[] = [];
  let next = 0;
  let told = 0;
  let killed = false;
  const kill = () => {
    killed = true;
    for (const slot of slots) slot.kill();
  };
  const work = async () => {
    const slot = new Slot(options.settings);
    slots.push(slot);
    for (let at = next++; at < tests.length && !killed; at = next++) {
      const test = tests[at];
      if (test === undefined) break;
      const result = await slot.run(test);
      if (killed) break;
      results.set(at, result);
      for (let ready = results.get(told); ready !== undefined; ready = results.get(told)) {
        options.onResult(ready);
        told += 1;
      }
    }
    await slot.stop();
  };
  const workers = Math.min(options.workers, tests.length);
  return {
    ended: Promise.all(Array.from({ length: workers }, work)).then(
      () => (killed ? "killed" : "done"),
      (error: unknown) => {
        kill();
        throw error;
      },
    ),
    kill,
  };
}

/** One execution environment at a time, with the log of the test that runs in it. */
class Slot {
  readonly #base: FunctionSettings;
  readonly #log = new LogTail(LOG_BYTES_MAX);
  #pool: FunctionPool | undefined;
  #settingsKey = "";

  constructor(base: FunctionSettings) {
    this.#base = base;
  }

  async run(test: FunctionTest): Promise<TestResult> {
    this.#log.clear();
    const pool = await this.#poolFor(test);
    const { event, headers } = test;
    // Its log comes through another pipe than the response: with the tail the host waits for it.
    const outcome = await wholeOutcome(await pool.invoke({ event, headers, logTail: true }));
    return resultOf(test, outcome, pool.settings, new TextDecoder().decode(this.#log.bytes()));
  }

  async stop(): Promise<void> {
    await this.#pool?.stop();
  }

  kill(): void {
    this.#pool?.kill();
  }

  async #poolFor({ handler, env, timeoutMs }: FunctionTest): Promise<FunctionPool> {
    const key = JSON.stringify([handler, Object.entries(env), timeoutMs]);
    if (this.#pool !== undefined && this.#settingsKey === key) return this.#pool;
    await this.#pool?.stop();
    const settings = {
      ...this.#base,
      handler: handler ?? this.#base.handler,
      variables: { ...this.#base.variables, ...env },
      timeoutMs: timeoutMs ?? this.#base.timeoutMs,
      environments: 1,
    };
    this.#settingsKey = key;
    this.#pool = new FunctionPool(settings, { onLog: (chunk) => this.#log.add(chunk) });
    this.#pool.start();
    return this.#pool;
  }
}

function resultOf(
  test: FunctionTest,
  outcome: WholeOutcome,
  settings: FunctionSettings,
  log: string,
): TestResult {
  const failure = (problem: string) => ({
    test,
    passed: false,
    durationMs: 0,
    problems: [problem],
    log,
  });
  if (outcome.kind === "rejected") {
    return failure(`the event was not run: ${REJECTION[outcome.reason].words}`);
  }
  const { body, report } = outcome;
  const received: Received =
    outcome.kind === "response"
      ? { kind: "response", body, log }
      : {
          kind: "error",
          body,
          log,
          // Its log stands in the result already.
          summary: errorSummary(
            { ...outcome, report: { ...report, log: new Uint8Array(0) } },
            settings,
          ),
        };
  const problems = problemsOf(test.expected, received);
  return {
    test,
    passed: problems.length === 0,
    durationMs: report.durationMs,
    problems,
    log,
    received,
  };
}
