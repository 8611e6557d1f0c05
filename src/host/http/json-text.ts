/**
 * JSON as bytes: where a document ends, and how to write it on one line, without reading its
 * numbers.
 *
 * @module
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACES = new Set([0x20, 0x09, 0x0a, 0x0d]);
const OPENING = new Set([0x7b, 0x5b]);
const CLOSING = new Set([0x7d, 0x5d]);

/** True when the bytes are one JSON document in UTF-8. */
export function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Leaves out the white space between the tokens of a JSON document; every token stays as it is. */
export function compactJson(bytes: Uint8Array): Uint8Array {
  const compact = new Uint8Array(bytes.byteLength);
  let length = 0;
  let inString = false;
  let escaped = false;
  for (const byte of bytes) {
    if (!inString && SPACES.has(byte)) continue;
    compact[length] = byte;
    length += 1;
    if (escaped) escaped = false;
    else if (inString && byte === BACKSLASH) escaped = true;
    else if (byte === QUOTE) inString = !inString;
  }
  return compact.subarray(0, length);
}

/** Finds the ends of JSON documents that follow one another, fed byte by byte. */
export class JsonBoundary {
  #depth = 0;
  #inString = false;
  #escaped = false;
  #begun = false;

  /** True in the middle of an object, an array or a string. */
  get open(): boolean {
    return this.#depth > 0 || this.#inString;
  }

  /**
   * Takes the next byte.
   * @returns "within" a document, "after" its last byte (`}` or `]` or the closing quote),
   * "between" documents, or "before" when this byte begins a new one after a bare number or word.
   */
  take(byte: number): "within" | "after" | "between" | "before" {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) return this.#closeString();
      return "within";
    }
    if (SPACES.has(byte) && this.#depth === 0) {
      if (!this.#begun) return "between";
      this.#begun = false;
      return "before";
    }
    const opens = OPENING.has(byte) || byte === QUOTE;
    const splits = opens && this.#begun && this.#depth === 0;
    this.#begun = true;
    if (OPENING.has(byte)) this.#depth += 1;
    else if (byte === QUOTE) this.#inString = true;
    else if (CLOSING.has(byte)) {
      this.#depth = Math.max(0, this.#depth - 1);
      if (this.#depth === 0) return this.#end();
    }
    return splits ? "before" : "within";
  }

  #closeString(): "within" | "after" {
    this.#inString = false;
    return this.#depth === 0 ? this.#end() : "within";
  }

  #end(): "after" {
    this.#begun = false;
    return "after";
  }
}

/**
 * The members of a JSON object with their values as they are written, so that no number loses a
 * digit.
 * @returns Nothing when the text is no JSON object.
 */
export function rawMembers(json: string): Map<string, string> | undefined {
  const parsed = parsedJson(json);
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
  const members = new Map<string, string>();
  for (const part of rawParts(json)) {
    const nameEnd = stringEnd(part, 0) + 1;
    const value = part.slice(part.indexOf(":", nameEnd) + 1).trim();
    members.set(String(JSON.parse(part.slice(0, nameEnd))), value);
  }
  return members;
}

/**
 * The elements of a JSON array as they are written.
 * @returns Nothing when the text is no JSON array.
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
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at];
    if (character === '"') {
      at = stringEnd(json, at);
    } else if (character === "{" || character === "[") {
      depth += 1;
      if (depth === 1) start = at + 1;
    } else if (character === "}" || character === "]") {
      depth -= 1;
      if (depth === 0) parts.push(json.slice(start, at).trim());
    } else if (character === "," && depth === 1) {
      parts.push(json.slice(start, at).trim());
      start = at + 1;
    }
  }
  return parts.length === 1 && parts[0] === "" ? [] : parts;
}

/** Index of the quote that ends the string which begins at an index. */
function stringEnd(json: string, begin: number): number {
  let at = begin + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at;
}
