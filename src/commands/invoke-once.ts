/**
 * One event to a function that is started for it and ended after it.
 *
 * @module
 */

import { FunctionHost } from "../host/function-host.ts";
import { LogTail } from "../host/function-log.ts";
import { LOG_TAIL_BYTES_MAX } from "../host/outcome.ts";
import { endLines } from "../host/platform-log.ts";
import { errorSummary, outputWarning } from "./error-summary.ts";
import { EXIT, outcomeStatus } from "./exit-status.ts";
import { type FunctionOptions, functionSettings } from "./function-options.ts";
import { onInterrupt } from "./interrupt.ts";
import { type OutputOptions, successLine, writePayload } from "./invoke-output.ts";
import { warn } from "./terminal.ts";

/** Options that matter without a server. */
export interface OnceOptions extends FunctionOptions, OutputOptions {
  readonly dir: string;
  readonly clientContext?: string;
  readonly qualifier?: string;
}

/** Runs one event and returns the exit status. */
export async function invokeOnce(payload: Uint8Array, options: OnceOptions): Promise<number> {
  const settings = functionSettings(options.dir, [], options);
  const log = new LogTail(LOG_TAIL_BYTES_MAX);
  const host = new FunctionHost(settings, { onLog: (chunk) => log.add(chunk) });
  const interrupted = onInterrupt(() => host.kill());
  host.start();
  const { clientContext, qualifier } = options;
  const outcome = await host.invoke({
    event: payload,
    logTail: true,
    ...(clientContext === undefined ? {} : { clientContext }),
    ...(qualifier === undefined ? {} : { qualifier }),
  });
  if (outcome.kind === "stream") {
    for await (const chunk of outcome.chunks) process.stdout.write(chunk);
  }
  const end = outcome.kind === "stream" ? await outcome.end : outcome;
  if (options.tail === true) process.stderr.write(log.bytes());
  switch (end.kind) {
    case "rejected":
      warn(`error: the event was not run: ${end.reason}`);
      break;
    case "function-error":
      // Of a response that broke off, standard output has what came of it.
      if (outcome.kind !== "stream") writePayload(end.body, options.output);
      warn(errorSummary(end, settings));
      break;
    case "response": {
      writePayload(end.body, options.output);
      const warning = outputWarning(end.body);
      if (warning !== undefined) warn(warning);
      warn(successLine(endLines(end.report)));
      break;
    }
    case "complete":
      warn(successLine(endLines(end.report)));
  }
  await host.stop();
  const signalled = interrupted();
  if (signalled !== undefined) return signalled;
  const name = end.kind === "function-error" ? end.origin : outcome.kind;
  return options.fail ? outcomeStatus(name) : EXIT.ok;
}
