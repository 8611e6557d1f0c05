/**
 * Makes one program with few functions of a bundle with many, by Google's Closure Compiler.
 *
 * What a start costs beside Bun's own is mostly that JavaScriptCore decodes and links each function at its
 * first call, some 20,000 instructions each. The compiler puts small functions, and those with one caller,
 * into their callers; the source keeps the names that explain it. Until GET /next there are 154 functions
 * instead of 208 and 15 % fewer instructions (callgrind).
 *
 * For that only methods and accessors of classes, and what was private in them, may get other names, or none.
 * Every other property keeps its name: what Bun or the C library looks up, what becomes JSON, and what a
 * string names.
 *
 * The compiler takes for granted, and says nothing where it is not so, that to read a property does nothing and
 * does not throw, that an iterator need not be emptied if nobody uses what it yields, and that nobody looks at
 * the length of a function or replaces what the language has. What is most easily written all the same is
 * refused here: accessors that do something, and `this` in methods of object literals, which would become
 * functions.
 *
 * @see https://github.com/google/closure-compiler/wiki/Flags-and-Options
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { HOST_ARCHITECTURE } from "./architectures.ts";
import { hostBun } from "./bun-executable.ts";
import type { PlatformNames } from "./platform-names.ts";
import { isPlainName } from "./private-names.ts";
import { childrenOf, isSyntax, type Syntax, syntaxOf } from "./syntax-tree.ts";

const FLAGS = [
  ...["--compilation_level", "ADVANCED", "--env", "CUSTOM", "--assume_function_wrapper"],
  // Of the newer forms only fields of classes are rewritten: the engine calls a function of its own for each
  // class that has some.
  ...["--language_out", "ECMASCRIPT_2021", "--rewrite_polyfills", "false"],
  // Else `this` of a static method would be another object, and a subclass would not have what is static.
  ...["--assume_static_inheritance_is_not_used", "false"],
  // Types are TypeScript's matter, and its notes are not Closure's.
  ...["--warning_level", "QUIET"],
  // Sources come and go through pipes, so that no folder is needed.
  ...["--json_streams", "BOTH"],
];

/** A text for the compiler, or one that it has made. */
interface Source {
  readonly path: string;
  readonly src: string;
}

/**
 * Returns a program that does the same.
 * @param program A script without imports and exports, and without private names.
 * @throws {Error} When the compiler refuses it, with its own words, or would change what it does.
 */
export function optimize(program: string): string {
  const sources: readonly Source[] = [
    { path: "externs.js", src: externsOf(program) },
    { path: "program.js", src: program },
  ];
  const made = run([closureCompiler(), ...FLAGS], JSON.stringify(sources));
  const [output] = JSON.parse(made) as readonly [Source];
  return output.src;
}

/**
 * Runs a program that reads its input and writes its output. It gets no variables: what it makes depends on
 * nothing but its input.
 */
function run(command: string[], input = ""): string {
  const child = Bun.spawnSync(command, {
    stdin: Buffer.from(input),
    cwd: import.meta.dir,
    env: {},
  });
  if (child.exitCode === 0) return child.stdout.toString();
  const end = child.signalCode ?? `status ${child.exitCode}`;
  throw new Error(`failed to optimize: ${command[0]} ended with ${end}\n${child.stderr}`);
}

/**
 * The compiler's executable, which npm has installed for this machine.
 * @throws {Error} When it is not installed.
 */
function closureCompiler(): string {
  const name = HOST_ARCHITECTURE?.optimizerPackage;
  const path = join(import.meta.dir, "../node_modules", name ?? "", "compiler");
  if (name !== undefined && existsSync(path)) return path;
  throw new Error(`failed to find the Closure Compiler (${path}): run npm ci`);
}

/** Declares for the compiler the variables and properties whose names it must keep. */
function externsOf(program: string): string {
  const names = run([hostBun("small"), join(import.meta.dir, "platform-names.ts")]);
  const { variables, properties } = JSON.parse(names) as PlatformNames;
  return [
    "/** @externs */",
    ...variables.filter(isIdentifier).map((name) => `/** @const */ var ${name};`),
    ...keptProperties(program, properties).map((name) => `Object.prototype.${name};`),
  ].join("\n");
}

/**
 * The names of all properties but those that only methods and accessors of the program's classes have, and
 * what was private in them.
 * @param platform The names of the platform's properties.
 */
function keptProperties(program: string, platform: readonly string[]): string[] {
  const all = new Set<string>();
  const members = new Set<string>();
  const kept = new Set(platform);
  const visit = (node: Syntax, hasThis: boolean): void => {
    refuseChanged(node, hasThis);
    const name = propertyName(node);
    if (name !== undefined) {
      all.add(name);
      if (node.type === "MethodDefinition" || isPlainName(name)) members.add(name);
      else if (node.type !== "MemberExpression") kept.add(name);
    }
    if (node.type === "Literal" && typeof node.value === "string") kept.add(node.value);
    const isWithin = node.type === "ClassBody" || (hasThis && !isMethodOfLiteral(node));
    for (const child of childrenOf(node)) visit(child, isWithin);
  };
  visit(syntaxOf(program), false);
  return [...all].filter((name) => !members.has(name) || kept.has(name)).filter(isIdentifier);
}

/**
 * Refuses what would silently become something else.
 * @param hasThis Whether `this` is an object of a class, or the class.
 */
function refuseChanged(node: Syntax, hasThis: boolean): void {
  const refuse = (reason: string) => {
    throw new Error(`failed to optimize: ${reason}`);
  };
  if (node.type === "ThisExpression" && !hasThis) refuse("`this` stands outside of a class");
  if (node.kind === "set") refuse(`${propertyName(node)} has a setter: make it a method`);
  if (node.kind === "get" && !isReturn(node.value)) {
    refuse(`${propertyName(node)} has a getter that does more than return: make it a method`);
  }
}

function isMethodOfLiteral({ type, value }: Syntax): boolean {
  return type === "Property" && isSyntax(value) && value.type === "FunctionExpression";
}

/** Whether a function only returns something. */
function isReturn(value: unknown): boolean {
  const block = isSyntax(value) ? value.body : undefined;
  const statements = isSyntax(block) ? block.body : undefined;
  return Array.isArray(statements) && statements.every(({ type }) => type === "ReturnStatement");
}

/** The name by which a node declares or reaches a property, if that is written out. */
function propertyName({ computed, key, property }: Syntax): string | undefined {
  const name = key ?? property;
  return computed ? undefined : (name?.name ?? name?.value?.toString());
}

function isIdentifier(name: string): boolean {
  return /^[A-Za-z_$][\w$]*$/.test(name);
}
