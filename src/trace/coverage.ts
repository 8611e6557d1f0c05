/**
 * Which lines of a function's shell code have been run, and which nobody can say that of.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import {
  type ParsedScript,
  scriptParser,
  type TracedCommand,
  type UnknownLines,
} from "./script-commands.ts";
import { tracedWord, type TraceRecord } from "./trace-reader.ts";
import type { TracedFunction } from "./traced-function.ts";

/** What is known of one file. */
export interface FileCoverage {
  /** Relative to the function's folder. */
  readonly file: string;
  /** Lines on which a command begins. */
  readonly lines: number;
  /** Those of them where one has been run. */
  readonly run: number;
  /** Those where none has. */
  readonly missed: readonly number[];
  /** Those where some have been run and others not. */
  readonly partly: readonly number[];
  readonly unknown: readonly UnknownLines[];
}

/** The function's files, as the trace names them. */
type TracedFiles = Pick<TracedFunction, "scripts" | "ownFile">;

/** Counts the commands of one function as its trace comes. */
export class Coverage {
  readonly #directory: string;
  readonly #parse: (text: string) => ParsedScript;
  readonly #files = new Map<string, MeasuredFile>();
  readonly #names = new Map<string, string | undefined>();
  #traced: TracedFiles | undefined;

  private constructor(directory: string, parse: (text: string) => ParsedScript) {
    this.#directory = directory;
    this.#parse = parse;
  }

  /** @param directory The function's own folder, absolute. */
  static async of(directory: string): Promise<Coverage> {
    return new Coverage(directory, await scriptParser());
  }

  /** Names the files before the first record comes; a script counts when no line of it is run, too. */
  begin(traced: TracedFiles): void {
    this.#traced = traced;
    for (const { path } of traced.scripts) this.#measured(path);
  }

  /** Counts a command. */
  add({ file, line, text }: TraceRecord): void {
    if (!this.#names.has(file)) this.#names.set(file, this.#traced?.ownFile(file));
    const own = this.#names.get(file);
    if (own === undefined) return;
    const script = this.#traced?.scripts.find(({ path }) => path === own);
    this.#measured(own).add(line - (script?.addedLines ?? 0), tracedWord(text));
  }

  /** What is known by now, in the order of the files' names. */
  get files(): readonly FileCoverage[] {
    return [...this.#files]
      .map(([file, measured]) => ({ file, ...measured.result() }))
      .sort((a, b) => (a.file < b.file ? -1 : 1));
  }

  #measured(file: string): MeasuredFile {
    let measured = this.#files.get(file);
    if (measured === undefined) {
      const text = readFileSync(join(this.#directory, file), "utf8");
      measured = new MeasuredFile(this.#parse(text));
      this.#files.set(file, measured);
    }
    return measured;
  }
}

/** The commands of one file, with those that have been run. */
class MeasuredFile {
  readonly #script: ParsedScript;
  readonly #byTracedLine = new Map<number, TracedCommand[]>();
  readonly #run = new Set<TracedCommand>();

  constructor(script: ParsedScript) {
    this.#script = script;
    for (const command of script.commands) {
      const same = this.#byTracedLine.get(command.tracedLine) ?? [];
      this.#byTracedLine.set(command.tracedLine, [...same, command]);
    }
  }

  add(line: number, word: string): void {
    for (const command of this.#byTracedLine.get(line) ?? []) {
      if (command.words?.includes(word) ?? true) this.#run.add(command);
    }
  }

  result(): Omit<FileCoverage, "file"> {
    const lines = new Map<number, { run: number; missed: number }>();
    for (const command of this.#script.commands) {
      const counts = lines.get(command.line) ?? { run: 0, missed: 0 };
      counts[this.#run.has(command) ? "run" : "missed"] += 1;
      lines.set(command.line, counts);
    }
    const sorted = [...lines].sort(([a], [b]) => a - b);
    const those = (wanted: (counts: { run: number; missed: number }) => boolean) =>
      sorted.filter(([, counts]) => wanted(counts)).map(([line]) => line);
    return {
      lines: lines.size,
      run: those(({ run }) => run > 0).length,
      missed: those(({ run }) => run === 0),
      partly: those(({ run, missed }) => run > 0 && missed > 0),
      unknown: this.#script.unknown,
    };
  }
}

/** The report of one function for people. */
export function coverageText(
  files: readonly FileCoverage[],
  folder: string,
  notes: readonly string[],
): string {
  const lines = files.flatMap(({ file, lines, run, missed, partly, unknown }) => {
    const share = lines === 0 ? "no commands" : `${run} of ${lines} lines`;
    const percent = lines === 0 ? "" : ` (${Math.floor((100 * run) / lines)} %)`;
    return [
      `  ${folder === "." ? "" : `${folder}/`}${file}: ${share}${percent}`,
      ...(missed.length === 0 ? [] : [`    not run: ${ranges(missed)}`]),
      ...(partly.length === 0 ? [] : [`    run in part: ${ranges(partly)}`]),
      ...unknown.map(({ from, to, reason }) => {
        const place = from === to ? `line ${from}` : `lines ${from}-${to}`;
        return `    not measured: ${place}: ${reason}`;
      }),
    ];
  });
  return ["coverage by lines", ...lines, ...notes.map((note) => `  ${note}`), ""].join("\n");
}

/** `1-3, 7`: neighbours among the numbers are joined. */
function ranges(numbers: readonly number[]): string {
  const pairs: [number, number][] = [];
  for (const number of numbers) {
    const last = pairs.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else pairs.push([number, number]);
  }
  return pairs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
}
