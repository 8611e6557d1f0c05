/**
 * Where the commands of a shell script begin, and by which line and word bash's trace names each.
 *
 * What the trace says of a line was measured with bash 5.2: a command
 * has the line on which its first word ends, `[[` and `((` that on which they end themselves. Of commands
 * in a substitution over several lines bash says other lines than theirs, so these are not told.
 *
 * @module
 */

import type { Node } from "web-tree-sitter";

import { commandWords, shellParser } from "../shell-grammar.ts";
import { unquoted } from "./trace-reader.ts";

/** One command of a script, as a trace names it. */
export interface TracedCommand {
  /** The line on which it begins, from 1. */
  readonly line: number;
  /** The line that the trace names. */
  readonly tracedLine: number;
  /** What its first word may be in the trace; nothing where that is only known when it runs. */
  readonly words: readonly string[] | undefined;
}

/** Lines of which nothing can be said, and why. */
export interface UnknownLines {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** A script taken apart. */
export interface ParsedScript {
  readonly commands: readonly TracedCommand[];
  readonly unknown: readonly UnknownLines[];
}

/** A parser of scripts, once bash's grammar has been read. */
export async function scriptParser(): Promise<(text: string) => ParsedScript> {
  const parse = await shellParser();
  return (text) => {
    const tree = parse(text);
    if (tree === undefined) {
      const to = text.replace(/\n$/, "").split("\n").length;
      return { commands: [], unknown: [{ from: 1, to, reason: "takes too long to be read" }] };
    }
    const commands: TracedCommand[] = [];
    const unknown: UnknownLines[] = [];
    collect(tree.rootNode, commands, unknown);
    tree.delete();
    return { commands, unknown };
  };
}

const startLine = (node: Node) => node.startPosition.row + 1;
const endLine = (node: Node) => node.endPosition.row + 1;

/** A part of a script that must still be looked through, or a substitution of which all has been. */
interface Visit {
  readonly node: Node;
  /** Takes the commands that are found in it. */
  readonly found: TracedCommand[];
  readonly isDone: boolean;
}

/** Looks through a tree in the order of its text; not by a call for each level, of which a text may have any number. */
function collect(root: Node, commands: TracedCommand[], unknown: UnknownLines[]): void {
  const waiting: Visit[] = [{ node: root, found: commands, isDone: false }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, found, isDone } = next;
    if (isDone) {
      noteSubstituted(node, found, unknown);
      continue;
    }
    if (node.type === "ERROR" || node.isMissing) {
      const reason = "not understood as bash";
      unknown.push({ from: startLine(node), to: endLine(node), reason });
      continue;
    }
    const isInner = /^(command|process)_substitution$/.test(node.type);
    const inNode: TracedCommand[] = isInner ? [] : found;
    if (isInner) waiting.push({ node, found: inNode, isDone: true });
    const command = commandOf(node);
    if (command !== undefined) inNode.push(command);
    for (const child of node.children.toReversed()) {
      if (child !== null) waiting.push({ node: child, found: inNode, isDone: false });
    }
  }
}

/** What a command substitutes on its own line is run with it, and not counted; what follows has no line of its own. */
function noteSubstituted(
  substitution: Node,
  commands: readonly TracedCommand[],
  unknown: UnknownLines[],
): void {
  const lines = commands.map(({ line }) => line).filter((line) => line > startLine(substitution));
  const [first] = lines;
  if (first === undefined) return;
  const reason =
    "inside a command substitution over several lines; bash's trace has other line numbers for it";
  const range = lines.reduce(
    ({ from, to }, line) => ({ from: Math.min(from, line), to: Math.max(to, line) }),
    { from: first, to: first },
  );
  unknown.push({ ...range, reason });
}

function commandOf(node: Node): TracedCommand | undefined {
  const [first] = node.children;
  if (first === undefined || first === null) return undefined;
  const made = (tracedLine: number, ...words: readonly string[]) => ({
    line: startLine(node),
    tracedLine,
    words: words.length === 0 ? undefined : words,
  });
  switch (node.type) {
    case "command": {
      const [name, ...words] = commandWords(node);
      return name === undefined
        ? made(endLine(first), assigned(first))
        : made(endLine(first), ...firstWords([name, ...words]));
    }
    case "declaration_command":
    case "unset_command":
      return made(endLine(first), first.text);
    case "test_command":
      return made(first.text === "[" ? startLine(node) : endLine(node), first.text);
    case "compound_statement":
      return first.text === "((" ? made(endLine(node), "((") : undefined;
    case "for_statement":
    case "case_statement":
      return made(startLine(node), first.text);
    case "c_style_for_statement":
      return made(startLine(node), "((");
    case "variable_assignment":
      return /^(command|declaration_command|variable_assignments|c_style_for_statement)$/.test(
        node.parent?.type ?? "",
      )
        ? undefined
        : made(endLine(node), assigned(node));
    case "variable_assignments":
      return made(endLine(first), assigned(first));
    default:
      return undefined;
  }
}

/** The variable that an assignment is for. */
function assigned(assignment: Node): string {
  return (assignment.firstChild?.text ?? "").replace(/\[.*/s, "");
}

/** The name of a command as it may be traced; none where it is not written as it is. */
function firstWords(command: readonly Node[]): readonly string[] {
  const words = command.map(({ text }) => text);
  const [first = ""] = words;
  // A keyword to bash, which traces what comes after it; with an option it is a program to sh.
  const timed = first === "time" ? words.slice(1).find((word) => word !== "-p") : undefined;
  const candidates = [first, ...(timed === undefined ? [] : [timed])].map(unquoted);
  return candidates.every((word) => /^[\w./:@%+,\-[]+$/.test(word)) ? candidates : [];
}
