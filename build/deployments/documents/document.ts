/**
 * The fenced blocks of a Markdown document, with what the words after ``` say about them.
 *
 * | words | what the test does |
 * |---|---|
 * | `sh` | runs it; the blocks of a document share one folder and one shell, in their order |
 * | `sh fails` | runs it alone in an empty folder: it must fail with the last heading's `code` |
 * | `sh deployments` | needs what `make deployments` runs itself: syntax, shellcheck, `make -n` |
 * | `sh npm` | needs the packages, and is run by `make test-npm`: syntax, shellcheck |
 * | `sh aws`, `docker`, `cluster` | needs that: syntax, shellcheck, `make -n` |
 * | `sh NAME.sh` | writes it as a file into the document's folder, and checks its syntax |
 * | `json`, `yaml`, `toml`, `hcl`, `ts` | parses it; with a file's name after it, also writes it |
 * | `text output` | must be what the block before it printed on standard output |
 * | `text`, or none | nothing: it is for people, and has no commands |
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "../layer-dist.ts";

/** What `sh` needs that a test has not. */
const ELSEWHERE = ["deployments", "npm", "aws", "docker", "cluster"] as const;

/** One fenced block. */
export type Block = { readonly line: number; readonly text: string } & (
  | { readonly kind: "run" }
  | { readonly kind: "fails"; readonly message: string }
  | { readonly kind: "elsewhere" }
  | {
      readonly kind: "data";
      readonly language: "json" | "yaml" | "toml" | "hcl" | "ts";
      readonly file?: string;
    }
  | { readonly kind: "file"; readonly file: string }
  | { readonly kind: "wrong"; readonly reason: string }
  | { readonly kind: "output" }
  | { readonly kind: "people" }
);

/** A document with its blocks. */
export interface Document {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly blocks: readonly Block[];
}

/** A line that a reader would take for something to run. */
const COMMAND = /^(\$ .*|(?:make|aws|sam|docker|curl|lambda-shell|npm|git) .*)$/m;

/** Folders whose documents are not ours. */
const IGNORED = /(^|\/)(node_modules|dist|cache|cdk\.out|\.aws-sam|\.git)\//;

/** Reads every document of the repository. */
export function readDocuments(): readonly Document[] {
  return [...new Bun.Glob("**/*.md").scanSync({ cwd: ROOT })]
    .filter((path) => !IGNORED.test(path))
    .sort()
    .map((path) => ({ path, blocks: readBlocks(readFileSync(join(ROOT, path), "utf8"), path) }));
}

/**
 * Finds the fenced blocks of a text.
 * @throws {Error} When a block has no end.
 */
function readBlocks(markdown: string, path: string): readonly Block[] {
  const blocks: Block[] = [];
  let heading = "";
  let open: { line: number; words: readonly string[]; text: string[] } | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (open === undefined) {
      heading = /^#+ .*?`([^`]+)`/.exec(line)?.[1] ?? heading;
      if (fence !== null) open = { line: index + 1, words: words(fence[1]), text: [] };
    } else if (fence === null) {
      open.text.push(line);
    } else {
      const text = open.text.map((each) => `${each}\n`).join("");
      blocks.push(block(open.words, { line: open.line, text }, heading));
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`the block at ${path}:${open.line} has no end`);
  return blocks;
}

const words = (text = "") => text.trim().split(/\s+/);

function block(
  [language = "", ...rest]: readonly string[],
  place: { readonly line: number; readonly text: string },
  heading: string,
): Block {
  const [word] = rest;
  switch (language) {
    case "sh":
      if (word === undefined) return { ...place, kind: "run" };
      if (word === "fails") return { ...place, kind: "fails", message: heading };
      if (ELSEWHERE.some((each) => each === word)) return { ...place, kind: "elsewhere" };
      return { ...place, kind: "file", file: word };
    case "json":
    case "yaml":
    case "toml":
    case "hcl":
    case "ts":
      return { ...place, kind: "data", language, ...(word === undefined ? {} : { file: word }) };
    case "":
    case "text": {
      const command = COMMAND.exec(place.text)?.[0];
      if (command !== undefined && word !== "output") {
        return { ...place, kind: "wrong", reason: `it hides a command: ${command}` };
      }
      return { ...place, kind: word === "output" ? "output" : "people" };
    }
    default:
      return { ...place, kind: "wrong", reason: `it is in "${language}", which is not known` };
  }
}
