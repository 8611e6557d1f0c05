/**
 * Tells traced commands (`set -x`) from other lines on standard error. They show variables' values, secrets
 * among them, and must not reach a function's caller.
 *
 * @module
 */

import { lazy } from "./lazy.ts";

/** How a traced command begins. */
export interface TracePrefix {
  /** How long it is at the beginning of a line; undefined if the line does not begin with it. */
  readonly lengthIn: (line: string) => number | undefined;
  /** The same in a line that somebody else has begun; absent where it would fit too much. */
  readonly inLine?: RegExp;
}

/** What is known of the traces of a shell. */
export interface Tracing {
  /** What stands in front of a traced command. */
  readonly prefixes: readonly TracePrefix[];
  /** Whether the shell quotes what it traces, so that a command of several lines can be seen to go on. */
  readonly isQuoted: boolean;
  /** Whether commands may be traced: if not, a line that looks traced in its middle is none. */
  readonly mayTrace: boolean;
  /** Whether there is a prefix that is known only when the event's own shell expands it. */
  readonly isUnknown: boolean;
}

/** What a shell has in PS4 unless a script says otherwise. */
const DEFAULT_PREFIX = "+ ";
/** A part of a word: what is expanded by itself, and text in quotes of each kind. */
const PART =
  /(\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`)|'([^']*)'|\$'((?:[^'\\]|\\[\s\S])*)'|"((?:[^"\\]|\\[\s\S])*)"|\\([\s\S])/g;
/** Where a script gives PS4 a value, or adds to it. */
const assignment = lazy(() =>
  RegExp(`\\bPS4\\+?=((?:${PART.source}|[^\\s;&|<>()'"\`\\\\])*)`, "g"),
);
/** What the escape character is in `$'...'`. */
const ESCAPE = /\\(?:[eE]|033|x1[bB])/g;

/**
 * The values that PS4 may have while a script runs: the shell's own, that of the load report, if any, and
 * those that the script's text names; an empty one if it may be any. Of several lines the last is in front of the
 * command.
 */
export function tracePrefixes(reported: string | undefined, scriptText: string): string[] {
  const values = [DEFAULT_PREFIX, reported ?? DEFAULT_PREFIX];
  if (mayHidePrefix(scriptText)) values.push("");
  for (const [, word = ""] of scriptText.matchAll(assignment())) {
    values.push(withoutQuotes(word));
    // In text that is evaluated its first part may be all of it.
    const [first = ""] = word.match(PART) ?? [];
    if (word.startsWith(first) && word.includes("\n", first.length))
      values.push(withoutQuotes(first));
  }
  return [...new Set(values.map((value) => value.slice(value.lastIndexOf("\n") + 1)))];
}

/** Whether a script gives PS4 a value that its text does not show, or none. */
function mayHidePrefix(scriptText: string): boolean {
  return (
    scriptText.includes("PS4") &&
    /(?<!(?:^|\s)#.{0,99})\b(?:unset|read|printf|declare|typeset|local)\b[^\n;&|#]{0,99}[ \t]PS4\b(?!\+?=)/m.test(
      scriptText,
    )
  );
}

function withoutQuotes(word: string): string {
  return word.replace(
    PART,
    (_, expansion?: string, single?: string, escaped?: string, double?: string, last = "") =>
      expansion ??
      single ??
      escaped?.replace(ESCAPE, "\x1b").replace(/\\n/g, "\n").replace(/\\t/g, "\t") ??
      double?.replace(/\\([$`"\\])/g, "$1") ??
      last,
  );
}

/** Whether a script may turn tracing on; in mksh for one function alone. */
export function mentionsTracing(scriptText: string): boolean {
  return /\bset\b.*-\w*x|xtrace|\btypeset\b.*-\w*t/.test(scriptText);
}

/** True for a PS4 whose beginning is known only when it is expanded. */
export function isExpanded(prefix: string): boolean {
  return /^[$`\\]/.test(prefix);
}

/**
 * The prefix of a PS4: a shell repeats its first character for each level of evaluation. Only what stands in
 * front of an expansion is fixed.
 */
export function prefixPattern(prefix: string): TracePrefix {
  const [fixed = ""] = prefix.split(/[$`\\]/, 1);
  return samplePattern(fixed);
}

/** The prefix of an expanded PS4, which may name a line or a time. */
export function samplePattern(sample: string): TracePrefix {
  const escaped = literally(sample).replace(/\d+/g, "\\d+");
  const [first = ""] = sample;
  // A character may be two units of UTF-16.
  const row = /\D/.test(first) ? `(?:${literally(first)})` : "";
  const repeated = row === "" ? "" : `${row}*`;
  const atStart = RegExp(`^${repeated}${escaped}`);
  // Not tried from each of a long row of them.
  const notAfter = row === "" ? "" : `(?<!${row})`;
  const lengthIn = (line: string) => atStart.exec(line)?.[0].length;
  return sample.length > 1 && /[^\w\s]/.test(sample)
    ? { lengthIn, inLine: RegExp(notAfter + repeated + escaped) }
    : { lengthIn };
}

const EXPANSION =
  /\$\{((?:[^{}]|\{[^{}]*\})*)\}|\$(\w+|[?$!#*@-])|\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`/g;
/** What a useful prefix does not fit. */
const MESSAGES = ["cat: /f: No such file or directory", "/f.sh: line 3: x: command not found"];
const NUMBERS = /^(?:LINENO|SECONDS|S?RANDOM|EPOCH\w+|BASHPID|P?PID|E?UID|SHLVL|[$?!#])\b|^[$?!#]$/;

/**
 * The prefix of a PS4 that begins with variables or commands, whatever they are in a function; undefined where
 * too little besides marks it.
 */
export function variablePattern(prefix: string): TracePrefix | undefined {
  const literals = prefix.replace(EXPANSION, "");
  if (/[`\\$]/.test(literals) || !/[^\w\s]/.test(literals)) return undefined;
  const parts: PrefixPart[] = [];
  let end = 0;
  for (const { 0: expansion, 1: braced, 2: bare, index } of prefix.matchAll(EXPANSION)) {
    const name = braced ?? bare ?? "";
    // A list, a command's output, or a text instead of a value may have spaces.
    const isText = name === "" || /\[[*@]\]|\s/.test(name);
    const value = isText ? /.*/y : NUMBERS.test(name) ? /[\d.]*/y : /\S*/y;
    parts.push(prefix.slice(end, index), value);
    end = index + expansion.length;
  }
  parts.push(prefix.slice(end));
  const lengthIn = (line: string) => lengthOf(parts, line);
  return MESSAGES.some((message) => lengthIn(message) !== undefined) ? undefined : { lengthIn };
}

/** Text, or how far a value may go. */
type PrefixPart = string | RegExp;

/**
 * How long the shortest beginning of a line is that consists of parts; undefined if there is none. All lengths of
 * values are followed at the same time: one after the other they might take hours, even in a short line.
 */
function lengthOf(parts: readonly PrefixPart[], line: string): number | undefined {
  let ends: readonly number[] = [0];
  for (const part of parts) {
    if (ends.length === 0) return undefined;
    ends = typeof part === "string" ? endsOfText(part, line, ends) : endsOfValue(part, line, ends);
  }
  return ends[0];
}

/** Where in a line a text ends that begins at one of some places, in their order. */
function endsOfText(text: string, line: string, starts: readonly number[]): readonly number[] {
  if (text === "") return starts;
  return starts.filter((start) => line.startsWith(text, start)).map((start) => start + text.length);
}

/** Where in a line a value may end, likewise. */
function endsOfValue(value: RegExp, line: string, starts: readonly number[]): readonly number[] {
  const ends: number[] = [];
  let last = -1;
  for (const start of starts) {
    // From within a value that has begun before it goes no further.
    if (start <= last) continue;
    value.lastIndex = start;
    last = start + (value.exec(line)?.[0].length ?? 0);
    for (let end = start; end <= last; end += 1) ends.push(end);
  }
  return ends;
}

function literally(text: string): string {
  return text.replace(/[^\w\s]/g, "\\$&");
}

/** Where in a line its first trace begins, and where the traced command; undefined if there is none. */
function traceIn(
  line: string,
  { prefixes }: Pick<Tracing, "prefixes">,
  isTraced: boolean,
): { readonly start: number; readonly end: number } | undefined {
  for (const { lengthIn } of prefixes) {
    const end = lengthIn(line);
    if (end !== undefined) return { start: 0, end };
  }
  if (!isTraced) return undefined;
  for (const { inLine } of prefixes) {
    const found = inLine?.exec(line) ?? null;
    if (found !== null) return { start: found.index, end: found.index + found[0].length };
  }
  return undefined;
}

/** Whether a line begins as a traced command does. */
export function isTrace(line: string, tracing: Pick<Tracing, "prefixes">): boolean {
  return traceIn(line, tracing, false) !== undefined;
}

/**
 * Leaves traced commands out of lines. Those of several lines go with all of them where they are quoted;
 * elsewhere, what comes after a trace stays only if it looks like a message. After a trace by which
 * PS4 is set to what is not known nothing stays.
 */
export function withoutTraces(lines: readonly string[], tracing: Tracing): string[] {
  const hasTraces = lines.some((line) => isTrace(line, tracing));
  if (!hasTraces && tracing.mayTrace && tracing.isUnknown) return [];
  const kept: string[] = [];
  const messages = tracing.isQuoted ? undefined : new Messages();
  let quote = "";
  for (const line of lines) {
    if (quote !== "") {
      quote = openQuote(line, quote);
      continue;
    }
    // From here on nobody knows what is in front of a traced command; of busybox not even in front of this one.
    if (tracing.isUnknown && tracing.mayTrace && /\bPS4\+?=/.test(line)) break;
    const trace = traceIn(line, tracing, hasTraces || tracing.mayTrace);
    if (trace === undefined) {
      if (messages?.includes(line) ?? true) kept.push(line);
      continue;
    }
    // Somebody has begun the line, and not ended it.
    if (trace.start > 0) kept.push(line.slice(0, trace.start));
    const command = line.slice(trace.end);
    if (messages === undefined) quote = openQuote(command, "");
    else messages.trace(command);
  }
  return kept;
}

/** Tells messages from further lines of traced commands that are not quoted. */
class Messages {
  readonly #names = new Set<string>();
  #said = "";

  /** Takes the first line of a traced command. */
  trace(command: string): void {
    // In front of it may be what PS4 has expanded to.
    const words = command.split(" ");
    for (const word of words) this.#names.add(word.slice(word.lastIndexOf("/") + 1));
    const sayer = words.findIndex((word) => word === "echo" || word === "printf");
    this.#said = sayer < 0 ? "" : words.slice(sayer + 1).join(" ");
  }

  /** Whether a line is one: before all traces each is. */
  includes(line: string): boolean {
    if (this.#names.size === 0) return true;
    if (this.#said !== "" && line !== "" && this.#said.includes(line)) return true;
    if (/^(?:an )?(?:error|fatal|warning)\b/i.test(line)) return true;
    if (/^[A-Za-z][\w.]*(?:Error|Exception): /.test(line)) return true;
    const [name = ""] = line.split(": ", 1);
    return name.length < line.length && (name.startsWith("/") || this.#names.has(name));
  }
}

/**
 * The quote that is open at the end of a piece of shell, given the one that is open at its beginning: one
 * of `'`, `"` and `$'`, or nothing.
 */
function openQuote(text: string, open: string): string {
  let quote = open;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === "\\" && quote !== "'") index += 1;
    else if (quote === "") quote = quoteAt(text, index);
    else if (character === quote.at(-1)) quote = "";
  }
  return quote;
}

function quoteAt(text: string, index: number): string {
  const character = text.charAt(index);
  if (character === '"') return '"';
  if (character !== "'") return "";
  return text.charAt(index - 1) === "$" ? "$'" : "'";
}
