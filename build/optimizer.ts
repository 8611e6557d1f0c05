/**
 * Makes one program with few functions of a bundle with many, by Google's Closure Compiler.
 *
 * What a start costs beside Bun's own is mostly that JavaScriptCore decodes and links each function at its
 * first call, some 20,000 instructions each. The compiler puts small functions, and those with one caller,
 * into their callers; the source keeps the names that explain it. Until GET /next there are 154 functions
 * instead of 208 and 15 % fewer instructions (callgrind).
 *
 * A property that anything but our own classes may have keeps its name: what Bun or the C library looks up, what
 * becomes JSON.
 *
 * @see https://github.com/google/closure-compiler/wiki/Flags-and-Options
 * @module
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Node, parse } from "acorn";

const FLAGS = [
  ...["--compilation_level", "ADVANCED", "--env", "CUSTOM", "--assume_function_wrapper"],
  // Of the newer forms only fields of classes are rewritten: the engine calls a function of its own for each
  // class that has some.
  ...["--language_in", "UNSTABLE", "--language_out", "ECMASCRIPT_2021"],
  ...["--rewrite_polyfills", "false", "--strict_mode_input", "--emit_use_strict", "false"],
  // Types are TypeScript's matter, and its notes are not Closure's.
  ...["--warning_level", "QUIET"],
];

/** A node of the syntax tree, with the members that matter here. */
interface Syntax extends Node {
  readonly name?: string;
  readonly value?: string | number;
  readonly computed?: boolean;
  readonly key?: Syntax;
  readonly object?: Syntax;
  readonly property?: Syntax;
}

/**
 * Returns a program that does the same.
 * @param program A script without imports and exports, and without private names.
 * @throws {Error} When the compiler refuses it, with its own words.
 */
export function optimize(program: string): string {
  const folder = mkdtempSync(join(tmpdir(), "lambda-shell-optimizer-"));
  try {
    const input = join(folder, "program.js");
    const externs = join(folder, "externs.js");
    const output = join(folder, "output.js");
    writeFileSync(input, program);
    writeFileSync(externs, externsOf(program));
    const files = ["--js", input, "--externs", externs, "--js_output_file", output];
    const { exitCode, stdout, stderr } = Bun.spawnSync([closureCompiler(), ...FLAGS, ...files]);
    if (exitCode !== 0) throw new Error(`failed to optimize: ${stdout}${stderr}`);
    return readFileSync(output, "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The compiler's executable, which npm has installed for this machine. */
function closureCompiler(): string {
  for (const name of ["google-closure-compiler-linux", "google-closure-compiler-linux-arm64"]) {
    const path = join(import.meta.dir, "../node_modules", name, "compiler");
    if (existsSync(path)) return path;
  }
  throw new Error("failed to find the Closure Compiler in node_modules: run npm ci");
}

/** Declares for the compiler the variables and properties whose names it must keep. */
function externsOf(program: string): string {
  const variables = Object.getOwnPropertyNames(globalThis).filter(isIdentifier);
  return [
    "/** @externs */",
    ...variables.map((name) => `/** @const */ var ${name};`),
    ...keptProperties(program).map((name) => `Object.prototype.${name};`),
  ].join("\n");
}

/**
 * The names of all properties but those that only members of the program's classes have: no key of an
 * object that is written out, which can become JSON or declare a function of the C library, and nothing that
 * an object of the platform has.
 */
function keptProperties(program: string): string[] {
  const members = new Set<string>();
  const keys = platformProperties();
  const all = new Set<string>();
  const visit = (node: Syntax): void => {
    const name = propertyName(node);
    if (name !== undefined) {
      all.add(name);
      if (node.type === "Property") keys.add(name);
      else if (node.type !== "MemberExpression" || node.object?.type === "ThisExpression") {
        members.add(name);
      }
    }
    for (const child of Object.values(node).flat()) if (isNode(child)) visit(child);
  };
  visit(parse(program, { ecmaVersion: "latest", sourceType: "module" }) as Syntax);
  return [...all].filter((name) => !members.has(name) || keys.has(name)).filter(isIdentifier);
}

/** The name by which a node declares or reaches a property, if that is written out. */
function propertyName({ computed, key, property }: Syntax): string | undefined {
  const name = key ?? property;
  return computed ? undefined : (name?.name ?? name?.value?.toString());
}

/** The names of what the platform's objects have, and those of the classes among its global variables. */
function platformProperties(): Set<string> {
  const variables = Object.getOwnPropertyNames(globalThis).map((name) =>
    Reflect.get(globalThis, name),
  );
  const prototypes = variables.map((value) =>
    isObject(value) ? Reflect.get(value, "prototype") : undefined,
  );
  const names = [...variables, ...prototypes, (Bun as unknown as { readonly FFI: object }).FFI]
    .filter(isObject)
    .flatMap(namesOf);
  return new Set(names);
}

function namesOf(object: object): string[] {
  const names = Object.getOwnPropertyNames(object);
  const parent: unknown = Object.getPrototypeOf(object);
  return isObject(parent) ? [...names, ...namesOf(parent)] : names;
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function isIdentifier(name: string): boolean {
  return /^[A-Za-z_$][\w$]*$/.test(name);
}

function isNode(value: unknown): value is Syntax {
  return isObject(value) && "type" in value && "start" in value;
}
