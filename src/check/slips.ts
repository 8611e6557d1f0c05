/**
 * What a shell understands otherwise than it is meant, mostly by those who know other languages: blanks around
 * `=`, none after `[`, a text that is returned, the event taken for the name of a file.
 *
 * @module
 */

import type { Node } from "web-tree-sitter";

import { commandWords } from "../shell-grammar.ts";

/** One such place. */
export interface Slip {
  readonly line: number;
  /** What is written and what it does. */
  readonly message: string;
  readonly fix: string;
  /** What comes of it on AWS, where it is an error. */
  readonly failure?: string;
  /** The program that is run by mistake: nothing is wrong where there is one of that name. */
  readonly program?: string;
  /** The function in which it stands, where it is a mistake in a handler alone. */
  readonly handler?: string;
}

/** The mistake that a node is; nothing of most. */
export function slipOf(node: Node): Slip | undefined {
  const line = node.startPosition.row + 1;
  const found = node.type === "test_command" ? testSlip(node.text, node) : commandSlip(node);
  return found === undefined ? undefined : { line, ...found };
}

type Found = Omit<Slip, "line">;

const NOT_FOUND = "command not found (status 127)";

/** Blanks that `[` and `[[` need. */
function testSlip(text: string, node: Node): Found | undefined {
  if (!text.startsWith("[")) return undefined;
  const opening = text.startsWith("[[") ? "[[" : "[";
  const closing = opening === "[[" ? "]]" : "]";
  const fix = `${opening} … ${closing}`;
  const after = text.charAt(opening.length);
  if (/\S/.test(after)) {
    return {
      message: `${opening}${after}… is the name of a program: ${opening} needs a blank after it`,
      failure: NOT_FOUND,
      fix,
    };
  }
  // A shell cannot read [[ without it.
  if (opening === "[" && text.endsWith("]") && /\S/.test(text.charAt(text.length - 2))) {
    return {
      message: `…${text.slice(-2)}: ] needs a blank before it`,
      failure: "[: missing `]' (status 2)",
      fix,
    };
  }
  const [only, other] = node.namedChildren;
  const isOneWord = only?.type === "concatenation" && other === undefined;
  if (!isOneWord || !only.children.some((part) => part?.type === "word" && /=/.test(part.text))) {
    return undefined;
  }
  return {
    message: `${text.split("\n", 1)[0]} is always true: = without blanks is a part of one word`,
    fix: `blanks around =, as in: ${opening} "$a" = "$b" ${closing}`,
  };
}

function commandSlip(node: Node): Found | undefined {
  if (node.type !== "command") return undefined;
  const [{ text: name } = { text: "" }, ...words] = commandWords(node);
  const [first] = words;
  if (first === undefined) return undefined;
  if (/^==?/.test(first.text) && /^[A-Za-z_]\w*$/.test(name)) {
    return {
      message: `${name} ${first.text.startsWith("==") ? "==" : "="} … runs a program named ${name}`,
      failure: NOT_FOUND,
      fix: `an assignment has no blanks around =: ${name}=…`,
      program: name,
    };
  }
  if (name === "return" || name === "exit") return statusSlip(name, first);
  const isFile = FILES_OF[name];
  const handler = isFile === undefined ? undefined : functionAround(node);
  if (handler === undefined || isFile?.(words.map(({ text }) => text)) !== true) return undefined;
  return {
    message: `${name} … "$1" takes the event for the name of a file: "$1" is its text`,
    failure: "No such file or directory",
    fix: `leave "$1" away: the event is on standard input too`,
    handler,
  };
}

/** A text where a shell takes a number: what depends on a variable may be one. */
function statusSlip(name: string, word: Node): Found | undefined {
  const written = [word, ...word.children]
    .filter((part) => part !== null && /^(?:word|raw_string|string_content)$/.test(part.type))
    .map((part) => part?.text ?? "")
    .join("");
  if (!/[^\s\d'+-]/.test(written)) return undefined;
  return {
    message: `${name} takes a status from 0 to 255, not a text: the response is what is printed`,
    failure: "numeric argument required (status 2)",
    fix:
      name === "return"
        ? "print the text, and return a number or nothing"
        : "print the text, an error's to >&2, and exit with a number",
  };
}

const EVENT = /^(?:"\$1"|\$1|"\$\{1\}"|\$\{1\})$/;

/** Options of jq with as many words after them, in which a text may stand. */
const JQ_OPERANDS: ReadonlyMap<string, number> = new Map([
  ["--arg", 2],
  ["--argjson", 2],
  ["--slurpfile", 2],
  ["--rawfile", 2],
  ["--indent", 1],
  ["--tab", 0],
]);

/** Programs that read files, and whether the event is among those that some words name. */
const FILES_OF: Readonly<Record<string, (words: readonly string[]) => boolean>> = {
  cat: (words) => words.some((word) => EVENT.test(word)),
  jq: (words) => {
    let hasFilter = false;
    for (let at = 0; at < words.length; at += 1) {
      const word = words[at] ?? "";
      if (word === "--args" || word === "--jsonargs") return false;
      // Not told where the filter is a file, or without input.
      if (/^-[a-zA-Z]*[nfL]|^--(?:null-input|from-file)$/.test(word)) return false;
      if (word.startsWith("-")) at += JQ_OPERANDS.get(word) ?? 0;
      else if (hasFilter && EVENT.test(word)) return true;
      else hasFilter = true;
    }
    return false;
  },
};

/** The name of the function in which a node stands. */
function functionAround(node: Node): string | undefined {
  for (let around = node.parent; around !== null; around = around.parent) {
    if (around.type === "function_definition") return around.childForFieldName("name")?.text;
  }
  return undefined;
}
