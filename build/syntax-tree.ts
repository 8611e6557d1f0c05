/**
 * The syntax tree of a program, as what rewrites the runtime's program reads it.
 *
 * @module
 */

import { type Node, parse } from "acorn";

/** A node of the tree, with the members that matter here. */
export interface Syntax extends Node {
  readonly name?: string;
  readonly value?: unknown;
  readonly kind?: string;
  readonly computed?: boolean;
  readonly left?: Syntax;
  readonly key?: Syntax;
  readonly property?: Syntax;
  readonly superClass?: Syntax | null;
  readonly body?: Syntax | readonly Syntax[];
}

/**
 * Reads the text of a module.
 * @throws {SyntaxError} When it is not JavaScript.
 */
export function syntaxOf(program: string): Syntax {
  return parse(program, { ecmaVersion: "latest", sourceType: "module" });
}

/** The nodes right below one. */
export function childrenOf(node: Syntax): Syntax[] {
  return Object.values(node).flat().filter(isSyntax);
}

/** Whether a member of a node is a node. */
export function isSyntax(value: unknown): value is Syntax {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}
