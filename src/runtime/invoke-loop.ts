/**
 * The invoke loop: next event, handler, answer, for ever. Error means exit.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
 * @module
 */

import { HandlerResponse } from "./handler-response.ts";
import type { Log } from "./log.ts";
import type { RuntimeApiClient } from "./runtime-api-client.ts";
import type { ShellHandler } from "./shell-handler.ts";

/** Handles events one after the other; comes back only by an exception, which ends the process. */
export function runInvokeLoop(client: RuntimeApiClient, handler: ShellHandler, log: Log): never {
  for (;;) {
    handler.ensureLoaded();
    const invocation = client.next();
    log.requestId = invocation.requestId;
    const response = new HandlerResponse(client, invocation, log);
    const error = handler.invoke(invocation, (bytes) => response.write(bytes));
    response.finish(error);
    log.requestId = undefined;
  }
}
