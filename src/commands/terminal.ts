/**
 * Lines for the person at the terminal: on standard error, coloured only where that is seen.
 *
 * @module
 */

import { styleText } from "node:util";

/** Prints a message; its first word is coloured when it is `error:`, `warning:` or `hint:`. */
export function warn(message: string): void {
  process.stderr.write(`${coloured(message)}\n`);
}

function coloured(message: string): string {
  return message.replace(/^(error|warning|hint)( \([^)]*\))?:/, (label, word: string) =>
    styleText([COLOURS[word] ?? "reset"], label, { stream: process.stderr }),
  );
}

const COLOURS: Readonly<Record<string, "red" | "yellow" | "cyan">> = {
  error: "red",
  warning: "yellow",
  hint: "cyan",
};
