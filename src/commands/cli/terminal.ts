/**
 * Lines for the person at the terminal: on standard error, coloured only where that is seen.
 *
 * @module
 */

import { styleText } from "node:util";

import type { LogLevel } from "../../host/invocation/platform-log.ts";

let asJson = false;

/** From now on messages are JSON, one a line, as all of the log is. */
export function printMessagesAsJson(): void {
  asJson = true;
}

/** Prints a message after its level; one that only informs stands alone. */
export function say(level: LogLevel, message: string): void {
  process.stderr.write(`${asJson ? jsonMessage(level, message) : labelled(level, message)}\n`);
}

const COLOURS = { error: "red", warning: "yellow", hint: "cyan" } as const;

function labelled(level: LogLevel, message: string): string {
  if (level === "info") return message;
  return `${styleText([COLOURS[level]], `${level}:`, { stream: process.stderr })} ${message}`;
}

function jsonMessage(level: LogLevel, message: string): string {
  const record = { level, message: message.trim() };
  return JSON.stringify({ time: new Date().toISOString(), type: "tool", record });
}
