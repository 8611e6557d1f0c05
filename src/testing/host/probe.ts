/**
 * An engine with the scripted client, for tests: events in, outcomes as text.
 *
 * @module
 */

import { FunctionPool } from "../../host/function/function-pool.ts";
import type {
  InvocationOutcome,
  InvocationReport,
  InvocationRequest,
} from "../../host/invocation/outcome.ts";
import type { FunctionSettings } from "../../host/invocation/settings.ts";
import { testSettings } from "./running-host.ts";

/** A host that runs; `await using` ends it. */
export class Probe implements AsyncDisposable {
  readonly pool: FunctionPool;
  readonly #log: Uint8Array[] = [];
  readonly #ended = Promise.withResolvers<void>();
  /** Reports as they come: the status and what was measured. */
  readonly outcomes: (readonly [status: string, report: InvocationReport])[] = [];

  constructor(settings: Partial<FunctionSettings> = {}) {
    this.pool = new FunctionPool(testSettings(settings), {
      onLog: (chunk) => void this.#log.push(chunk),
      onEnd: () => this.#ended.resolve(),
      onOutcome: (report, status) => void this.outcomes.push([status, report]),
    });
    this.pool.start();
  }

  /** Fulfilled when the first environment has ended. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get log(): string {
    return Buffer.concat(this.#log).toString();
  }

  run(event: unknown, request: Partial<InvocationRequest> = {}): Promise<InvocationOutcome> {
    return this.pool.invoke({ event: Buffer.from(JSON.stringify(event)), ...request });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.pool.stop();
  }
}

/** An outcome as text: what the caller reads, with `[origin]` before an error. */
export async function read(outcome: InvocationOutcome): Promise<string> {
  switch (outcome.kind) {
    case "response":
      return Buffer.from(outcome.body).toString();
    case "stream": {
      const chunks: Uint8Array[] = [];
      for await (const chunk of outcome.chunks) chunks.push(chunk);
      const end = await outcome.end;
      const text = Buffer.concat(chunks).toString();
      return end.kind === "complete" ? text : `${text}[${end.errorType}] ${await read(end)}`;
    }
    case "function-error":
      return `[${outcome.origin}] ${Buffer.from(outcome.body).toString()}`;
    case "rejected":
      return `[rejected] ${outcome.reason}`;
  }
}
