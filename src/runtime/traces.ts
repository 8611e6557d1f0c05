/**
 * Tells traced commands (`set -x`) from other lines on standard error. They show variables' values, secrets
 * among them, and must not reach a function's caller.
 *
 * @module
 */

/** What is known of the traces of a shell. */
export interface Tracing {
  /** The patterns of what stands in front of a traced command. */
  readonly prefixes: readonly RegExp[];
  /** Whether the shell quotes what it traces, so that a command of several lines can be seen to go on. */
  readonly isQuoted: boolean;
}

/** What a shell has in PS4 unless a script says otherwise. */
const DEFAULT_PREFIX = "+ ";
/** Where a script gives PS4 a value. */
const ASSIGNMENT = /\bPS4=(?:'([^']*)'|"([^"]*)"|(\S*))/g;

/**
 * The values that PS4 may have while a script runs: the shell's own, that of the load report, if any, and
 * those that the script's text names. An empty one counts only if the script traces: it fits any line.
 */
export function tracePrefixes(reported: string | undefined, scriptText: string): string[] {
  const values = [DEFAULT_PREFIX, reported ?? DEFAULT_PREFIX];
  for (const [, single, double, bare] of scriptText.matchAll(ASSIGNMENT)) {
    values.push(single ?? double ?? bare ?? "");
  }
  const mayTrace = /\bset\b.*-\w*x|xtrace/.test(scriptText);
  return [...new Set(values)].filter((value) => value !== "" || mayTrace);
}

/** True for a PS4 whose beginning is known only when it is expanded. */
export function isExpanded(prefix: string): boolean {
  return /^[$`\\]/.test(prefix);
}

/**
 * The pattern of a line that begins with PS4: a shell repeats its first character for each level of
 * evaluation. Only what stands in front of an expansion is fixed.
 */
export function prefixPattern(prefix: string): RegExp {
  const [fixed = ""] = prefix.split(/[$`\\]/, 1);
  return samplePattern(fixed);
}

/** The pattern of a line that begins as an expanded PS4 does, which may name a line or a time. */
export function samplePattern(sample: string): RegExp {
  const escaped = sample.replace(/[^\w\s]/g, "\\$&").replace(/\d+/g, "\\d+");
  const [first = ""] = sample;
  const repeated = /[^\w\s]/.test(first) ? `\\${first}*` : /\D/.test(first) ? `${first}*` : "";
  return RegExp(`^${repeated}${escaped}`);
}

/** Leaves traced commands out of lines; those of several lines with all of them where they are quoted. */
export function withoutTraces(lines: readonly string[], tracing: Tracing): string[] {
  const kept: string[] = [];
  let quote = "";
  for (const line of lines) {
    if (quote !== "") {
      quote = openQuote(line, quote);
      continue;
    }
    const prefix = tracing.prefixes.find((pattern) => pattern.test(line));
    if (prefix === undefined) kept.push(line);
    else if (tracing.isQuoted) quote = openQuote(line.replace(prefix, ""), "");
  }
  return kept;
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
