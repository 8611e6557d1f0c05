/**
 * What is known of a loaded shell: by the text of its script, by its load report, and by asking it in a fork.
 *
 * @module
 */

import type { Handler } from "../handler/resolve.ts";
import { definedFunctions, sourcesOthers } from "../handler/script.ts";
import { latin1Of, textOf } from "./bytes.ts";
import { SAID_OF_FUNCTIONS, type ShellState } from "./event-script.ts";
import type { LoadReport } from "./load-report.ts";
import { quote } from "./quote.ts";
import {
  isExpanded,
  mentionsTracing,
  prefixPattern,
  samplePattern,
  type TracePrefix,
  tracePrefixes,
  type Tracing,
  variablePattern,
} from "./traces.ts";

/** A handler that can be run. */
export type RunnableHandler = Exclude<Handler, { kind: "rejected" }>;

/** What a fork has printed, in latin1, and its status; undefined where the shell has ended. */
export interface Reply {
  readonly status: number | undefined;
  readonly output: string;
}

/** Has a fork of the shell run commands; undefined while the shell makes none. */
export type Ask = (commands: string) => Reply | undefined;

/** How most scripts have functions inherit an ERR trap; and the end of a group of commands that is a condition. */
const INHERITED_OR_GROUPED = ["set -E", "set -eE", "errtrace", "\n} ||", "\n} &&"];

/** So far around a command a condition is looked for, in characters: lines may be very long. */
const CONDITION_LENGTH_MAX = 300;

/** What POSIX mode turns on, and leaving it leaves on. */
const POSIX_MODE_OPTION = "inherit_errexit";

/** One loaded shell, or one that is being loaded. */
export class LoadedShell {
  readonly #handler: RunnableHandler;
  /** The handler's file; empty if it is not a shell's, or cannot be read. */
  readonly #scriptText: string;
  readonly #ask: Ask;
  /** Absent while it loads. */
  report: LoadReport | undefined;

  constructor(handler: RunnableHandler, scriptText: string, ask: Ask) {
    this.#handler = handler;
    this.#scriptText = scriptText;
    this.#ask = ask;
  }

  /** Whether the loaded shell has the handler as a function. */
  hasFunction(): boolean {
    const handler = this.#handler;
    const { report } = this;
    if (report === undefined || handler.kind !== "function") return false;
    const { functionName } = handler;
    const { state, description } = report;
    const isInText = () => definedFunctions(this.#scriptText).includes(functionName);
    if (state.isBash) {
      if (state.functionNames.includes(latin1Of(functionName))) return true;
      // Asked in another way, which nothing can replace but which marks the function: in a fork of its own.
      const reply = this.#ask(`\\readonly -f -- ${quote(functionName)}`);
      if (reply !== undefined) return reply.status === 0;
      return this.#mayMissFunctions(state) && isInText();
    }
    if (isFunction(description)) return true;
    // No shell can be asked about it without calling it.
    if (functionName === "command") return isInText();
    // An alias or a reserved word may hide it, and a function named command may say something else.
    const reply = this.#ask(questionOf(functionName));
    if (reply === undefined) {
      return this.#mayHide(description) || (!this.#saysNothing(description) && isInText());
    }
    return isFunction(reply.output) || (/reserved word|keyword/.test(reply.output) && isInText());
  }

  /** Whether what the shell says of a name may hide a function: an alias, or a function named command that prints. */
  #mayHide(description: string): boolean {
    return description === ""
      ? /\bcommand\b/.test(this.#scriptText)
      : /alias|reserved word|keyword/.test(description);
  }

  /** Whether what the shell says of a name means that it has nothing of that name. */
  #saysNothing(description: string): boolean {
    return description === ""
      ? !sourcesOthers(this.#scriptText)
      : /^\S+ not found$/m.test(description);
  }

  /** Whether a bash may have functions that it does not list, since it may lack the builtin for it. */
  #mayMissFunctions({ disabledBuiltins }: ShellState): boolean {
    if (disabledBuiltins.includes("declare")) return true;
    // Without it nothing is listed, not even what is disabled.
    return /\bbuiltin\b/.test(this.#scriptText);
  }

  /** What the loaded shell says of a name that it does not take for a function's; empty if it takes it. */
  refusalOfName(): string {
    const handler = this.#handler;
    if (handler.kind !== "function" || /^[A-Za-z_]\w*$/.test(handler.functionName)) return "";
    const state = this.report?.state;
    // A fork of bash is in POSIX mode, in which it takes fewer.
    if (state?.isBash === true && !state.isPosix) return "";
    const definition = quote(`${handler.functionName}() { :; }`);
    const reply = this.#ask(`{ \\eval ${definition}; } 2>&1`);
    // In front of its words are names of files, and lines in them.
    return reply === undefined || reply.status === 0
      ? ""
      : textOf(reply.output)
          .trim()
          .replace(/^.*\d: (?:eval: )?/, "");
  }

  /** What is known of how the shell traces commands. */
  tracing(): Tracing {
    const text = this.#scriptText;
    const flags = this.report?.state.flags ?? "";
    const mayTrace = flags.includes("x") || mentionsTracing(text);
    const prefixes: TracePrefix[] = [];
    let isUnknown = false;
    for (const value of tracePrefixes(this.report?.tracePrefix, text)) {
      // An empty one fits any line.
      if (value === "" && !mayTrace && !sourcesOthers(text)) continue;
      if (!isExpanded(value)) {
        prefixes.push(prefixPattern(value));
        continue;
      }
      const sample = this.#tracedSample(value);
      if (sample !== undefined) prefixes.push(sample);
      prefixes.push(...this.#firstPrefixes(value));
      const pattern = variablePattern(value);
      if (pattern !== undefined) prefixes.push(pattern);
      isUnknown ||= pattern === undefined;
    }
    return { prefixes, isQuoted: this.#quotesTraces(), mayTrace, isUnknown };
  }

  /**
   * Whether our traps go unnoticed: a script that has any may list them, and replaces them. What a file
   * that it sources does is not looked at.
   */
  mayTrap(): boolean {
    return this.#scriptText !== "" && !this.#scriptText.includes("trap");
  }

  /**
   * Whether a file is sourced in a condition: after that bash sets our ERR trap again, instead of the file's. Also
   * in a function that is called in one, if functions inherit the trap.
   */
  sourcesInCondition(): boolean {
    const text = this.#scriptText;
    // So it is with text that is evaluated.
    if (!sourcesOthers(text) && !text.includes("eval ")) return false;
    if (INHERITED_OR_GROUPED.some((words) => text.includes(words))) return true;
    for (const { 0: words, index } of text.matchAll(/(?:^|[ \t\n;&|({`"'\\])(?:\.|source)[ \t]/g)) {
      if (isInCondition(text, index + words.length)) return true;
    }
    return false;
  }

  /** Whether it may have a variable that an event sets. */
  mayHaveEventVariables({ state }: LoadReport): boolean {
    // Bash lists no variable that has a type, but no value.
    return state.mayHaveEventVariables || mayDeclareEventVariables(this.#scriptText);
  }

  /** Whether a handler may end without a word because of `set -e`, and bash can say where. */
  reportsExit({ state }: LoadReport): boolean {
    if (!state.isBash || !this.mayTrap()) return false;
    return state.flags.includes("e") || /\bset\b.*[-]\w*e|errexit/.test(this.#scriptText);
  }

  /**
   * Whether more than the handler's call may show: the lines around it under `set -v`; to a trap, the commands
   * after it, and that they are silent; traces of them, which only some shells write where they are told; and in
   * bash the file in which the call stands.
   */
  maySeeCall({ state }: LoadReport): boolean {
    const isVerbose = /\bset\b.*-\w*v|verbose/.test(this.#scriptText);
    // Of traps, and that functions inherit them, the shell knows more than the text says.
    if (isVerbose || state.traps.length > 0 || /[vT]/.test(state.flags)) return true;
    if (this.#scriptText.includes("trap") || sourcesOthers(this.#scriptText)) return true;
    return state.isBash
      ? /caller|FUNCNAME|BASH_|functrace|set\b.*-\w*T/.test(this.#scriptText)
      : state.flags.includes("x") || mentionsTracing(this.#scriptText);
  }

  /** Whether the script may trap errors. */
  trapsErrors(): boolean {
    const text = this.#scriptText;
    return (text.includes("ERR") && text.includes("trap")) || sourcesOthers(text);
  }

  /**
   * Bash's own options that are on. Bash named `sh` begins in POSIX mode, and what that has turned on stays on
   * when a script leaves the mode, but is not listed before shopt is used.
   */
  bashOptions({ state }: LoadReport): readonly string[] {
    const { isBash, isPosix, bashOptions } = state;
    const hasLeft = isBash && !isPosix && this.#handler.shell.path.endsWith("/sh");
    if (!hasLeft || this.#scriptText.includes(POSIX_MODE_OPTION)) return bashOptions;
    return [...bashOptions, POSIX_MODE_OPTION];
  }

  /** Whether a traced command stands in quotes, as it would be written. */
  #quotesTraces(): boolean {
    if (this.report?.state.isBash === true) return true;
    const { path, options } = this.#handler.shell;
    return /\/(?:ash|m?ksh[^/]*|busybox)$/.test(path) || options[0] === "ash";
  }

  /** How a line begins that this shell traces with a PS4 that it has to expand. */
  #tracedSample(prefix: string): TracePrefix | undefined {
    const reply = this.#ask(`PS4=${quote(prefix)}\n{ \\set -x; \\:; \\:; } 2>&1`);
    if (reply === undefined) return undefined;
    const line = textOf(reply.output).trimEnd().split("\n").at(-1) ?? "";
    // The first character is repeated for each level.
    const sample = line.slice(0, line.lastIndexOf(":")).replace(/^(.)\1+/u, "$1");
    return sample === "" ? undefined : samplePattern(sample);
  }

  /**
   * How dash and busybox begin the first line that a process traces, if a command is in PS4: with PS4 as it is, or
   * without what is in the first backquotes.
   */
  #firstPrefixes(value: string): TracePrefix[] {
    const rest = value.replace(/`[^`]*`/, "");
    if (rest === value || this.report?.state.isBash === true) return [samplePattern(value)];
    const prefix = isExpanded(rest) ? this.#tracedSample(rest) : prefixPattern(rest);
    // Too little may be left to look for it within a line.
    return prefix === undefined ? [] : [{ lengthIn: prefix.lengthIn }];
  }
}

/** Whether a command is, or begins, a condition whose first word ends at an index of a script. */
function isInCondition(scriptText: string, index: number): boolean {
  const before = scriptText
    .slice(Math.max(0, index - CONDITION_LENGTH_MAX), index)
    .replace(/(?<=^|[\s;])#.*/g, "");
  // Between `if` and `then`, or `while` and `do`, on whatever line.
  if (/\b(?:if|elif|while|until)\b(?![\s\S]*\b(?:then|do)\b)/.test(before)) return true;
  if (/![ \t]+\\?\S+[ \t]$/.test(before)) return true;
  // Before an operator, perhaps on a continued line.
  return /^(?:.|\\\n)*(?:\|\||&&)/.test(scriptText.slice(index, index + CONDITION_LENGTH_MAX));
}

/** Whether a script, or a file that it sources, may give a type to a variable that an event sets. */
function mayDeclareEventVariables(scriptText: string): boolean {
  const mayDeclare = scriptText.includes("declare") || scriptText.includes("typeset");
  const mayName = scriptText.includes("LAMBDA_RUNTIME_") || scriptText.includes("_X_AMZN_TRACE_ID");
  return (mayDeclare && mayName) || sourcesOthers(scriptText);
}

/** Whether a shell says of a name that it is a function. */
function isFunction(description: string): boolean {
  const lines = description.split("\n");
  return SAID_OF_FUNCTIONS.some((said) => lines.some((line) => line.endsWith(` is ${said}`)));
}

/** Has a shell say what a name means. */
function questionOf(name: string): string {
  return `\\unset -f command\n\\command unalias ${quote(name)}\n\\command -V ${quote(name)}`;
}
