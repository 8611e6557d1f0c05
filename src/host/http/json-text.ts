/**
 * JSON as bytes: where a document ends, and how to write it on one line, without reading its
 * numbers.
 *
 * With a scanner of our own: JSON.parse loses digits of numbers, and jsonc-parser, which keeps places,
 * wants its whole text as a string. Standard input has no end that one could wait for, and an event
 * of 6 MiB takes its parseTree() three times as long as rawMembers() (measured). Where a text is not JSON,
 * jsonc-parser says the place; the words for what is wrong there stand here.
 * @module
 */

import { type ParseError, printParseErrorCode, visit } from "jsonc-parser";

import { parsedObject } from "../../json-object.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OPENING = new Set([0x7b, 0x5b]);
const CLOSING = new Set([0x7d, 0x5d]);

/** Whether bytes are only what may stand between the parts of a document. */
export function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => SPACES.has(byte));
}

/** Text of UTF-8 bytes, a byte-order mark included; nothing when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether a decoder of base64 takes the whole of a text: no line ends, nothing after the padding. */
export function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

/**
 * Parses bytes that are one JSON document in UTF-8.
 * @throws {SyntaxError|TypeError} When they are something else.
 */
export function parseJson(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

/**
 * Parses JSON. A number that JavaScript would round or write otherwise stays as it is written, also for
 * `JSON.stringify()`; see {@link isExactNumber}.
 * @throws {SyntaxError} When the text is something else.
 */
export function parseExactly(text: string): unknown {
  return JSON.parse(text, (_key: string, value: unknown, context?: { source?: string }) => {
    const source = context?.source;
    if (typeof value !== "number" || source === undefined || String(value) === source) return value;
    return (JSON as unknown as { rawJSON: (json: string) => unknown }).rawJSON(source);
  });
}

/** A number as it is written, where JavaScript would write it otherwise. */
interface ExactNumber {
  readonly rawJSON: string;
}

/** True for a number that {@link parseExactly} has left as it is written. */
export function isExactNumber(value: unknown): value is ExactNumber {
  const isObject = typeof value === "object" && value !== null;
  return isObject && "rawJSON" in value && Object.isFrozen(value);
}

/** Why a text is not JSON. */
export interface JsonFault {
  /** Where, in UTF-16 units; nothing when that cannot be told. */
  readonly offset: number | undefined;
  readonly words: string;
  /** Whether it is a comment, which other forms of JSON have. */
  readonly isComment: boolean;
}

/** What is wrong with a text; nothing when it is JSON, as JSON.parse and a function's jq say. */
export function jsonFault(text: string): JsonFault | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    let first: ParseError | undefined;
    try {
      first = firstFault(text);
    } catch (tooDeep) {
      if (!(tooDeep instanceof RangeError)) throw tooDeep;
      return { offset: undefined, words: TOO_DEEP, isComment: false };
    }
    if (first === undefined) return { offset: undefined, words: String(error), isComment: false };
    const isComment = /Comment/.test(printParseErrorCode(first.error));
    return { offset: first.offset, words: faultWords(text, first), isComment };
  }
}

/** A place in a text as editors show it: `2:7`. */
export function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

/** Thrown to stop jsonc-parser. */
class Found extends Error {
  readonly fault: ParseError;

  constructor(fault: ParseError) {
    super("found");
    this.fault = fault;
  }
}

/**
 * The first fault of a text: parse() would make all values of it, and go on to its end, which takes a server
 * seconds for a large one.
 */
function firstFault(text: string): ParseError | undefined {
  const onError = (error: ParseError["error"], offset: number, length: number) => {
    throw new Found({ error, offset, length });
  };
  try {
    visit(text, { onError }, { disallowComments: true });
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Found) return thrown.fault;
    throw thrown;
  }
}

/** jsonc-parser calls itself for each level, JSON.parse does not. */
const TOO_DEEP = "lists and objects in it are nested too deeply to tell where it is wrong";

/**
 * What is wrong with bytes that should be one JSON document, in words and with the place; nothing when they
 * are one.
 */
export function jsonComplaint(bytes: Uint8Array): string | undefined {
  const text = decodeUtf8(bytes);
  if (text === undefined) return "it is not UTF-8";
  // As parseJson() does, which takes a byte-order mark.
  const fault = jsonFault(text.replace(/^\ufeff/, ""));
  if (fault === undefined) return undefined;
  const { offset, words } = fault;
  return offset === undefined ? words : `offset ${offset}: ${words}`;
}

/** Longest piece of a text that is shown again, in characters. */
const SHOWN_LENGTH_MAX = 20;

function faultWords(text: string, { offset, length, error }: ParseError): string {
  const whole = text.slice(offset, offset + length);
  const piece = length === 0 ? "the end" : JSON.stringify(whole.slice(0, SHOWN_LENGTH_MAX));
  switch (printParseErrorCode(error)) {
    case "UnexpectedEndOfString": {
      const isBroken = text.includes("\n", offset);
      return `a string without its closing quote${isBroken ? ' in the same line: a line feed is written "\\n"' : ""}`;
    }
    case "InvalidUnicode":
    case "InvalidEscapeCharacter":
      return 'a string with an invalid escape: a backslash is written "\\\\"';
    case "InvalidCharacter": {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what JSON refuses.
      const [character = ""] = /[\x00-\x1f]/.exec(whole) ?? [];
      return `a string with a control character: write ${JSON.stringify(character)}`;
    }
    case "InvalidCommentToken":
    case "UnexpectedEndOfComment":
      return "JSON has no comments";
    case "CommaExpected":
      return `a comma is missing before ${piece}`;
    case "ColonExpected":
      return `a colon is missing before ${piece}`;
    case "PropertyNameExpected":
      return `expected the name of a member in double quotes, got ${piece}`;
    case "ValueExpected":
      return `expected a value, got ${piece}`;
    case "CloseBraceExpected":
      return 'it ends before the closing "}"';
    case "CloseBracketExpected":
      return 'it ends before the closing "]"';
    // The rest is something that does not belong where it stands.
    default:
      return `unexpected ${length === 0 ? "end" : piece}`;
  }
}

/** True when the bytes are one JSON document in UTF-8. */
export function isJson(bytes: Uint8Array): boolean {
  try {
    parseJson(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Knows of each unit of a JSON text whether it is in a string, and how deep. */
class Scanner {
  /** Objects and arrays that are open. */
  depth = 0;
  inString = false;
  #escaped = false;

  /** Takes the next byte or UTF-16 unit. */
  take(unit: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (unit === QUOTE) this.inString = !this.inString;
    else if (this.inString) this.#escaped = unit === BACKSLASH;
    else if (OPENING.has(unit)) this.depth += 1;
    else if (CLOSING.has(unit)) this.depth = Math.max(0, this.depth - 1);
  }
}

/** Leaves out the white space between the tokens of a JSON document; every token stays as it is. */
export function compactJson(bytes: Uint8Array): Uint8Array {
  const compact = new Uint8Array(bytes.byteLength);
  const scanner = new Scanner();
  let length = 0;
  for (const byte of bytes) {
    if (!scanner.inString && SPACES.has(byte)) continue;
    compact[length] = byte;
    length += 1;
    scanner.take(byte);
  }
  return compact.subarray(0, length);
}

/** Finds the ends of JSON documents that follow one another, fed byte by byte. */
export class JsonBoundary {
  readonly #scanner = new Scanner();
  #begun = false;

  /** True in the middle of an object, an array or a string. */
  get open(): boolean {
    return this.#scanner.depth > 0 || this.#scanner.inString;
  }

  /**
   * Takes the next byte.
   * @returns "within" a document, "after" its last byte (`}` or `]` or the closing quote),
   * "between" documents, or "before" when this byte begins a new one after a bare number or word.
   */
  take(byte: number): "within" | "after" | "between" | "before" {
    const wasOpen = this.open;
    this.#scanner.take(byte);
    if (wasOpen) {
      if (this.open) return "within";
      this.#begun = false;
      return "after";
    }
    if (SPACES.has(byte)) {
      if (!this.#begun) return "between";
      this.#begun = false;
      return "before";
    }
    // What closes nothing ends the piece, so that it is told as one that is not JSON.
    if (CLOSING.has(byte)) {
      this.#begun = false;
      return "after";
    }
    const splits = this.open && this.#begun;
    this.#begun = true;
    return splits ? "before" : "within";
  }
}

/**
 * The members of a JSON object with their values as they are written, so that no number loses a
 * digit.
 * @returns Nothing when the text is not a JSON object.
 */
export function rawMembers(json: string): Map<string, string> | undefined {
  if (parsedObject(json) === undefined) return undefined;
  const members = new Map<string, string>();
  for (const part of rawParts(json)) {
    const [name = "", value = ""] = cut(part, COLON);
    members.set(String(JSON.parse(name)), value);
  }
  return members;
}

/**
 * The elements of a JSON array as they are written.
 * @returns Nothing when the text is not a JSON array.
 */
export function rawElements(json: string): readonly string[] | undefined {
  return Array.isArray(parsedJson(json)) ? rawParts(json) : undefined;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a JSON object or array holds, as it is written, cut at its own commas. */
function rawParts(json: string): readonly string[] {
  const parts = cut(json.trim().slice(1, -1), COMMA);
  return parts.length === 1 && parts[0] === "" ? [] : parts;
}

/** The pieces of a JSON text between separators that are in no string, object or array. */
function cut(json: string, separator: number): string[] {
  const scanner = new Scanner();
  const pieces: string[] = [];
  let start = 0;
  for (let at = 0; at < json.length; at += 1) {
    const unit = json.charCodeAt(at);
    if (unit === separator && scanner.depth === 0 && !scanner.inString) {
      pieces.push(json.slice(start, at).trim());
      start = at + 1;
    }
    scanner.take(unit);
  }
  return [...pieces, json.slice(start).trim()];
}
