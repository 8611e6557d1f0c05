/**
 * Bash's grammar, by tree-sitter: a script as a tree that can be looked through without running it.
 *
 * @see https://github.com/tree-sitter/tree-sitter-bash
 * @module
 */

import grammar from "tree-sitter-bash/tree-sitter-bash.wasm" with { type: "file" };
import { Language, type Node, Parser, type Tree } from "web-tree-sitter";
import engine from "web-tree-sitter/web-tree-sitter.wasm" with { type: "file" };

let loading: Promise<Parser> | undefined;

/** Characters that are handed to the parser at once. */
const PIECE_LENGTH = 4096;

/**
 * How often the parser may ask for a piece of a text: so many times, and for each piece of it. At what is left
 * open, as each `(` of `case x in (case x in (`, the grammar looks ahead to the text's end, so that the time would
 * grow with the square of its length. Scripts that people write ask 22 times for a piece at most (measured on a
 * thousand).
 */
const READS_MAX = { once: 500, forEachPiece: 100 };

/**
 * Reads the grammar, once; it takes some 50 ms.
 * @returns What takes a script apart; nothing for one that would take too long.
 */
export async function shellParser(): Promise<(text: string) => Tree | undefined> {
  loading ??= loadParser();
  const parser = await loading;
  return (text) => {
    const readsMax = READS_MAX.once + READS_MAX.forEachPiece * (text.length / PIECE_LENGTH);
    let reads = 0;
    const read = (index: number) => {
      reads += 1;
      return text.slice(index, index + PIECE_LENGTH);
    };
    const tree = parser.parse(read, null, { progressCallback: () => reads > readsMax });
    // Stopped, it would go on with this text at the next one.
    if (tree === null) parser.reset();
    return tree ?? undefined;
  };
}

/**
 * Takes a script apart.
 * @returns A tree, whose memory is freed by `delete()`; nothing when it would take too long. What is not bash's
 * stands in it as an error.
 */
export async function parseScript(text: string): Promise<Tree | undefined> {
  return (await shellParser())(text);
}

/** A command's name, where it has one, and its arguments. */
export function commandWords(command: Node): readonly [name: Node | undefined, ...words: Node[]] {
  const name = command.childForFieldName("name") ?? undefined;
  const words = command.childrenForFieldName("argument").filter((word) => word !== null);
  // Of `PATH=$PATH:$HOME/bin` the grammar takes `HOME/bin`, which follows without a blank, for a command's name.
  const isOfValue = command.children.some(
    (part) => part?.type === "variable_assignment" && part.endIndex === name?.startIndex,
  );
  return isOfValue ? [words[0], ...words.slice(1)] : [name, ...words];
}

async function loadParser(): Promise<Parser> {
  // The engine's types do not know that it takes the bytes of its program.
  const options: object = { wasmBinary: await Bun.file(engine).bytes() };
  await Parser.init(options);
  const parser = new Parser();
  parser.setLanguage(await Language.load(await Bun.file(grammar).bytes()));
  return parser;
}
