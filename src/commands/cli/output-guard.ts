/**
 * What happens when standard output or standard error takes nothing more.
 *
 * @module
 */

import { EXIT } from "./exit-status.ts";
import { faultStatus } from "./failure.ts";
import { systemFault } from "./system-error.ts";
import { warn } from "./terminal.ts";

const kills = new Set<() => void>();

/** Has something killed that runs, such as a host, when the output ends before the command does. */
export function endWithOutput(kill: () => void): void {
  kills.add(kill);
}

/**
 * From now on the command ends when its output cannot be written: without a word when nobody reads
 * it any more (`| head`), with one when it has no place (a full disk).
 */
export function guardOutput(): void {
  process.stdout.on("error", (error: unknown) => {
    const { code, fact } = systemFault(error) ?? { code: "", fact: String(error) };
    end(faultStatus(code), `error: failed to write standard output: ${fact}`);
  });
  process.stderr.on("error", (error: unknown) => {
    // There is no place left to say anything else, and the payloads may still be wanted.
    if (systemFault(error)?.code === "EPIPE") end(EXIT.outputClosed, "");
  });
}

function end(status: number, message: string): never {
  for (const kill of kills) kill();
  if (status !== EXIT.outputClosed) warn(message);
  process.exit(status);
}
