/**
 * Reads the trace of a shell (`set -x`) as it is written: one record for each command.
 *
 * Several processes write into one pipe, and a command's text may be an event of 6 MiB, or have line
 * ends in it. So a record begins with a mark that no text holds by chance, and of its text only the
 * beginning is kept.
 *
 * @module
 */

/** One command that a shell has begun. */
export interface TraceRecord {
  /** The file that the command stands in, as the shell knows it; empty where there is none. */
  readonly file: string;
  /** LINENO, from 1. */
  readonly line: number;
  /** BASHPID: the process that runs it. */
  readonly pid: number;
  /** BASH_SUBSHELL: how many shells have forked since the first one. */
  readonly depth: number;
  /** Time of day, in milliseconds. */
  readonly atMs: number;
  /** The command as the shell expanded it, cut after {@link TEXT_LENGTH_MAX} characters. */
  readonly text: string;
}

/** Longest text of a command that is kept, in bytes. */
export const TEXT_LENGTH_MAX = 200;

/** Longest head of a record, in bytes: a path and a few numbers. */
const HEAD_LENGTH_MAX = 16_384;

const HEAD_END = "\u001f";

/** The mark of a trace's records; the token makes it one of its own. */
function markOf(token: string): string {
  return `\u001e${token}|`;
}

/** What PS4 must be for {@link TraceReader}; for a text between single quotes. */
export function tracePrompt(token: string): string {
  // Bash repeats the first character for each level, and expands the rest for each command.
  const fields = ["LINENO", "BASHPID", "BASH_SUBSHELL", "EPOCHREALTIME", "BASH_SOURCE"];
  return `+${markOf(token)}${fields.map((name) => `\${${name}-}`).join("|")}${HEAD_END}`;
}

/** Takes the bytes of a trace apart. */
export class TraceReader {
  readonly #mark: string;
  readonly #onRecord: (record: TraceRecord) => void;
  /** What has come and is not taken apart yet, one character a byte. */
  #rest = "";
  #head: Omit<TraceRecord, "text"> | undefined;
  #text = "";

  constructor(token: string, onRecord: (record: TraceRecord) => void) {
    this.#mark = markOf(token);
    this.#onRecord = onRecord;
  }

  /** Takes the next bytes. */
  add(chunk: Uint8Array): void {
    this.#rest += Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
    for (;;) {
      const at = this.#rest.indexOf(this.#mark);
      if (at === -1) {
        // A mark may have begun in the last bytes.
        const whole = Math.max(0, this.#rest.length - this.#mark.length + 1);
        this.#keep(this.#rest.slice(0, whole));
        this.#rest = this.#rest.slice(whole);
        return;
      }
      this.#keep(this.#rest.slice(0, at));
      const end = this.#rest.indexOf(HEAD_END, at);
      if (end === -1 && this.#rest.length - at < HEAD_LENGTH_MAX) {
        this.#rest = this.#rest.slice(at);
        return;
      }
      this.#emit();
      this.#head = headOf(this.#rest.slice(at + this.#mark.length, Math.max(end, at)));
      this.#rest = this.#rest.slice(Math.max(end, at) + 1);
    }
  }

  /** Hands on the last record; nothing may come after it. */
  end(): void {
    this.#keep(this.#rest);
    this.#emit();
  }

  #emit(): void {
    const head = this.#head;
    if (head === undefined) return;
    const [line = ""] = this.#text.split("\n", 1);
    this.#head = undefined;
    this.#text = "";
    this.#onRecord({ ...head, text: Buffer.from(line, "latin1").toString("utf8").trim() });
  }

  #keep(text: string): void {
    if (this.#head === undefined || this.#text.length >= TEXT_LENGTH_MAX) return;
    this.#text += text.slice(0, TEXT_LENGTH_MAX - this.#text.length);
  }
}

function headOf(head: string): Omit<TraceRecord, "text"> | undefined {
  const [line, pid, depth, seconds, ...file] = head.split("|");
  if (seconds === undefined) return undefined;
  return {
    line: Number(line),
    pid: Number(pid),
    depth: Number(depth),
    // In some locales bash writes a comma.
    atMs: Number(seconds.replace(",", ".")) * 1000,
    file: Buffer.from(file.join("|"), "latin1").toString("utf8"),
  };
}

/** A word without the quotes that it may be written in, or that the trace writes it in. */
export function unquoted(word: string): string {
  return word.replaceAll("\\", "").replace(/^'([^']*)'$/, "$1");
}

/** The word by which a line of the trace names its command. */
export function tracedWord(text: string): string {
  const [, assigned] = /^([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?=/.exec(text) ?? [];
  return assigned ?? unquoted(text.split(" ", 1)[0] ?? "");
}
