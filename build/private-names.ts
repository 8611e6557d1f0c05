/**
 * Makes plain properties of a program's private ones: `this.#x` becomes `this.$x`.
 *
 * JavaScriptCore spends a scope, a symbol and a check on each private name, which its interpreter feels: the
 * start up to the first response takes 9 % fewer instructions without them, an event 8 % (callgrind). That
 * nobody else uses them, TypeScript has checked by then.
 *
 * @module
 */

import { childrenOf, isSyntax, type Syntax, syntaxOf } from "./syntax-tree.ts";

/** What the plain properties begin with, and no other name of the program. */
const PREFIX = "$";

/** A part of the program that gets another text. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The private names of a class, with the plain ones. */
type Scope = ReadonlyMap<string, string>;

/**
 * Returns the program with plain properties in place of private ones.
 * @throws {Error} When a name of the program begins with `$`, or `in` looks for a private name.
 */
export function withoutPrivateNames(program: string): string {
  const edits: Edit[] = [];
  let classes = 0;
  const visit = (node: Syntax, scopes: readonly Scope[]): void => {
    if (node.type === "BinaryExpression" && node.left?.type === "PrivateIdentifier") {
      throw new Error(`failed to replace #${node.left.name}: it is looked for with \`in\``);
    }
    if (node.type === "PrivateIdentifier") {
      const text = scopes.find((scope) => scope.has(node.name ?? ""))?.get(node.name ?? "");
      if (text === undefined) throw new Error(`failed to replace #${node.name}: no class has it`);
      edits.push({ start: node.start, end: node.end, text });
    }
    if (node.type === "Identifier" && node.name?.startsWith(PREFIX)) {
      throw new Error(`failed to replace private names: ${node.name} could be one of theirs`);
    }
    const isClass = node.type === "ClassDeclaration" || node.type === "ClassExpression";
    if (isClass) classes += 1;
    // A class that extends another must not share its names.
    const suffix = isClass && node.superClass ? `${PREFIX}${classes}` : "";
    const inside = isClass ? [scopeOf(node, suffix), ...scopes] : scopes;
    for (const child of childrenOf(node)) visit(child, inside);
  };
  visit(syntaxOf(program), []);
  return applied(program, edits);
}

/** Whether a property's name is one that {@link withoutPrivateNames} has made. */
export function isPlainName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** The private names that a class declares. */
function scopeOf({ body }: Syntax, suffix: string): Scope {
  const members =
    isSyntax(body) && Array.isArray(body.body) ? (body.body as readonly Syntax[]) : [];
  const names = members
    .map(({ key }) => key)
    .filter((key) => key?.type === "PrivateIdentifier")
    .map((key) => key?.name ?? "");
  return new Map(names.map((name) => [name, `${PREFIX}${name}${suffix}`]));
}

function applied(program: string, edits: readonly Edit[]): string {
  const pieces: string[] = [];
  let at = 0;
  for (const { start, end, text } of edits.toSorted((a, b) => a.start - b.start)) {
    pieces.push(program.slice(at, start), text);
    at = end;
  }
  return pieces.join("") + program.slice(at);
}
