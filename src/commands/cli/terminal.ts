/**
 * Lines for the person at the terminal: on standard error, coloured only where that is seen.
 *
 * @module
 */

import { styleText } from "node:util";

let asJson = false;

/** From now on messages are JSON, one a line, as all of the log is. */
export function printMessagesAsJson(): void {
  asJson = true;
}

/** Prints a message; its first word is coloured when it is `error:`, `warning:` or `hint:`. */
export function warn(message: string): void {
  process.stderr.write(`${asJson ? jsonMessage(message) : coloured(message)}\n`);
}

const LABEL = /^(error|warning|hint)( \([^)]*\))?:/;

function coloured(message: string): string {
  return message.replace(LABEL, (label, word: string) =>
    styleText([COLOURS[word] ?? "reset"], label, { stream: process.stderr }),
  );
}

const COLOURS: Readonly<Record<string, "red" | "yellow" | "cyan">> = {
  error: "red",
  warning: "yellow",
  hint: "cyan",
};

function jsonMessage(message: string): string {
  const level = LABEL.exec(message)?.[1] ?? "info";
  const record = { level, message: message.replace(LABEL, "").trim() };
  return JSON.stringify({ time: new Date().toISOString(), type: "tool", record });
}
