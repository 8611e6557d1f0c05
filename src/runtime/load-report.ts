/**
 * What a shell reports when it has loaded a script: point 1 of the fork server's protocol.
 *
 * @module
 */

import { textOf } from "./bytes.ts";
import { reportedCommand } from "./control-messages.ts";
import type { ShellState } from "./event-script.ts";
import { lazy } from "./lazy.ts";
import { StatusMessage } from "./status-message.ts";

/** ERR, DEBUG and RETURN as `trap` lists them: the action, quoted in the shell's way, then the name. */
const trapLines = lazy(
  () =>
    /^trap -- ((?:'[^']*'|\\'|"'+"|\$'(?:[^'\\]|\\.)*'|[\w@%+=:,./-])+ (?:ERR|DEBUG|RETURN))$/gms,
);
/** Variables that an event sets, as `readonly -p` lists them, with their attributes in ksh93. */
const readonlyLines = lazy(
  () => /^(?:readonly|typeset|declare)(?: -\S+)* (LAMBDA_RUNTIME_\w+|_X_AMZN_TRACE_ID)(?:=|$)/gm,
);

/** How `enable -n` lists a builtin. */
const DISABLED = "enable -n ";
/** Builtins without which no event can be run. */
const NEEDED = [".", ":", "eval", "exec", "exit", "export", "set", "shift", "trap", "unset"];

/** What the shell said. */
export interface LoadReport {
  /** Status of the script's last command. */
  readonly status: number;
  /** Why this shell cannot run an event, whatever the handler is. */
  readonly hindrance: string | undefined;
  /** What the shell says of the function's name; of bash, functionNames of the state says it. */
  readonly description: string;
  readonly state: ShellState;
  /** PS4: what stands in front of a traced command. */
  readonly tracePrefix: string;
  /** How the shell will say that a fork has ended. */
  readonly message: StatusMessage;
  /** What has come after the report. */
  readonly rest: string;
}

/** A command of the script that has failed, and ended its shell. */
export interface FailedCommand {
  readonly status: number;
  readonly line: string;
  /** The command, as it is written in the script. */
  readonly command: string;
}

/** The last command that a bash has reported as failed while it loaded the script. */
export function failedCommandIn(text: string, control: string): FailedCommand | undefined {
  const mark = `${control}/failed/`;
  const at = text.lastIndexOf(mark);
  if (at < 0) return undefined;
  const [status = "", line = "", ...parts] = lineBehind(text.slice(at), mark).split("/");
  return { status: Number(status), line, command: reportedCommand(parts.map(textOf)) };
}

/**
 * Reads a report; undefined if it is not complete.
 * @param text What has come through CONTROL.
 * @param control The path of CONTROL.
 * @param mark The path in front of a status.
 */
export function parseLoadReport(
  text: string,
  control: string,
  mark: string,
): LoadReport | undefined {
  const markAt = text.indexOf(mark);
  const end = text.indexOf("\n", markAt);
  if (markAt < 0 || end < 0) return undefined;
  const endedAt = text.lastIndexOf("\n", markAt) + 1;
  // After the last slash of a line are words of the shell; only bash has lists of options before it.
  const [status = "", flags = "", ...lists] = lineBehind(text, `${control}/sourced/`).split("/");
  const isBash = lists.length > 1;
  const [shellOptions = "", bashOptions = "", ...variables] = isBash ? lists : [];
  const definedMark = `${control}/defined/`;
  const definedAt = text.indexOf(definedMark);
  const optionsAt = definedAt + definedMark.length;
  // PS4 may have line ends; after its slash come words of the shell, the same as after what was sourced.
  const wordsAt = text.indexOf(`/${lists.at(-1)}\n`, optionsAt);
  const slashAt = wordsAt < 0 ? text.indexOf("/: ", optionsAt) : wordsAt;
  const definedEnd = text.indexOf("\n", Math.max(optionsAt, slashAt));
  const defined = definedAt < 0 ? "" : text.slice(optionsAt, definedEnd);
  const [optionsNow = "", ...prefix] = defined.split("/");
  const facts = text.slice(0, definedAt < 0 ? endedAt : definedAt);
  const description =
    definedAt < 0 ? "" : text.slice(definedEnd + 1, namedAt(text, control) ?? endedAt);
  const functionNames: string[] = [];
  const disabled: string[] = [];
  for (const line of isBash ? description.split("\n") : []) {
    if (line.startsWith(DISABLED)) disabled.push(line.slice(DISABLED.length));
    // With extdebug bash adds where a function is defined.
    else functionNames.push(line.split(" ", 1)[0] ?? "");
  }
  return {
    status: Number(status),
    hindrance:
      definedAt < 0
        ? hindranceOfCommands(isBash)
        : hindranceOf(hasOption(optionsNow, "posix") ? [] : functionNames, disabled),
    description: description.trim(),
    state: {
      flags,
      isBash,
      isPosix: hasOption(shellOptions, "posix"),
      bashOptions: bashOptions.split(":"),
      traps: trapsIn(facts, control),
      mayHaveEventVariables: !isBash || mayHaveEventVariables(variables),
      readonlyNames: readonlyNamesIn(facts),
      functionNames,
      disabledBuiltins: disabled,
    },
    tracePrefix: textOf(prefix.slice(0, -1).join("/")),
    message: new StatusMessage(mark, withoutOutput(text.slice(endedAt, markAt), text, control)),
    rest: text.slice(end + 1),
  };
}

/**
 * The words in front of a mark without what a function may have written before them in their line, instead of a builtin:
 * they begin as the report does.
 */
function withoutOutput(words: string, text: string, control: string): string {
  const start = text.lastIndexOf("\n", text.indexOf(`${control}/sourced/`)) + 1;
  const beginning = text.slice(start, text.indexOf(": ", start) + ": ".length);
  return words.startsWith(beginning)
    ? words
    : words.slice(Math.max(0, words.lastIndexOf(beginning)));
}

/** Where the line of the mark begins by which a function's output ends, in whatever words it was. */
function namedAt(text: string, control: string): number | undefined {
  const markAt = text.indexOf(`${control}/named/`);
  return markAt < 0 ? undefined : text.lastIndexOf("\n", markAt) + 1;
}

/** What stands after a mark in its line. */
function lineBehind(text: string, mark: string): string {
  const start = text.indexOf(mark) + mark.length;
  return start < mark.length ? "" : text.slice(start, text.indexOf("\n", start));
}

/**
 * Whether variables of an event are among those that a bash has listed: Lambda sets one with a name like theirs.
 *
 * Between two names stands what the script likes, which may be a slash, or a line end. After them come words of
 * the shell.
 */
function mayHaveEventVariables([names = "", ...rest]: readonly string[]): boolean {
  return rest.length !== 1 || (names !== "" && names !== "LAMBDA_RUNTIME_DIR");
}

function hasOption(list: string, name: string): boolean {
  return list.split(":").includes(name);
}

/** Why a shell has run no command after the script. */
function hindranceOfCommands(isBash: boolean): string {
  return isBash
    ? "a DEBUG trap that fails keeps its shell from running any command (extdebug)"
    : "its shell cannot open the runtime's pipes: are there too few descriptors (ulimit -n)?";
}

/** @param functionNames Functions that bash calls instead of builtins, since it is not in POSIX mode. */
function hindranceOf(
  functionNames: readonly string[],
  disabled: readonly string[],
): string | undefined {
  const missing = neededOf(disabled);
  if (missing !== "") return `it disables ${missing} (enable -n), which the runtime needs`;
  const replaced = neededOf(functionNames);
  if (replaced === "") return undefined;
  return (
    `it makes POSIXLY_CORRECT readonly, and has a function ${replaced}: ` +
    "by that variable the runtime calls the builtin of this name"
  );
}

/** Which of the names are of builtins that the runtime needs. */
function neededOf(names: readonly string[]): string {
  const needed: string[] = [];
  for (const name of NEEDED) if (names.includes(name)) needed.push(name);
  return needed.join(", ");
}

/** The traps that the loaded shell was relieved of, but for one of the runtime. */
function trapsIn(text: string, control: string): string[] {
  const traps: string[] = [];
  // In front of the list may be words of a DEBUG trap.
  const start = text.indexOf("trap -- ");
  // Most scripts have none: then the expression is not even made.
  if (start < 0) return traps;
  for (const [, trap = ""] of text.slice(start).matchAll(trapLines())) {
    if (!trap.includes(control)) traps.push(trap);
  }
  return traps;
}

function readonlyNamesIn(text: string): string[] {
  if (!text.includes(" LAMBDA_RUNTIME_") && !text.includes(" _X_AMZN_TRACE_ID")) return [];
  return Array.from(text.matchAll(readonlyLines()), ([, name = ""]) => name);
}
