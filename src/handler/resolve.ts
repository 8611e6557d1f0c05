/**
 * From `_HANDLER` to what must be run, or to the reason why it cannot be.
 *
 * Pure path logic and a look at the file, by look-ups that are handed in: the runtime asks libc, the
 * tool asks Node's file system, and both get the same result in the same words. It starts nothing.
 *
 * Its time is part of every cold start, so that it does without regular expressions and array
 * callbacks, whose first use costs.
 * @module
 */

import type { InitErrorType } from "../runtime-api/function-error.ts";
import {
  baseName,
  BYTE_ORDER_MARK,
  isShell,
  isUtf16,
  isUtf16Script,
  shebangWords,
} from "./script.ts";

/** The shell that a handler runs in, with the options that its shebang names. */
export interface Shell {
  readonly path: string;
  readonly options: readonly string[];
}

/** What `_HANDLER` means. */
export type Handler =
  | {
      /** A function of a shell script, which is loaded once. */
      readonly kind: "function";
      readonly script: string;
      readonly functionName: string;
      readonly shell: Shell;
    }
  | {
      /** A file that is run for each event. */
      readonly kind: "file";
      readonly script: string;
      readonly command: readonly string[];
      readonly shell: Shell;
    }
  | {
      readonly kind: "rejected";
      readonly errorType: InitErrorType;
      readonly errorMessage: string;
      /** The file that is wrong; absent where there is none. */
      readonly script?: string;
    };

/** What is asked of files. */
export interface Files {
  /** True for a regular file, at the end of all links. */
  readonly isFile: (path: string) => boolean;
  /** True when the function's user may execute it. */
  readonly mayExecute: (path: string) => boolean;
  /** How a file begins, its first line at least; undefined when it can't be read. */
  readonly start: (path: string) => string | undefined;
  /** A program by its bare name, in PATH as the handler has it. */
  readonly program: (name: string) => string | undefined;
  /** PATH as the handler has it. */
  readonly searchPath: () => string;
}

const DEFAULT_SHELL: Shell = { path: "/bin/sh", options: [] };
const NAME_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
/** What else bash and others take in a function's name: `my-handler`, `aws::handler`, `ok?`. */
const MORE_LETTERS = "-:+@%,^!?=[]~";
const LAST_ASCII = "\x7f";
/** How a program begins that Linux executes. */
const ELF = "\x7fELF";

/** Resolves `_HANDLER` against the folder of the function's code, `LAMBDA_TASK_ROOT`. */
export function resolveHandler(name: string, taskRoot: string, files: Files): Handler {
  if (name === "") {
    return rejected(
      "Runtime.MalformedHandlerName",
      "the handler's name is empty: set it to FILE.FUNCTION (function.handler) or to a file's name",
    );
  }
  const file = name.startsWith("/") ? name : `${taskRoot}/${name}`;
  if (files.isFile(file)) return resolveFile(file, files);
  const lastPart = baseName(name);
  const dot = lastPart.lastIndexOf(".");
  const stem = dot > 0 ? lastPart.slice(0, dot) : "";
  const functionName = dot < 0 ? "" : lastPart.slice(dot + 1);
  const isRejected = stem === "" || !isFunctionName(functionName);
  if (isRejected && name !== name.trim()) return blankName(name);
  if (isRejected) {
    const isWhole = functionName !== "" && stem !== "";
    const fault = isWhole
      ? `"${functionName}" cannot name a function`
      : "not of the form FILE.FUNCTION";
    return rejected(
      "Runtime.MalformedHandlerName",
      `the handler ${name}: no such file (${file}), and ${fault}: ` +
        "write FILE.FUNCTION, as in function.handler for handler() in function.sh",
    );
  }
  const folder = file.slice(0, -lastPart.length);
  const script = `${folder}${stem.endsWith(".sh") ? stem : `${stem}.sh`}`;
  if (!files.isFile(script)) {
    if (name !== name.trim()) return blankName(name);
    // Of a name that ends in .sh both are the same.
    const tried = script === file ? file : `${file} and ${script}`;
    return rejected("Runtime.NoSuchHandler", `no file for the handler ${name}: tried ${tried}`);
  }
  return resolveFunction(script, functionName, files);
}

function blankName(name: string): Handler {
  return rejected(
    "Runtime.MalformedHandlerName",
    `the handler's name ${JSON.stringify(name)} begins or ends with a blank or a line end: remove it`,
  );
}

function resolveFunction(script: string, functionName: string, files: Files): Handler {
  const text = files.start(script);
  if (text === undefined) return unreadable(script);
  const damage = foreignText(script, text);
  if (damage !== undefined) return damage;
  const shell = shellOf(script, text, files);
  return "kind" in shell ? shell : { kind: "function", script, functionName, shell };
}

function resolveFile(script: string, files: Files): Handler {
  const executable = files.mayExecute(script);
  const text = files.start(script);
  // What is executable need not be readable, unless it has a shebang.
  if (text === undefined && !executable) return unreadable(script);
  const start = text ?? "";
  // What a kernel executes may begin like UTF-16, too.
  const isWide = executable ? isUtf16Script(start) : isUtf16(start);
  // A text that is executed without a first line that names its interpreter is read by a shell.
  if (isWide || start.startsWith("#!") || !start.includes("\0")) {
    const damage = foreignText(script, start);
    if (damage !== undefined) return damage;
  }
  if (executable) {
    const missing = missingInterpreter(script, start, files);
    return missing ?? { kind: "file", script, command: [script], shell: DEFAULT_SHELL };
  }
  if (start.startsWith(ELF)) {
    return rejected(
      "Runtime.InvalidEntrypoint",
      `${script} is a program and not executable: give it mode 0755 before it is zipped`,
      script,
    );
  }
  const shell = shellOf(script, start, files);
  if ("kind" in shell) return shell;
  return { kind: "file", script, command: [shell.path, ...shell.options, script], shell };
}

/** The shell that a script's shebang names: `/bin/sh` without one. */
function shellOf(
  script: string,
  text: string,
  files: Files,
): Shell | (Handler & { kind: "rejected" }) {
  const words = shebangWords(text);
  const [interpreter] = words;
  if (interpreter === undefined) return DEFAULT_SHELL;
  const missing = missingInterpreter(script, text, files);
  if (missing !== undefined) return missing;
  const viaEnv = baseName(interpreter) === "env";
  const command = viaEnv ? words.slice(words[1] === "-S" ? 2 : 1) : words;
  const [program = "", ...options] = command;
  // What ends the options, as in `#!/bin/sh -`, would end them before the runtime's.
  const last = options[options.length - 1];
  if (last === "-" || last === "--") options.pop();
  const name = baseName(program);
  const path = viaEnv ? findProgram(program, files) : program;
  if (path === undefined && (program === "" || program.startsWith("-") || program.includes("="))) {
    return rejected(
      "Runtime.InvalidEntrypoint",
      `${script}: its first line must name a shell after env, or after env -S, as in ` +
        `#!${interpreter} bash: other options of env, and variables, are not supported`,
      script,
    );
  }
  if (path === undefined) {
    return rejected(
      "Runtime.InvalidEntrypoint",
      `the shell that ${script} names is missing: env does not find ${program} in PATH (${files.searchPath()})`,
      script,
    );
  }
  if (isShell(name, options[0])) return { path, options };
  return rejected(
    "Runtime.InvalidEntrypoint",
    `${script}: ${program} is not a supported shell: use sh, bash, dash, ash, ` +
      "ksh, mksh or busybox sh, or make it a file handler: chmod +x, and the file's name as handler",
    script,
  );
}

function missingInterpreter(
  script: string,
  text: string,
  files: Files,
): (Handler & { kind: "rejected" }) | undefined {
  const [interpreter] = shebangWords(text);
  if (interpreter === undefined || files.mayExecute(interpreter)) return undefined;
  return rejected(
    "Runtime.InvalidEntrypoint",
    `the interpreter that ${script} names is missing or not executable: ${interpreter}`,
    script,
  );
}

function findProgram(name: string, files: Files): string | undefined {
  return name.includes("/") ? name : files.program(name);
}

/** Names what a shell would only stumble over: CRLF line ends, a byte-order mark, or two bytes for each letter. */
function foreignText(script: string, text: string): (Handler & { kind: "rejected" }) | undefined {
  if (text.startsWith(BYTE_ORDER_MARK)) {
    return rejected(
      "Runtime.UserCodeSyntaxError",
      `${script} begins with a byte-order mark: save it as UTF-8 without BOM`,
      script,
    );
  }
  // Shells leave the NULs out, and find neither the first line's shell nor an end of its lines.
  if (isUtf16(text)) {
    return rejected(
      "Runtime.UserCodeSyntaxError",
      `${script} is UTF-16, as Windows PowerShell writes it: save it as UTF-8 without BOM`,
      script,
    );
  }
  if (text.charAt(text.indexOf("\n") - 1) === "\r") {
    return rejected(
      "Runtime.UserCodeSyntaxError",
      `${script} has CRLF line ends: convert it to LF, for example with sed -i 's/\\r$//'`,
      script,
    );
  }
  return undefined;
}

function unreadable(script: string): Handler & { kind: "rejected" } {
  return rejected(
    "Runtime.InvalidEntrypoint",
    `${script} is not readable: give it mode 0644 (or 0755) before it is zipped`,
    script,
  );
}

function rejected(
  errorType: InitErrorType,
  errorMessage: string,
  script?: string,
): Handler & { kind: "rejected" } {
  const known = script === undefined ? {} : { script };
  return { kind: "rejected", errorType, errorMessage, ...known };
}

/** Whether some shell has functions of such a name; whether the function's has, it says itself. */
function isFunctionName(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const letter = text.charAt(index);
    const isLetter = NAME_LETTERS.includes(letter) || letter > LAST_ASCII;
    if (!isLetter && !MORE_LETTERS.includes(letter)) return false;
  }
  return text !== "";
}
