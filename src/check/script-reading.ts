/**
 * What a shell script does, as far as it can be seen without running it: the commands that it runs, the
 * files that it loads and writes, and what in it only bash knows.
 *
 * What depends on a variable is not told, so that nothing is said of it that may be wrong.
 *
 * @module
 */

import type { Node } from "web-tree-sitter";

import { commandWords, parseScript } from "../shell-grammar.ts";
import { type Slip, slipOf } from "./slips.ts";

/** A command with the words that are written out. */
export interface ScriptCommand {
  readonly line: number;
  readonly name: string;
  /** Its arguments; nothing for one that is only known when it runs. */
  readonly words: readonly (string | undefined)[];
  /** True when its standard input is a pipe, a file or a here-document, and not the script's own. */
  readonly hasInput: boolean;
}

/** A place in a script, with what stands there. */
export interface ScriptPlace {
  readonly line: number;
  readonly text: string;
}

/** A script that has been looked through. */
export interface ScriptReading {
  /** False for one that would take too long: nothing is known of it. */
  readonly isRead: boolean;
  readonly commands: readonly ScriptCommand[];
  /** Paths of files that it takes in, by `.` or `source`. */
  readonly sources: readonly ScriptPlace[];
  /** True when it takes in a file whose path only the shell knows, or text that it makes. */
  readonly loadsUnknown: boolean;
  /** True when it gives PATH a value of its own. */
  readonly setsPath: boolean;
  /** Paths that it looks for, as by `[ -f PATH ]`. */
  readonly tested: ReadonlySet<string>;
  /** Paths that its output is redirected to. */
  readonly outputs: readonly ScriptPlace[];
  /** Functions that it defines. */
  readonly functions: ReadonlySet<string>;
  /** True when all that it does is to define them: run as a program, it does nothing. */
  readonly definesOnly: boolean;
  /** Where it defines them. */
  readonly definitions: readonly ScriptPlace[];
  /** What a shell without bash's extensions does not understand. */
  readonly bashOnly: readonly ScriptPlace[];
  /** What is probably meant otherwise. */
  readonly slips: readonly Slip[];
  /** Commands outside of functions that nothing decides on. */
  readonly loading: readonly ScriptPlace[];
}

/** The function's folder on Lambda. */
export const TASK_ROOT = "/var/task";

/**
 * Looks through a script.
 * @param folder Its folder as the script sees it, such as `/var/task/lib`.
 */
export async function readScript(text: string, folder = TASK_ROOT): Promise<ScriptReading> {
  const tree = await parseScript(text);
  const reader = new Reader(folder);
  if (tree === undefined) return reader;
  reader.read(tree.rootNode);
  tree.delete();
  return reader;
}

const lineOf = (node: Node) => node.startPosition.row + 1;

/** Ways in which a script names the folder that it lies in. */
const OWN_FOLDER = new RegExp(
  [
    /\$\(\s*dirname\s+(?:--\s+)?"?\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?"?\s*\)/,
    /\$\{(?:0|BASH_SOURCE(?:\[0\])?)%\/\*\}/,
    /\$\(\s*cd\s+(?:--\s+)?"?\$\(\s*dirname\s+(?:--\s+)?"?\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?"?\s*\)"?(?:\s*>\s*\/dev\/null(?:\s+2>&1)?)?\s*&&\s*pwd(?:\s+-P)?\s*\)/,
  ]
    .map(({ source }) => `^(?:${source})$`)
    .join("|"),
);

const TASK_ROOT_VARIABLE = /^\$\{?LAMBDA_TASK_ROOT\}?$/;

/** Programs that run another one with the words after their own options. */
const WRAPPERS: ReadonlyMap<string, RegExp> = new Map([
  ["command", /^-p$/],
  ["builtin", /^$/],
  ["exec", /^-/],
  ["env", /^(?:-|[A-Za-z_]\w*=)/],
  ["nice", /^-|^\d+$/],
  ["nohup", /^$/],
  ["setsid", /^-/],
  ["stdbuf", /^-/],
  ["sudo", /^-/],
  ["time", /^-/],
  ["timeout", /^-|^[\d.]+[smhd]?$/],
]);

/** Commands that bash has and other shells need not have. */
const BASH_COMMANDS: readonly string[] = [
  ...["source", "declare", "typeset", "shopt", "mapfile", "readarray", "pushd", "popd", "let"],
  ...["coproc", "compgen", "complete", "disown", "enable", "caller", "dirs"],
];

/** Names that `set -o` takes in bash alone. */
const BASH_OPTIONS = /(?:pipefail|errtrace|functrace|posix|braceexpand|histexpand|physical)/;

/** Variables that bash sets. */
const BASH_VARIABLES =
  /(?:BASH\w*|S?RANDOM|SECONDS|EPOCH(?:SECONDS|REALTIME)|PIPESTATUS|FUNCNAME|E?UID|HOSTNAME|REPLY)/;

/** What `trap` takes in bash alone. */
const BASH_SIGNALS = /(?:ERR|DEBUG|RETURN|SIG[A-Z]+\d*)/;

/**
 * What only bash knows, roughly: a text without any of it need not be taken apart. Everything that
 * {@link ScriptReading.bashOnly} may have must match.
 */
export const MAYBE_BASH = new RegExp(
  [
    /\[\[|\(\(|<<<|[<>]\(|&>|>&|\|&|\$['"]|=\(|\+=|==|;&|\{[^}\n]*(?:,|\.\.)|\{\w+\}[<>]|%[^%\n]*[qQ(]/,
    anyWord("select", "function", ...BASH_COMMANDS),
    anyWord(BASH_OPTIONS.source, BASH_VARIABLES.source, BASH_SIGNALS.source),
    /\$\{!|\$\{[\w[\]@*#]*[/^,:@[]/,
    /\b(?:echo|printf|read|local|export|readonly|wait|type|test)\s+-|\[\s+-v\s/,
  ]
    .map(({ source }) => source)
    .join("|"),
);

/** Matches a text that has one of some words. */
function anyWord(...words: readonly string[]): RegExp {
  return new RegExp(`\\b(?:${words.join("|")})\\b`);
}

/** Whether a whole word is of one form. */
function isWord(form: RegExp, word: string): boolean {
  return new RegExp(`^${form.source}$`).test(word);
}

/** Parts of a script of which nothing outside it can be seen. */
const WITHOUT_EFFECT =
  /^(?:comment|function_definition|variable_assignments?|declaration_command)$/;

/** Whether a part of a script only prepares what others do. */
function isWithoutEffect(part: Node): boolean {
  if (part.descendantsOfType("command_substitution").length > 0)
    return part.type === "function_definition";
  return WITHOUT_EFFECT.test(part.type) || /^(?:set|shopt|umask)\b/.test(part.text);
}

/** A node that must still be read. */
interface Visit {
  readonly node: Node;
  /** Whether its standard input is given by what is around it. */
  readonly hasInput: boolean;
}

class Reader implements ScriptReading {
  isRead = false;
  readonly commands: ScriptCommand[] = [];
  readonly sources: ScriptPlace[] = [];
  loadsUnknown = false;
  setsPath = false;
  readonly tested = new Set<string>();
  readonly outputs: ScriptPlace[] = [];
  readonly functions = new Set<string>();
  definesOnly = false;
  readonly definitions: ScriptPlace[] = [];
  readonly bashOnly: ScriptPlace[] = [];
  readonly slips: Slip[] = [];
  readonly loading: ScriptPlace[] = [];
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Reads a tree in the order of its text; not by a call for each level, of which `a && b && …` has as many as commands. */
  read(root: Node): void {
    this.isRead = true;
    const parts = root.namedChildren.filter((part) => part !== null);
    const defines = parts.some(({ type }) => type === "function_definition");
    this.definesOnly = defines && parts.every(isWithoutEffect);
    for (const part of parts) {
      const [name] = part.type === "command" ? commandWords(part) : [];
      if (name !== undefined) this.loading.push({ line: lineOf(part), text: name.text });
    }
    const waiting: Visit[] = [{ node: root, hasInput: false }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      for (const child of this.#visit(next).toReversed()) waiting.push(child);
    }
  }

  /** Notes what a node is. @returns Its children. */
  #visit({ node, hasInput }: Visit): readonly Visit[] {
    this.#noteBashOnly(node);
    const slip = slipOf(node);
    if (slip !== undefined) this.slips.push(slip);
    switch (node.type) {
      case "command":
        this.#command(node, hasInput);
        break;
      case "function_definition": {
        const name = node.childForFieldName("name")?.text ?? "";
        this.functions.add(name);
        this.definitions.push({ line: lineOf(node), text: name });
        break;
      }
      case "variable_assignment":
        this.setsPath ||= node.childForFieldName("name")?.text === "PATH";
        break;
      case "file_redirect":
        this.#redirect(node);
        break;
      case "unary_expression":
        if (/^-[abcdefghLprsSuwx]$/.test(node.firstChild?.text ?? "")) this.#test(node.lastChild);
        break;
    }
    let isAfterPipe = false;
    const isGiven = hasInput || (node.type === "redirected_statement" && redirectsInput(node));
    const children: Visit[] = [];
    for (const child of node.children) {
      if (child === null) continue;
      isAfterPipe ||= child.type === "|" || child.type === "|&";
      children.push({ node: child, hasInput: isGiven || isAfterPipe });
    }
    return children;
  }

  #command(node: Node, hasInput: boolean): void {
    const [named, ...given] = commandWords(node);
    if (named === undefined) return;
    const [first, ...rest] = [named, ...given].map((word) => this.#literal(word));
    const line = lineOf(node);
    let name = first;
    let words = rest;
    if (name === "." || name === "source") {
      if (words[0] === undefined) this.loadsUnknown = true;
      else this.sources.push({ line, text: words[0] });
      return;
    }
    for (
      let options = WRAPPERS.get(name ?? "");
      options !== undefined;
      options = WRAPPERS.get(name ?? "")
    ) {
      // `command -v NAME` runs nothing.
      if (name === "command" && /^-[vV]/.test(words[0] ?? "")) break;
      this.commands.push({ line, name: name ?? "", words, hasInput });
      const skipped = options;
      const at = words.findIndex((word) => word === undefined || !skipped.test(word));
      if (at === -1) return;
      [name, ...words] = words.slice(at);
    }
    if (name === "eval") this.loadsUnknown = true;
    if (name === "test" && /^-[a-zA-Z]$/.test(words[0] ?? "")) this.tested.add(words[1] ?? "");
    if (name !== undefined) this.commands.push({ line, name, words, hasInput });
  }

  #test(operand: Node | null): void {
    const path = operand === null ? undefined : this.#literal(operand);
    if (path !== undefined) this.tested.add(path);
  }

  #redirect(node: Node): void {
    const operator = node.children.find(
      (child) => child !== null && /^[<>&]/.test(child.type),
    )?.type;
    const destination = node.childForFieldName("destination");
    if (destination === null || operator === undefined || !/^&?>{1,2}[|]?$/.test(operator)) return;
    const text = this.#literal(destination);
    if (text !== undefined) this.outputs.push({ line: lineOf(node), text });
  }

  /** A word without its quotes; nothing when only the shell knows it. */
  #literal(node: Node): string | undefined {
    if (TASK_ROOT_VARIABLE.test(node.text)) return TASK_ROOT;
    if (OWN_FOLDER.test(node.text)) return this.#folder;
    switch (node.type) {
      case "word":
      case "number":
      case "string_content":
      case "extglob_pattern":
        return /[*?[]|^~/.test(node.text) ? undefined : node.text.replace(/\\(.)/gs, "$1");
      case "raw_string":
        return node.text.slice(1, -1);
      case "string":
      case "concatenation":
      case "command_name": {
        const parts = node.children
          .filter((child) => child !== null && child.type !== '"')
          .map((child) => (child === null ? undefined : this.#literal(child)));
        return parts.includes(undefined) ? undefined : parts.join("");
      }
      default:
        return undefined;
    }
  }

  #noteBashOnly(node: Node): void {
    const what = bashOnly(node);
    if (what !== undefined) this.bashOnly.push({ line: lineOf(node), text: what });
  }
}

function redirectsInput(node: Node): boolean {
  return node.children.some(
    (child) =>
      child !== null &&
      (/^here(?:doc|string)_redirect$/.test(child.type) ||
        (child.type === "file_redirect" && child.children.some((each) => each?.type === "<"))),
  );
}

/** What of a node a plain POSIX shell does not understand. */
function bashOnly(node: Node): string | undefined {
  const first = node.firstChild?.type ?? "";
  switch (node.type) {
    case "test_command":
      if (first === "[[" || first === "((") return first;
      if (node.children.some((child) => child !== null && hasChild(child, "==")))
        return "[ … == … ]";
      return node.children.some((child) => child?.firstChild?.text === "-v") ? "[ -v" : undefined;
    case "compound_statement":
      return first === "((" ? "((" : undefined;
    case "function_definition":
      return first === "function" ? "function" : undefined;
    case "array":
      return "an array";
    case "herestring_redirect":
      return "<<<";
    case "process_substitution":
      return node.text.slice(0, 2);
    case "ansi_c_string":
      return "$'…'";
    case "c_style_for_statement":
      return "for ((";
    case "for_statement":
      return first === "select" ? "select" : undefined;
    case "variable_assignment":
      return hasChild(node, "+=") ? "+=" : undefined;
    case "brace_expression":
      return node.text;
    case "concatenation":
      return /\{[^{}"]*,[^{}"]*\}/.test(unquoted(node)) ? node.text : undefined;
    case "translated_string":
      return '$"…"';
    case ";&":
    case ";;&":
      return node.type;
    case "expansion":
      // Replacement, letter case, substrings and indirection.
      return /^\$\{(?:!|#?\w+(?:\[[^\]]*\])?(?:\/|\^|,|:(?:[\d$(]|\s+[-\d$(])|@|\[))/.test(
        node.text,
      )
        ? node.text
        : undefined;
    case "file_redirect":
      if (node.children.some((child) => /^&>>?$/.test(child?.type ?? ""))) return "&>";
      // To a descriptor any shell redirects.
      return hasChild(node, ">&") &&
        !/^(?:\d+|-|\d+-|["$].*)$/s.test(node.childForFieldName("destination")?.text ?? "-")
        ? ">& FILE"
        : undefined;
    case "|&":
      return "|&";
    case "declaration_command": {
      if (/^(?:declare|typeset)$/.test(first)) return first;
      const option = node.children.find((child) => child?.text.startsWith("-"))?.text;
      return option === undefined || option === "-p" ? undefined : `${first} ${option}`;
    }
    case "simple_expansion": {
      const name = node.text.slice(1);
      return isWord(BASH_VARIABLES, name) ? node.text : undefined;
    }
    case "command": {
      const [name = "", ...words] = commandWords(node).map((word) => word?.text ?? "");
      if (BASH_COMMANDS.includes(name)) return name;
      if (name === "echo" && /^-[neE]*e/.test(words[0] ?? "")) return "echo -e";
      if (name === "printf" && words[0] === "-v") return "printf -v";
      if (name === "read" && words.some((word) => /^-[a-zA-Z]*[aNnptdsu]/.test(word))) {
        return `read ${words.find((word) => word.startsWith("-"))}`;
      }
      return bashOnlyWord(name, words);
    }
    default:
      return undefined;
  }
}

/** What of a command's words other shells do not know. */
function bashOnlyWord(name: string, words: readonly string[]): string | undefined {
  const [first = ""] = words;
  switch (name) {
    case "trap": {
      const signal = words.find((word) => isWord(BASH_SIGNALS, word));
      return signal === undefined ? undefined : `trap … ${signal}`;
    }
    case "kill": {
      const signal = words.find((word) => /^(?:-SIG|SIG[A-Z])/.test(word));
      return signal === undefined ? undefined : `kill … ${signal}`;
    }
    case "set": {
      const option = words.find((word) => isWord(BASH_OPTIONS, word));
      return option === undefined ? undefined : `set -o ${option}`;
    }
    case "wait":
    case "type":
      return first.startsWith("-") ? `${name} ${first}` : undefined;
    case "test":
      if (words.includes("==")) return "test … == …";
      return first === "-v" ? "test -v" : undefined;
    case "printf":
      return /%(?:[-#0 +]*[\d.]*[qQ]|[-\d]*\()/.test(first.replaceAll("%%", ""))
        ? "printf %q"
        : undefined;
    case "exec":
      return /^\{\w+\}$/.test(first) ? `exec ${first}` : undefined;
    default:
      return undefined;
  }
}

function hasChild(node: Node, type: string): boolean {
  return node.children.some((child) => child?.type === type);
}

/** The text of a word, with a quote for each of its parts that is quoted. */
function unquoted(node: Node): string {
  return node.children
    .map((child) => (child?.type === "word" || child?.isNamed === false ? child.text : '"'))
    .join("");
}
