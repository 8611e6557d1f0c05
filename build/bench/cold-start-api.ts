/**
 * The least Runtime API that a runtime can run against, with the times at which it was called.
 *
 * @module
 */

import { CONTENT_TYPE, HEADER, PATH, STATUS } from "../../src/runtime-api/contract.ts";

const DEADLINE_MS = 60_000;

/** When a runtime called, by `performance.now()`, in milliseconds. */
export interface CallTimes {
  /** The first GET /next. */
  nextMs?: number;
  /** The end of each response or error report, in order. */
  readonly responsesMs: number[];
}

/** A Runtime API on a port of its own that hands out given events once each, then none. */
export class ColdStartApi {
  readonly times: CallTimes = { responsesMs: [] };
  /** Value for `AWS_LAMBDA_RUNTIME_API`. */
  readonly address: string;
  /** The body of each response, in order. */
  readonly responses: Uint8Array[] = [];
  readonly #events: readonly Uint8Array[];
  readonly #server: Bun.Server<undefined>;
  readonly #done = Promise.withResolvers<void>();
  #given = 0;

  constructor(events: readonly Uint8Array[]) {
    this.#events = events;
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request) => this.#respond(request),
    });
    this.address = `127.0.0.1:${this.#server.port}`;
  }

  /** Resolves when every event has got a response or an error report. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Closes the port and every connection. */
  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  async #respond(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    if (request.method === "GET" && path === PATH.next) return this.#next();
    this.responses.push(await request.bytes());
    this.times.responsesMs.push(performance.now());
    if (path === PATH.initError || this.responses.length === this.#events.length) {
      this.#done.resolve();
    }
    return Response.json({ status: "OK" }, { status: STATUS.accepted });
  }

  #next(): Response | Promise<Response> {
    this.times.nextMs ??= performance.now();
    const event = this.#events[this.#given];
    if (event === undefined) return new Promise<Response>(() => {});
    this.#given += 1;
    return new Response(event, {
      headers: {
        "Content-Type": CONTENT_TYPE.json,
        [HEADER.requestId]: `00000000-0000-4000-8000-${String(this.#given).padStart(12, "0")}`,
        [HEADER.deadlineMs]: String(Date.now() + DEADLINE_MS),
        [HEADER.invokedFunctionArn]: "arn:aws:lambda:eu-central-1:123456789012:function:cold",
        [HEADER.traceId]: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419",
      },
    });
  }
}
