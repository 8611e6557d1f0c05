/**
 * Invoke as AWS's Runtime Interface Emulator answers it, bug for bug, for `--compat rie`.
 *
 * @see https://github.com/aws/aws-lambda-runtime-interface-emulator
 * @module
 */

import type { HttpReply } from "../http/message.ts";
import { type InvocationOutcome, wholeOutcome } from "../invocation/outcome.ts";
import type { FunctionSettings } from "../invocation/settings.ts";

/** The emulator's reply: no header says that anything went wrong, and the type is sniffed as Go does. */
export async function rieReply(
  streamed: InvocationOutcome,
  settings: FunctionSettings,
): Promise<HttpReply> {
  const outcome = await wholeOutcome(streamed);
  switch (outcome.kind) {
    case "response":
      return sniffed(200, outcome.body);
    case "function-error": {
      if (outcome.origin === "timeout") {
        const seconds = (settings.timeoutMs / 1000).toFixed(2);
        return sniffed(200, Buffer.from(`Task timed out after ${seconds} seconds`));
      }
      const crashed = outcome.origin === "exit" || outcome.origin === "init";
      return sniffed(crashed ? 502 : 200, outcome.body);
    }
    case "rejected":
      return { status: outcome.reason === "event-too-large" ? 413 : 400, headers: [], body: "" };
  }
}

function sniffed(status: number, body: Uint8Array): HttpReply {
  return { status, headers: [["Content-Type", "text/plain; charset=utf-8"]], body };
}
