/**
 * The files and folders that programs of a script write, by their arguments: on Lambda only `/tmp` can be written,
 * and on one's own computer all of the function's folder.
 *
 * @module
 */

import type { ScriptCommand } from "./script-reading.ts";

/** Words as far as they are known before the script runs. */
type Words = readonly (string | undefined)[];

/** Programs that make or change files, and which of their words are those files. */
const WRITERS: ReadonlyMap<string, (words: Words) => Words> = new Map([
  ["mkdir", (words) => operands(words, /^(?:-m|--mode)$/)],
  ["touch", (words) => operands(words, /^(?:-[dtr]|--date|--reference)$/)],
  ["tee", (words) => operands(words)],
  ["cp", lastOperand],
  ["mv", lastOperand],
  ["ln", lastOperand],
  ["curl", (words) => words.filter((_, at) => /^(?:-\w*o|--output)$/.test(words[at - 1] ?? ""))],
  [
    "aws",
    ([service, action, ...words]) =>
      service === "s3" && /^(?:cp|mv|sync)$/.test(action ?? "") ? awsTarget(words) : [],
  ],
]);

/** Words that are neither options nor what belongs to one. */
function operands(words: Words, withValue?: RegExp): Words {
  return words.filter(
    (word, at) => !word?.startsWith("-") && withValue?.test(words[at - 1] ?? "") !== true,
  );
}

/** Where files are copied to; nothing where an option says it, or only the shell knows how many words there are. */
function lastOperand(words: Words): Words {
  const isOption = (word: string | undefined) =>
    /^(?:-\w*[tS]|--(?:target|suffix))/.test(word ?? "");
  const files = operands(words);
  return words.some(isOption) || files.length < 2 ? [] : files.slice(-1);
}

/** The second of two places, where it is not S3; options may have a word after them. */
function awsTarget([from, to]: Words): Words {
  const isPlace = (word: string | undefined) => word !== undefined && !word.startsWith("-");
  return isPlace(from) && isPlace(to) && !to?.startsWith("s3://") ? [to] : [];
}

/**
 * Paths that a command writes, as far as they are written out.
 * @returns Nothing of `-`, which is standard output.
 */
export function writtenBy({ name, words }: ScriptCommand): readonly string[] {
  const paths = WRITERS.get(name)?.(words) ?? [];
  return paths.flatMap((path) => (path === undefined || path === "-" ? [] : [path]));
}
