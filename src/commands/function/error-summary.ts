/**
 * A function error in words for the person who wrote the function.
 *
 * @module
 */

import { isJson } from "../../host/http/json-text.ts";
import type { FunctionErrorOutcome } from "../../host/invocation/outcome.ts";
import type { FunctionSettings } from "../../host/invocation/settings.ts";
import { LAMBDA_PATH } from "../../host/sandbox/variables.ts";
import { parsedObject } from "../../json-object.ts";
import { programFix } from "../../program.ts";
import { EXIT } from "../cli/exit-status.ts";
import { shellWord } from "../cli/suggest.ts";

/** Lines of the log that are shown again. */
const LOG_LINES_MAX = 5;

/** What is known of a failed invocation. */
interface Failure {
  readonly errorType: string;
  /** What happened, in words. */
  readonly message: string;
  /** Of the command or bootstrap that ended, where that is known. */
  readonly exitStatus: number | undefined;
  readonly durationMs: number | undefined;
  readonly log: string;
  readonly path: string;
  /** What helps with a bootstrap that was not executed, by its file on this computer. */
  readonly startFix?: string | undefined;
}

/** What went wrong, the last lines of the log, and a hint where one is known. */
export function errorSummary(outcome: FunctionErrorOutcome, settings: FunctionSettings): string {
  if (outcome.origin === "timeout") return timeoutSummary(settings, outcome.stillRunning);
  const { errorType, words, exitStatus, report } = outcome;
  const told =
    words === undefined
      ? toldFailure(outcome.body, errorType)
      : { errorType, message: words, exitStatus };
  const [program = ""] = settings.command;
  return failureSummary({
    ...told,
    durationMs: report.durationMs,
    log: new TextDecoder().decode(report.log),
    path: settings.variables["PATH"] ?? LAMBDA_PATH,
    ...(isNotStarted(told) ? { startFix: programFix(program) } : {}),
  });
}

/** Whether a bootstrap could not be executed; ours says the same of a handler's interpreter, in other words. */
function isNotStarted({ errorType, message }: Pick<Failure, "errorType" | "message">): boolean {
  return (
    errorType === "Runtime.InvalidEntrypoint" && /^(?:Couldn't find|fork\/exec )/.test(message)
  );
}

/** An error that a server responded with, as far as its body and the end of the log tell. */
export function serverErrorSummary(
  body: Uint8Array,
  log: string,
  durationMs: number | undefined,
): { readonly message: string; readonly exitStatus: number } {
  const told = toldFailure(body, "Unhandled");
  if (told.errorType === "Sandbox.Timedout") {
    const seconds = /after ([\d.]+) seconds/.exec(told.message)?.[1] ?? "?";
    const message = `function timed out after ${seconds} s (Sandbox.Timedout)`;
    return { message, exitStatus: EXIT.timedOut };
  }
  const message = failureSummary({ ...told, durationMs, log, path: LAMBDA_PATH });
  const crashed = /^Runtime\./.test(told.errorType);
  return { message, exitStatus: crashed ? EXIT.crashed : EXIT.functionError };
}

/** The summary of any failure but a time-out. */
export function failureSummary(failure: Failure): string {
  const { errorType, message, exitStatus, durationMs, log, path, startFix } = failure;
  const after = durationMs ? ` after ${Math.round(durationMs)} ms` : "";
  const lines = [`${errorType}${after}: ${message}`, ...logLines(log)];
  const hint =
    errorType === "Runtime.InvalidEntrypoint"
      ? (startFix ?? startHint(message))
      : statusHint(exitStatus, message, log, path);
  if (hint !== undefined) lines.push(`  ${hint}`);
  return lines.join("\n");
}

/** What helps when a bootstrap could not be executed, by the words of Lambda's supervisor. */
function startHint(message: string): string | undefined {
  if (message.startsWith("Couldn't find valid bootstrap(s)")) {
    return "name the one to run: --bootstrap PATH, or -- COMMAND";
  }
  const [, program = "", reason = ""] = /^fork\/exec (.+): ([^:]+)$/s.exec(message) ?? [];
  switch (reason) {
    case "permission denied":
      return `it must be a file that may be executed: chmod +x ${shellWord(program)}`;
    case "exec format error":
      return "it must begin with a #! line, or be a program for this computer's architecture";
    case "no such file or directory":
      return "the program that its #! line names, or the loader that it was linked for, is not there";
    default:
      return undefined;
  }
}

/** What helps when a shell could not start a command; shells say 126 and 127 of other causes too. */
function statusHint(
  exitStatus: number | undefined,
  message: string,
  log: string,
  path: string,
): string | undefined {
  // The cause, if the runtime has found it in the shell's words.
  const cause = /^[^:(]*\bstatus \d+ \(([^)]*)/.exec(message)?.[1];
  if (
    exitStatus === 126 &&
    (cause ?? "a command was not executable") === "a command was not executable"
  ) {
    return "126 means a command is not executable: chmod +x it";
  }
  if (exitStatus === 127 && (cause ?? "a command was not found") === "a command was not found") {
    const [, program] = LAYER_PROGRAM.exec(`${message}\n${log}`.trimEnd()) ?? [];
    if (program !== undefined) {
      return (
        `on AWS the layer lambda-shell-runtime brings ${program}; on this computer install it, ` +
        `or name a folder with bin/${program}: --layer DIR`
      );
    }
    return (
      "127 means a command was not found: install it where the function runs, or add it as a layer " +
      `(here: --layer DIR); PATH inside the function: ${path}`
    );
  }
  return exitStatus === undefined ? undefined : wordsHint(message);
}

/** The words of a shell about a program that the layer has. */
const LAYER_PROGRAM = /(?:^|[\s:])(aws|jq): (?:inaccessible or )?(?:command )?not found$/;

/** What helps where a shell or program took a text for something else, by its words at the message's end. */
function wordsHint(message: string): string | undefined {
  const [, command] = TEXT_AS_STATUS.exec(message) ?? [];
  if (command !== undefined) {
    return `${command} takes a status from 0 to 255, not a text: the response is what is printed`;
  }
  return TEXT_AS_FILE.test(message)
    ? '"$1" is the event, not the name of a file; programs find it on standard input too, as in: jq .name'
    : undefined;
}

/** As bash, and as others say it. */
const TEXT_AS_STATUS =
  /: (return|exit): (?:line \d+: )?(?:.*: numeric argument required|(?:Illegal|bad) number: .*)$/s;

/** An object or a list where a file was looked for. */
const TEXT_AS_FILE = /(?:open (?:file )?|: )'?[{[].*: (?:open: )?no such file/is;

/** What a time-out killed, and how to allow more. */
export function timeoutSummary(
  { name, timeoutMs }: Pick<FunctionSettings, "name" | "timeoutMs">,
  stillRunning: readonly string[],
): string {
  const seconds = (timeoutMs / 1000).toFixed(2);
  const lines = [`function timed out after ${seconds} s (Sandbox.Timedout)`];
  if (stillRunning.length > 0)
    lines.push(`  still running when killed: ${stillRunning.join("; ")}`);
  lines.push(`  raise with --timeout 10 or lambda-shell.toml [function.${name}] timeout = 10`);
  return lines.join("\n");
}

/** Log lines before a payload that are looked past. */
const OUTPUT_LINES_MAX = 20;

/** A warning when log lines stand before the JSON of a response. */
export function outputWarning(body: Uint8Array): string | undefined {
  if (isJson(body)) return undefined;
  let start = 0;
  for (let lines = 1; lines <= OUTPUT_LINES_MAX; lines += 1) {
    const end = body.indexOf(0x0a, start);
    if (end === -1) return undefined;
    start = end + 1;
    const rest = body.subarray(start);
    const isContainer = /^\s*[{[]/.test(new TextDecoder().decode(rest.subarray(0, 64)));
    if (!isContainer || !isJson(rest)) continue;
    const line = JSON.stringify(new TextDecoder().decode(body.subarray(0, body.indexOf(0x0a))));
    const more = lines === 1 ? "" : ` and ${lines - 1} more line${lines === 2 ? "" : "s"}`;
    return (
      `handler wrote to stdout before its JSON payload (${line}${more})\n` +
      `  stdout is the response; send logs to stderr: echo ${line} >&2`
    );
  }
  return undefined;
}

function logLines(log: string): readonly string[] {
  const text = log.trimEnd();
  if (text === "") return [];
  const lines = text.split("\n").slice(-LOG_LINES_MAX);
  return ["  last lines on stderr:", ...lines.map((line) => `    ${line}`)];
}

/** A failure as another process tells it: a runtime, or a server with the platform's words. */
function toldFailure(
  body: Uint8Array,
  recordedType: string,
): Pick<Failure, "errorType" | "message" | "exitStatus"> {
  const { errorType, errorMessage } = errorMembers(body, recordedType);
  const message = errorMessage.replace(/^RequestId: \S+ Error: (Runtime exited with error: )?/, "");
  // After the first colon come the handler's own words.
  const isExit = /^(?:Runtime\.ExitError|Runtime\.InitError|Function\.ExitError)$/.test(errorType);
  const status = isExit ? /^[^:]*\bstatus (\d+)\b/.exec(message)?.[1] : undefined;
  return { errorType, message, exitStatus: status === undefined ? undefined : Number(status) };
}

function errorMembers(
  body: Uint8Array,
  recordedType: string,
): { readonly errorType: string; readonly errorMessage: string } {
  const text = new TextDecoder().decode(body);
  const error = parsedObject(text);
  // The type that the platform has recorded is all there is.
  if (error === undefined) return { errorType: recordedType, errorMessage: text };
  const { errorType = recordedType, errorMessage = "" } = error;
  return { errorType: String(errorType), errorMessage: String(errorMessage) };
}
