/**
 * JSON whose numbers keep all their digits: compared as values, and where two values differ.
 *
 * @module
 */

import { isExactNumber, parseExactly } from "../host/http/json-text.ts";

/** A value of JSON. */
type Json = unknown;

/** How an expected value is compared: whole, or by those members that it names. */
export type Comparison = "equal" | "contains";

/** One place where two values differ. */
export interface Difference {
  /** Where, such as `response.items[1].id`. */
  readonly path: string;
  /** What is the matter there, in words. */
  readonly words: string;
}

/** Longest piece of a value that is shown, in characters. */
const SHOWN_LENGTH_MAX = 120;

/**
 * Finds where a JSON text differs from the expected one; white space and the order of members do not
 * matter.
 * @param comparison With `contains`, objects may have further members; lists have the same length.
 * @param name What the path begins with.
 * @throws {SyntaxError} When a text is not JSON.
 */
export function jsonDifferences(
  expected: string,
  actual: string,
  comparison: Comparison,
  name: string,
): readonly Difference[] {
  const differences: Difference[] = [];
  compare(parseExactly(expected), parseExactly(actual), name);
  return differences;

  function compare(wanted: Json, given: Json, path: string): void {
    if (Array.isArray(wanted) && Array.isArray(given)) {
      compareLists(wanted, given, path);
    } else if (isObject(wanted) && isObject(given)) {
      compareObjects(wanted, given, path);
    } else if (scalarText(wanted) !== scalarText(given)) {
      if (typeof wanted === "string" && typeof given === "string")
        compareTexts(wanted, given, path);
      else differences.push({ path, words: `expected ${shown(wanted)}, got ${shown(given)}` });
    }
  }

  /** What is a body in JSON, as for API Gateway, is told by its own members, named as jq does. */
  function compareTexts(wanted: string, given: string, path: string): void {
    const before = differences.length;
    const [inner, other] = [containerIn(wanted), containerIn(given)];
    if (inner !== undefined && other !== undefined) compare(inner, other, `(${path}|fromjson)`);
    // They may differ in white space alone.
    if (differences.length > before) return;
    differences.push({ path, words: contrast(wanted, given) });
  }

  function compareLists(wanted: readonly Json[], given: readonly Json[], path: string): void {
    for (let at = 0; at < Math.min(wanted.length, given.length); at += 1) {
      compare(wanted[at], given[at], `${path}[${at}]`);
    }
    if (wanted.length === given.length) return;
    const words = `expected ${count(wanted.length)}, got ${given.length}`;
    differences.push({ path, words });
  }

  function compareObjects(
    wanted: Readonly<Record<string, Json>>,
    given: Readonly<Record<string, Json>>,
    path: string,
  ): void {
    for (const [key, value] of Object.entries(wanted)) {
      const place = memberPath(path, key);
      if (Object.hasOwn(given, key)) compare(value, given[key], place);
      else differences.push({ path: place, words: `missing, expected ${shown(value)}` });
    }
    if (comparison === "contains") return;
    for (const [key, value] of Object.entries(given)) {
      if (Object.hasOwn(wanted, key)) continue;
      differences.push({ path: memberPath(path, key), words: `not expected, got ${shown(value)}` });
    }
  }
}

/**
 * The members of an actual value that an expected one names, as JSON text.
 * @throws {SyntaxError} When a text is not JSON.
 */
export function projectJson(expected: string, actual: string): string {
  return JSON.stringify(project(parseExactly(expected), parseExactly(actual)));
}

function project(wanted: Json, given: Json): Json {
  if (!isObject(wanted) || !isObject(given)) return given;
  const kept = Object.keys(wanted).filter((key) => Object.hasOwn(given, key));
  return Object.fromEntries(kept.map((key) => [key, project(wanted[key], given[key])]));
}

function isObject(value: Json): value is Record<string, Json> {
  if (typeof value !== "object" || value === null) return false;
  return !Array.isArray(value) && !isExactNumber(value);
}

/** The list or object of which a text is the JSON; nothing of any other text. */
function containerIn(text: string): Json {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return parseExactly(text);
  } catch {
    return undefined;
  }
}

/** One text for each value that is neither list nor object; lists and objects are unlike each other. */
function scalarText(value: Json): string {
  if (isExactNumber(value)) return decimal(value.rawJSON);
  if (typeof value === "number") return decimal(String(value));
  if (Array.isArray(value)) return "list";
  return typeof value === "object" && value !== null ? "object" : JSON.stringify(value);
}

/** A number's digits and exponent in one spelling: 1.50, 1.5 and 15e-1 are the same. */
function decimal(source: string): string {
  const [, sign = "", whole = "", fraction = "", power = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return "0";
  const exponent =
    BigInt(power) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${sign}${significant}e${exponent}`;
}

function contrast(wanted: string, given: string): string {
  const isShort = Math.max(wanted.length, given.length) <= SHOWN_LENGTH_MAX;
  return isShort && !hasLines(wanted) && !hasLines(given)
    ? `expected ${shown(wanted)}, got ${shown(given)}`
    : textContrast(wanted, given);
}

/** Characters before the first difference that are shown. */
const CONTEXT_LENGTH = 30;

/** Lines of each of two texts that are shown. */
const SHOWN_LINES_MAX = 5;

/** Where two texts part: by their lines, where they have several. */
export function textContrast(wanted: string, given: string): string {
  if (hasLines(wanted) || hasLines(given)) return lineContrast(wanted, given);
  const { at, pieces } = parting(wanted, given);
  const [before, after] = pieces.map(quoted);
  return `differs from character ${at + 1} on: expected ${before}, got ${after}`;
}

function hasLines(text: string): boolean {
  return /\n./s.test(text);
}

function lineContrast(wanted: string, given: string): string {
  const [before, after] = [wanted.split("\n"), given.split("\n")];
  let at = 0;
  while (at < before.length && before[at] === after[at]) at += 1;
  const [expected, got] = [before.slice(at), after.slice(at)];
  while (expected.length > 0 && got.length > 0 && expected.at(-1) === got.at(-1)) {
    expected.pop();
    got.pop();
  }
  if (expected.length === 0 || got.length === 0) {
    const rest = [...expected, ...got];
    if (rest.length === 1 && rest[0] === "") {
      const [has, lacks] = expected.length === 0 ? ["got", "expected"] : ["expected", "got"];
      return `differs at its end: ${has} a line feed, ${lacks} none`;
    }
  }
  // Of lines that are long the one in which they part is shown where it does.
  const { pieces } = parting(expected[0] ?? "", got[0] ?? "");
  const lines = (sign: string, texts: readonly string[], first: Piece | undefined) =>
    texts.slice(0, SHOWN_LINES_MAX).map((text, index) => {
      const piece = (index === 0 ? first : undefined) ?? cutOut(text, 0);
      return `\n  ${sign} ${shownLine(piece)}`;
    });
  const shownLines = [...lines("-", expected, pieces[0]), ...lines("+", got, pieces[1])];
  return `differs from line ${at + 1} on:${shownLines.join("")}`;
}

/** A part of a text. */
interface Piece {
  readonly text: string;
  readonly isCutBefore: boolean;
  readonly isCutAfter: boolean;
}

/** Where two texts part, and what of both is shown. */
function parting(
  wanted: string,
  given: string,
): { readonly at: number; readonly pieces: readonly Piece[] } {
  let at = 0;
  while (at < wanted.length && wanted[at] === given[at]) at += 1;
  const isLong = Math.max(wanted.length, given.length) > SHOWN_LENGTH_MAX;
  const from = isLong || at > CONTEXT_LENGTH ? Math.max(0, at - CONTEXT_LENGTH) : 0;
  return { at, pieces: [wanted, given].map((text) => cutOut(text, from)) };
}

function cutOut(text: string, from: number): Piece {
  const to = from + SHOWN_LENGTH_MAX;
  return { text: text.slice(from, to), isCutBefore: from > 0, isCutAfter: to < text.length };
}

function quoted({ text, isCutBefore, isCutAfter }: Piece): string {
  return `${isCutBefore ? "…" : ""}${JSON.stringify(text)}${isCutAfter ? "…" : ""}`;
}

/** A line as it is; in quotes where one could not see what it has. */
function shownLine(piece: Piece): string {
  const { text, isCutBefore, isCutAfter } = piece;
  if (!/^[\p{L}\p{N}\p{P}\p{S} ]*$/u.test(text) || text.endsWith(" ")) return quoted(piece);
  return `${isCutBefore ? "…" : ""}${text}${isCutAfter ? "…" : ""}`;
}

function count(length: number): string {
  return length === 1 ? "1 element" : `${length} elements`;
}

/** A value on one line, cut where it is long. */
function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_LENGTH_MAX ? `${text.slice(0, SHOWN_LENGTH_MAX)}…` : text;
}

function memberPath(path: string, key: string): string {
  return /^[A-Za-z_]\w*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}
