/**
 * The end of a command that failed: one message and the status that the documents promise.
 *
 * @module
 */

import { CommanderError } from "commander";

import { CommandError, EXIT } from "./exit-status.ts";
import { attemptedCall, systemFault } from "./system-error.ts";
import { warn } from "./terminal.ts";

/**
 * Says what went wrong and returns the exit status.
 * @throws What is no user's or system's fault but ours, as it came, so that its stack is seen.
 */
export function reportFailure(error: unknown): number {
  // Help and version come this way too; commander has said all.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CommandError) {
    warn(`error: ${error.message}`);
    return error.exitStatus;
  }
  const fault = systemFault(error);
  if (fault === undefined) throw error;
  warn(`error: failed to ${attemptedCall(error)}: ${fault.fact}`);
  return faultStatus(fault.code);
}

/** The exit status for a refusal of the operating system. */
export function faultStatus(code: string): number {
  if (code === "EPIPE") return EXIT.outputClosed;
  return NETWORK_CODES.has(code) ? EXIT.unreachable : EXIT.usage;
}

const NETWORK_CODES = new Set([
  "EADDRINUSE",
  "EADDRNOTAVAIL",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "ETIMEDOUT",
]);
