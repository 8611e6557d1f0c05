/**
 * Numbers and times of `serve` and `dev`, checked before anything listens: one that is wrong found
 * later would leave a server that nobody can use.
 *
 * @module
 */

import { ASYNC_RETRIES } from "../../host/function/async-invoker.ts";
import { parseTime } from "../function/settings.ts";
import { CommandError } from "./exit-status.ts";

/** A setting's text with the option or variable that it comes from; absent where nothing is said. */
export type Written = readonly [origin: string, text: string | undefined];

/**
 * The port that was written down first.
 * @throws {CommandError} When it is none.
 */
export function portNumber(places: readonly Written[], fallback: number): number {
  const [origin, text] = places.find(([, each]) => each !== undefined) ?? [];
  if (origin === undefined || text === undefined) return fallback;
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= PORT_MAX) return port;
  throw new CommandError(`${origin}: "${text}" is no port from 0 to ${PORT_MAX}`);
}

const PORT_MAX = 65_535;

/**
 * The time of `--grace`, in milliseconds.
 * @throws {CommandError} When it is none.
 */
export function graceMs(text: string): number {
  const ms = parseTime(text);
  if (ms === undefined) throw new CommandError(`--grace: "${text}" is no time: 10, 500ms, 1m30s`);
  return ms;
}

/**
 * The number of `--async-retries`, with Lambda's bounds.
 * @throws {CommandError} When it is none.
 */
export function asyncRetries(text: string): number {
  const retries = Number(text);
  if (/^\d+$/.test(text) && retries <= ASYNC_RETRIES) return retries;
  throw new CommandError(
    `--async-retries: "${text}" is no whole number from 0 to ${ASYNC_RETRIES}`,
  );
}
