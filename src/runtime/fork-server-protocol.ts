/**
 * What the two sides of the fork server write to each other: the text that the shell is started with,
 * and the messages that it sends. The protocol is told in fork-server.sh.
 *
 * @module
 */

import { forkServerText } from "./fork-server-text.macro.ts" with { type: "macro" };
import { quote } from "./quote.ts";

/** Longest script, in bytes, that is sent through a pipe: as many fit into any pipe, and arrive at once. */
export const SENT_BYTES_MAX = 4096;

/** What stands in the shell's side between @ signs. */
export interface ForkServerWords {
  /** The script to load. */
  readonly SCRIPT: string;
  /** The function to look for. */
  readonly FUNCTION: string;
  /** Paths of the runtime's pipes. */
  readonly CONTROL: string;
  readonly OUTPUT: string;
  /** Below OUTPUT, in front of a status. */
  readonly ENDED: string;
  readonly NEXT: string;
}

/** What sources the script. */
const SOURCING = '\\. "@SCRIPT@"';
/** What stands around the part in which the shell reports what the script has made of it. */
const REPORT_BEGINNING = `\n  if { \\:; } 2>"@CONTROL@" <"@CONTROL@/sourced/`;
const REPORT_END = `\n  } >"@CONTROL@" 2>/dev/null\n`;
/** By this the runtime knows that a report is complete; in front of the loop the loop says it. */
const REPORTED = `  if { \\:; } 2>"@OUTPUT@" <"@ENDED@$?/"; then \\:; fi`;

const POSIX_SIDE = forkServerText("fork-server.sh");
const BASH_SIDE = forkServerText("fork-server.bash");
const NAME_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

/** What the shell runs: a text for `sh -c`, and the arguments of that. */
export interface ForkServerScript {
  readonly text: string;
  /** What bash runs: in the text it would be a word of two thousand letters, which bash is slow to read. */
  readonly arguments: readonly string[];
}

/**
 * What a shell runs. Whether it is bash is asked of the shell, by an arithmetic expansion that
 * no other has, since variables such as BASH_VERSION may be inherited.
 * @param reportsFailure Whether a failing command of the script must be reported, where the shell can. The
 *   script could see how, in its list of traps.
 * @param tracing Letters of options that the script's first line has set, and that would show this text, too.
 * @param hooks Paths of pipes, for each of which the loaded shell itself runs what comes from there.
 */
export function forkServerScript(
  words: ForkServerWords,
  reportsFailure: boolean,
  tracing: string,
  hooks: readonly string[],
): ForkServerScript {
  const { CONTROL } = words;
  const failure = `failed/$?/$LINENO/\${BASH_COMMAND:0:${COMMAND_LENGTH_MAX}}/`;
  const failureTrap = reportsFailure ? reportTrap("ERR", CONTROL, failure) : "";
  const bashSide = adapted(BASH_SIDE, tracing, hooks).replace(
    "@REPORT_FAILURE@",
    () => failureTrap,
  );
  // A shell reads one command after the other: bash does not get to what it does not need, which would take it a
  // fifth of its start (measured). The script must not see the arguments.
  const text = `case $[2-1] in
1) \\unset BASH_EXECUTION_STRING
\\eval "$1"
\\exit ;;
esac
\\set --
${filledIn(adapted(POSIX_SIDE, tracing, hooks), words)}`;
  return { text, arguments: [`\\set --\n${filledIn(bashSide, words)}`] };
}

/**
 * Has the shell set options just before it sources the script; and, in front of its loop, run what comes through
 * each pipe, and report again what that has made of it. As for an event, the file sets what is run after it: at its
 * end a RETURN trap would run.
 */
function adapted(side: string, tracing: string, hooks: readonly string[]): string {
  const text =
    tracing === "" ? side : side.replace(SOURCING, () => `\\set -${tracing}\n  ${SOURCING}`);
  if (hooks.length === 0) return text;
  const start = text.indexOf(REPORT_BEGINNING);
  const end = text.indexOf(REPORT_END, start) + REPORT_END.length;
  const report = text.slice(start, end);
  const runs = hooks.map((path) => `${REPORTED}\n  \\. "${path}"\n  \\eval "\${1-}"${report}`);
  return text.slice(0, end) + runs.join("") + text.slice(end);
}

/** A function's name as the word of a call that no alias and no reserved word takes. */
export function callOf(functionName: string): string {
  for (let index = 0; index < functionName.length; index += 1) {
    // It has no apostrophe, and there are positional parameters where it stands.
    if (!NAME_LETTERS.includes(functionName.charAt(index))) return `'${functionName}'`;
  }
  return `\\${functionName}`;
}

/** Longest text of a command in a report, in characters: it is part of a path. */
const COMMAND_LENGTH_MAX = 1000;

/**
 * The command by which a bash ends with a report of its last command, if its status is not 0. Like the
 * loop the report runs nothing, so that `$?`, traces and other traps stay as they are.
 */
export function exitReport(control: string): string {
  const caller = "${FUNCNAME[0]-}/${BASH_LINENO[0]-}/${FUNCNAME[1]-}";
  const report = `left/${caller}/\${BASH_COMMAND:0:${COMMAND_LENGTH_MAX}}/`;
  return reportTrap("EXIT", control, report, `2>/dev/null <"/dev/null\${?##[1-9]*}"`);
}

/** In an `if`, so that it ends nothing under `set -e`; its command never runs, so that nothing is traced. */
function reportTrap(trap: string, control: string, report: string, condition = ""): string {
  const message = `{ \\:; } 2>"${control}" <"${control}/${report}"`;
  const action = condition === "" ? message : `{ ${message}; } ${condition}`;
  return `\\trap -- 'if ${action}; then \\:; fi' ${trap}`;
}

function filledIn(text: string, { SCRIPT, FUNCTION, ...paths }: ForkServerWords): string {
  let filled = text;
  for (const [word, path] of Object.entries(paths)) filled = filled.replaceAll(`@${word}@`, path);
  return (
    filled
      .replace('"@SCRIPT@"', () => quote(SCRIPT))
      // A function named command must not be called to find out about itself.
      .replace('"@FUNCTION@"', () => quote(FUNCTION === "command" ? ":" : FUNCTION))
      .replaceAll("@CALL@", () => callOf(FUNCTION))
  );
}
