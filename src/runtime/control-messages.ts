/**
 * Reads what the loaded shell and its forks say through CONTROL once the script has been loaded.
 *
 * @module
 */

import { textOf } from "./bytes.ts";

/** One message. */
export type ControlMessage =
  /** A fork has ended that had no event. */
  | { readonly kind: "ended" }
  /** A bash that fails says what it was at. */
  | LastCommand;

/** The last command of a bash that has failed. */
export interface LastCommand {
  readonly kind: "left";
  /** The function that it was in, empty if in none. */
  readonly functionName: string;
  /** The line in which that one was called, and by which function. */
  readonly line: string;
  readonly caller: string;
  /** The last command, as it is written in the script. */
  readonly command: string;
}

/** Longest line that is waited for, in characters: a message is a path. */
const LINE_LENGTH_MAX = 16 * 1024;

/** Splits a stream of text into messages, each of which is a line with a path in it. */
export class ControlReader {
  readonly #ended: string;
  readonly #left: string;
  #unfinished = "";

  /** @param control The path of CONTROL. @param ended The path in front of a status. */
  constructor(control: string, ended: string) {
    this.#ended = ended;
    this.#left = `${control}/left/`;
  }

  /** Takes text as it comes; returns the messages that it completes. */
  take(text: string): ControlMessage[] {
    const lines = (this.#unfinished + text).split("\n");
    this.#unfinished = (lines.pop() ?? "").slice(-LINE_LENGTH_MAX);
    const messages: ControlMessage[] = [];
    for (const line of lines) {
      if (line.includes(this.#ended)) messages.push({ kind: "ended" });
      else if (line.includes(this.#left)) messages.push(leftMessage(line, this.#left));
    }
    return messages;
  }
}

function leftMessage(line: string, mark: string): ControlMessage {
  const words = textOf(line.slice(line.indexOf(mark) + mark.length)).split("/");
  const [functionName = "", callLine = "", caller = "", ...parts] = words;
  return { kind: "left", functionName, line: callLine, caller, command: reportedCommand(parts) };
}

/**
 * A command that a report's path ends with; of one that has several lines the first, since the path goes on then.
 * @param parts What stands between the slashes of the report's first line. After the last one are words of the
 *   shell, such as `: Not a directory`, if the path ends there.
 */
export function reportedCommand(parts: readonly string[]): string {
  const isWhole = parts.at(-1)?.startsWith(": ") === true;
  return isWhole ? parts.slice(0, -1).join("/") : `${parts.join("/")} …`;
}
