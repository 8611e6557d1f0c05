/**
 * Bash's grammar, by tree-sitter: a script as a tree that can be looked through without running it.
 *
 * @see https://github.com/tree-sitter/tree-sitter-bash
 * @module
 */

import grammar from "tree-sitter-bash/tree-sitter-bash.wasm" with { type: "file" };
import { Language, Parser, type Tree } from "web-tree-sitter";
import engine from "web-tree-sitter/web-tree-sitter.wasm" with { type: "file" };

let loading: Promise<Parser> | undefined;

/** Reads the grammar, once; it takes some 50 ms. */
export async function shellParser(): Promise<(text: string) => Tree> {
  loading ??= loadParser();
  const parser = await loading;
  return (text) => {
    const tree = parser.parse(text);
    if (tree === null) throw new Error("the parser of shell scripts was stopped");
    return tree;
  };
}

/**
 * Takes a script apart.
 * @returns A tree, whose memory is freed by `delete()`. What is not bash's stands in it as an error.
 */
export async function parseScript(text: string): Promise<Tree> {
  return (await shellParser())(text);
}

async function loadParser(): Promise<Parser> {
  // The engine's types do not know that it takes the bytes of its program.
  const options: object = { wasmBinary: await Bun.file(engine).bytes() };
  await Parser.init(options);
  const parser = new Parser();
  parser.setLanguage(await Language.load(await Bun.file(grammar).bytes()));
  return parser;
}
