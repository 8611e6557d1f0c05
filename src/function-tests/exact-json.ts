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
      differences.push({ path, words: contrast(wanted, given) });
    }
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

function contrast(wanted: Json, given: Json): string {
  const both = typeof wanted === "string" && typeof given === "string";
  if (!both || Math.max(wanted.length, given.length) <= SHOWN_LENGTH_MAX) {
    return `expected ${shown(wanted)}, got ${shown(given)}`;
  }
  return textContrast(wanted, given);
}

/** Characters before the first difference that are shown. */
const CONTEXT_LENGTH = 30;

/** Where two long texts part. */
export function textContrast(wanted: string, given: string): string {
  let at = 0;
  while (at < wanted.length && wanted[at] === given[at]) at += 1;
  const from = Math.max(0, at - CONTEXT_LENGTH);
  const piece = (text: string) => {
    const cut = text.slice(from, from + SHOWN_LENGTH_MAX);
    return `${from > 0 ? "…" : ""}${JSON.stringify(cut)}${from + SHOWN_LENGTH_MAX < text.length ? "…" : ""}`;
  };
  return `differs from character ${at + 1} on: expected ${piece(wanted)}, got ${piece(given)}`;
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
