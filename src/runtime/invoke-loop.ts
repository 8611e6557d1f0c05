/**
 * The invoke loop: next event, run the handler, post the result. Error means exit.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
 * @module
 */

import type { Invocation } from "../runtime-api/invocation.ts";
import type { DeadlineGuard } from "./deadline-guard.ts";
import { deadlineOf, timeoutError } from "./deadline.ts";
import { HandlerResponse } from "./handler-response.ts";
import type { Log } from "./log.ts";
import { collect, free } from "./memory.ts";
import { reap } from "./process.ts";
import type { RuntimeApiClient } from "./runtime-api-client.ts";
import type { ShellHandler } from "./shell-handler.ts";

const NOTHING = new Uint8Array(0);

/** Handles events one after the other; comes back only by an exception, which ends the process. */
export class InvokeLoop {
  readonly #client: RuntimeApiClient;
  readonly #handler: ShellHandler;
  readonly #guard: DeadlineGuard;
  readonly #log: Log;

  constructor(client: RuntimeApiClient, handler: ShellHandler, guard: DeadlineGuard, log: Log) {
    this.#client = client;
    this.#handler = handler;
    this.#guard = guard;
    this.#log = log;
  }

  run(): never {
    for (;;) {
      this.#handler.prepare();
      const invocation = this.#client.next();
      // What has ended in the background meanwhile takes up the room of a process until then.
      reap();
      this.#log.requestId = invocation.requestId;
      const streamedBytes = this.#handle(invocation);
      collect(streamedBytes);
      this.#log.requestId = undefined;
    }
  }

  /** Handles one event; returns how many bytes of its response were streamed. */
  #handle(invocation: Invocation): number {
    const response = new HandlerResponse(this.#client, invocation, this.#log);
    const guard = this.#guard;
    const deadline = deadlineOf(invocation, Date.now());
    if (deadline !== undefined && guard.isTooLate(deadline)) {
      this.#log.write("ERROR", "the event came after its deadline: it is not handled");
      response.finishTimedOut(timeoutError(invocation.requestId, deadline));
      return 0;
    }
    const handler = this.#handler;
    const begin = () => {
      if (deadline !== undefined) {
        guard.begin({ deadline, handler, onDeadline: () => response.abandon() });
      }
    };
    const error = handler.invoke(invocation, (bytes) => response.write(bytes), {
      isTimed: deadline !== undefined,
      onReload: begin,
      onBegin: (copiedBytes) => {
        this.#release(invocation, copiedBytes);
        begin();
      },
      isOver: () => guard.hasActed,
      isStreamed: () => response.isStreamed,
    });
    if (guard.end() && deadline !== undefined) {
      response.finishTimedOut(timeoutError(invocation.requestId, deadline));
    } else {
      response.finish(error);
    }
    return response.release();
  }

  /** The event is the shell's now, and a good part of the memory: the shell needs the room. */
  #release(invocation: Invocation, copiedBytes: number): void {
    const { event } = invocation;
    invocation.event = NOTHING;
    free(event);
    collect(copiedBytes);
  }
}
