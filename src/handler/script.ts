/**
 * What a shell script says of itself: the shell of its first line, the functions that it defines.
 *
 * @module
 */

/** Bytes EF BB BF as text; editors of other systems put them before a text in UTF-8. */
export const BYTE_ORDER_MARK = "\ufeff";

/** Bytes FF FE or FE FF, the same mark in UTF-16, as text in UTF-8, in which neither is anything. */
const UTF16_MARK = "\ufffd\ufffd";
/** How much of a text in UTF-16 has the mark and two letters. */
const UTF16_START_LENGTH = 6;

/** Whether a text is UTF-16 that was read as UTF-8: of the two bytes of its first letter one is NUL. */
export function isUtf16(text: string): boolean {
  const start = text.startsWith(UTF16_MARK) ? UTF16_MARK.length : 0;
  return (text.charAt(start) === "\0") !== (text.charAt(start + 1) === "\0");
}

/** Whether such a text begins with `#!`, as no program does. */
export function isUtf16Script(text: string): boolean {
  return isUtf16(text) && text.slice(0, UTF16_START_LENGTH).includes("#\0!");
}

const SHELL_NAMES = ["sh", "bash", "dash", "ash", "ksh", "mksh"];

/** What a shell's program may be called besides: `ksh93`, `bash-5.2`, `mksh-static`. */
const STATIC = "-static";
const VERSION = "0123456789.-";

/** True for a program that can load a function handler. */
export function isShell(name: string, firstOption: string | undefined): boolean {
  if (name === "busybox") return SHELL_NAMES.includes(firstOption ?? "");
  if (SHELL_NAMES.includes(name)) return true;
  let end = name.endsWith(STATIC) ? name.length - STATIC.length : name.length;
  while (VERSION.includes(name.charAt(end - 1)) && end > 0) end -= 1;
  return SHELL_NAMES.includes(name.slice(0, end));
}

/** The interpreter of a script's first line with its options; empty without such a line. */
export function shebangWords(text: string): string[] {
  if (!text.startsWith("#!")) return [];
  const [line = ""] = text.slice(2).split("\n", 1);
  const words: string[] = [];
  for (const word of line.replaceAll("\t", " ").split(" ")) if (word !== "") words.push(word);
  return words;
}

/** A shell's options, and apart from them those by which it shows what it reads and runs. */
export interface SplitOptions {
  readonly others: readonly string[];
  /** Their letters, `v` and `x`. */
  readonly tracing: string;
}

/** What else is not a list of letters, though it begins like one and has one of these. */
const LONG_OPTION = "-posix";

/**
 * Takes `-v` and `-x` out of a shell's options, in whatever form: `-eux`, `-o xtrace`, `-oe xtrace`,
 * `--verbose`.
 */
export function splitTracing(options: readonly string[]): SplitOptions {
  const others: string[] = [];
  let tracing = "";
  for (let index = 0; index < options.length; index += 1) {
    const option = options[index] ?? "";
    const long = tracingOption(option);
    if (long !== "") {
      tracing += long;
      continue;
    }
    if (option === LONG_OPTION || !/^-[a-zA-Z]/.test(option)) {
      others.push(option);
      continue;
    }
    let rest = "";
    for (const letter of option) {
      if (letter === "v" || letter === "x") tracing += letter;
      else rest += letter;
    }
    const named = rest.includes("o") ? tracingName(options[index + 1]) : "";
    if (named !== "") {
      tracing += named;
      rest = rest.replace("o", "");
      index += 1;
    }
    if (rest !== "-") others.push(rest);
  }
  return { others, tracing };
}

function tracingName(name: string | undefined): string {
  if (name === "verbose") return "v";
  return name === "xtrace" ? "x" : "";
}

/** Bash takes its long options with one dash, too; the second of the names is ksh93's. */
function tracingOption(option: string): string {
  return option === "-verbose" || option.startsWith("--")
    ? tracingName(option.replace(/^-+/, ""))
    : "";
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The functions that a script defines, as far as they can be seen without running it. */
export function definedFunctions(text: string): string[] {
  const definition =
    /^[ \t]*(?:function[ \t]+([^\s(){}"'$\\]+)|([^\s(){}"'$\\`|&;<>=#]+)[ \t]*\([ \t]*\))/gm;
  const names = [...text.matchAll(definition)].map(([, keyword, posix]) => keyword ?? posix ?? "");
  return [...new Set(names)];
}

/** True when a script takes in other files, which may define anything. */
export function sourcesOthers(text: string): boolean {
  // Most do not, and an expression takes long to be made.
  if (!text.includes(". ") && !text.includes(".\t") && !text.includes("source")) return false;
  return /(?:^|[;&|{()!`]|\b(?:if|elif|then|else|while|until|do|command|builtin)\b|=\S{0,99}[ \t]|\beval[ \t]+["'])[ \t]*\\?(?:\.|source)[ \t]+\S/m.test(
    text,
  );
}
