/**
 * Files of NAME=VALUE lines, as `--env-file` takes them: what they say, and what of it nobody gets.
 *
 * @module
 */

import { parseEnv } from "node:util";

/** What a file says. */
interface EnvFile {
  readonly variables: Readonly<Record<string, string>>;
  /** What is left out of it, each with its line, in the order in which it is told. */
  readonly leftOut: readonly string[];
}

/** Reads the text of a file. */
export function readEnvFile(content: string): EnvFile {
  const text = content.replace(/^\ufeff/, "");
  const parsed = Object.entries(parseEnv(text)).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && isVariableName(pair[0]),
  );
  // What stands on another line may be half of a secret.
  const others = otherLines(text).map((line) => `line ${line} is not NAME=VALUE and is left out`);
  const cut = cutValues(text).map(
    ({ line, after }) =>
      `line ${line}: what follows ${after} is left out\n  put the whole value in quotes`,
  );
  return { variables: Object.fromEntries(parsed), leftOut: [...others, ...cut] };
}

/** Whether a shell can have a variable of that name. */
export function isVariableName(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

/**
 * An assignment as `parseEnv` reads it, but for names that no variable has; a value in quotes may have several
 * lines.
 */
const ASSIGNMENT =
  /^[ \t]*(?:export[ \t]+)?[A-Za-z_]\w*(?:[ \t]*=|:[ \t])([ \t]*)('[^']*'|"(?:\\"|[^"])*"|`[^`]*`)?(.*)$/gm;

/** Numbers of the lines that are not an assignment, a comment or empty line, from 1. */
function otherLines(text: string): readonly number[] {
  const others = text.replace(ASSIGNMENT, (found) => found.replace(/[^\n]+/g, ""));
  return others.split("\n").flatMap((line, at) => (/^\s*(#|$)/.test(line) ? [] : [at + 1]));
}

/** Values of which a part is left out though it seems to belong to them, by the line on which that stands, from 1. */
function cutValues(
  text: string,
): readonly { readonly line: number; readonly after: "#" | "the closing quote" }[] {
  return [...text.matchAll(ASSIGNMENT)].flatMap((found) => {
    const [whole, space = "", quoted, rest = ""] = found;
    // A comment stands apart from the value.
    const isCut = quoted === undefined ? /^#|\S#/.test(`${space}${rest}`) : /^\s*[^\s#]/.test(rest);
    if (!isCut) return [];
    const line = text.slice(0, found.index + whole.length).split("\n").length;
    return [{ line, after: quoted === undefined ? "#" : "the closing quote" }];
  });
}
