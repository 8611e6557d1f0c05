/**
 * What the two sides of the fork server write to each other: the script that the shell is started with,
 * and a fork's status. The protocol is told in fork-server.ts.
 *
 * @module
 */

import { forkServerText } from "./fork-server-text.macro.ts" with { type: "macro" };
import { quote } from "./quote.ts";

/** What stands in fork-server.sh between @ signs. */
export interface ForkServerWords {
  readonly SCRIPT: string;
  readonly FUNCTION: string;
  readonly STATE: string;
  readonly TOKEN: string;
  readonly TRIGGER: string;
  readonly STATUS: string;
  readonly LIFELINE: string;
  readonly EVENT: string;
}

const SHELL_SIDE = forkServerText();

/** The shell's side with its words put in, each as a literal. */
export function forkServerScript(words: ForkServerWords): string {
  let text = "";
  for (const line of SHELL_SIDE.split("\n")) text += `${withWord(line, words)}\n`;
  return text;
}

/** A line has one word at most. */
function withWord(line: string, words: ForkServerWords): string {
  const start = line.indexOf('"@');
  if (start < 0) return line;
  const end = line.indexOf('@"', start);
  const word = line.slice(start + 2, end) as keyof ForkServerWords;
  return line.slice(0, start) + quote(words[word]) + line.slice(end + 2);
}

/** A fork's exit status, on a line of its own; what a trap has written beside it is passed over. */
export function statusIn(text: string): number | undefined {
  for (let start = 0, end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    const status = Number(text.slice(start, end));
    if (end > start && Number.isInteger(status) && status >= 0 && status <= 255) return status;
    start = end + 1;
  }
  return undefined;
}
