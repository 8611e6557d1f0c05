/**
 * A JSON file with the places of its values, for complaints that name a line and for raw text.
 *
 * @module
 */

import { findNodeAtLocation, type Node, parse, parseTree } from "jsonc-parser";

import { decodeUtf8, jsonFault, lineAndColumn } from "../host/http/json-text.ts";

/** Members and elements on the way to a value. */
export type Place = readonly (string | number)[];

/** What a file is read as. */
export type JsonSourceResult =
  | { readonly kind: "json"; readonly source: JsonSource }
  | { readonly kind: "fault"; readonly complaint: string };

/** The text of a JSON file, and what stands where. */
export class JsonSource {
  readonly #text: string;
  readonly #file: string;
  readonly #tree: Node;

  private constructor(text: string, file: string, tree: Node) {
    this.#text = text;
    this.#file = file;
    this.#tree = tree;
  }

  /**
   * Reads a file's bytes; a byte-order mark is left out.
   * @param file As people name it.
   */
  static read(bytes: Uint8Array, file: string): JsonSourceResult {
    const fault = (complaint: string) =>
      ({ kind: "fault", complaint: `${file}${complaint}` }) as const;
    const text = decodeUtf8(bytes)?.replace(/^\ufeff/, "");
    if (text === undefined) return fault(": not UTF-8: save the file in that encoding");
    if (text.trim() === "") return fault(': the file is empty: write a test, as in {"event": {}}');
    const wrong = jsonFault(text);
    if (wrong !== undefined) {
      const { offset = 0, words, isComment } = wrong;
      const fix = isComment ? ': say it in the "name" of the test' : "";
      return fault(`:${lineAndColumn(text, offset)}: not JSON: ${words}${fix}`);
    }
    const tree = treeOf(text);
    if (tree === undefined) return fault(TOO_DEEP);
    return { kind: "json", source: new JsonSource(text, file, tree) };
  }

  /** The kind of the value at a place: object, array, string, …; nothing where there is none. */
  kindAt(place: Place): Node["type"] | undefined {
    return findNodeAtLocation(this.#tree, [...place])?.type;
  }

  /** The elements of the list at a place. */
  lengthAt(place: Place): number {
    return findNodeAtLocation(this.#tree, [...place])?.children?.length ?? 0;
  }

  /** The value at a place as it is written. */
  textAt(place: Place): string {
    const node = findNodeAtLocation(this.#tree, [...place]);
    return node === undefined ? "" : this.#text.slice(node.offset, node.offset + node.length);
  }

  /** The value at a place. */
  valueAt(place: Place): unknown {
    return parse(this.textAt(place));
  }

  /** A member that an object has twice. */
  repeatedMember(place: Place): string | undefined {
    const node = findNodeAtLocation(this.#tree, [...place]);
    if (node?.type !== "object") return undefined;
    const names = (node.children ?? []).map(({ children }) => String(children?.[0]?.value));
    return names.find((name, at) => names.indexOf(name) < at);
  }

  /** A complaint with the line and column of a value, or of the name of a member. */
  complaint(place: Place, words: string, member?: string): string {
    let node = findNodeAtLocation(this.#tree, [...place]) ?? this.#tree;
    if (member !== undefined) {
      const names = (node.children ?? []).flatMap(({ children }) => children?.[0] ?? []);
      // The last of that name, which is the one that a parser would take.
      node = names.findLast(({ value }) => value === member) ?? node;
    }
    return `${this.#file}:${lineAndColumn(this.#text, node.offset)}: ${words}`;
  }
}

const TOO_DEEP =
  ": lists and objects in it are nested too deeply for a test\n" +
  "    put the event into a file of its own, in the folder events";

/** The tree of a JSON text; nothing where it is too deep for jsonc-parser, which calls itself for each level. */
function treeOf(text: string): Node | undefined {
  try {
    return parseTree(text);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
