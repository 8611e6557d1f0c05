/**
 * Checks that imports point down only, that there are no cycles, and that the Runtime API's strings
 * have one home.
 *
 *     bun build/check-floors.ts
 *
 * @module
 */

import { dirname, join, relative, resolve } from "node:path";

const ROOT = join(import.meta.dir, "..");

/** One folder or file of src/ and what it may import of src/, besides itself. */
interface Floor {
  readonly path: string;
  readonly mayImport: readonly string[];
  /** Packages that it may import; undefined means any. */
  readonly packages?: readonly string[];
}

/** First match counts. Tests may import anything. */
const FLOORS: readonly Floor[] = [
  { path: "src/runtime-api/", mayImport: [], packages: [] },
  { path: "src/handler/", mayImport: ["src/runtime-api/"], packages: [] },
  { path: "src/runtime/", mayImport: ["src/handler/", "src/runtime-api/"], packages: ["bun:ffi"] },
  { path: "src/bootstrap.ts", mayImport: ["src/handler/", "src/runtime/"], packages: [] },
  { path: "src/zip.ts", mayImport: [] },
  { path: "src/host/", mayImport: ["src/runtime-api/"] },
  { path: "src/compat/", mayImport: ["src/host/", "src/runtime-api/"] },
  {
    path: "src/commands/",
    mayImport: [
      "src/compat/",
      "src/handler/",
      "src/host/",
      "src/runtime-api/",
      "src/zip.ts",
      "package.json",
    ],
  },
  { path: "src/lambda-shell.ts", mayImport: ["src/commands/", "src/host/", "package.json"] },
];

/** Strings of the contract, which stand in src/runtime-api/ and nowhere else in a program. */
const CONTRACT_STRINGS =
  /["'`][^"'`\n]*(?:\/2018-06-01\/|Lambda-Runtime-(?:Aws|Deadline|Invoked|Trace|Client|Cognito|Function|Invocation))/;
const CONTRACT_HOME = "src/runtime-api/";

const transpiler = new Bun.Transpiler({ loader: "ts" });
const problems: string[] = [];
const graph = new Map<string, string[]>();
/** Files whose imports have been followed to the end. */
const done = new Set<string>();

for (const path of [...new Bun.Glob("src/**/*.ts").scanSync(ROOT)].sort()) {
  // A macro runs while the program is compiled, and is no part of it.
  const isMacro = path.endsWith(".macro.ts");
  const isTest =
    /\.(?:test|compat)\.ts$/.test(path) || /^src\/(?:testing|conformance)\//.test(path);
  if (isTest || isMacro || path.endsWith(".d.ts")) continue;
  const text = await Bun.file(join(ROOT, path)).text();
  const floor = FLOORS.find((candidate) => path.startsWith(candidate.path));
  if (floor === undefined) {
    problems.push(`${path}: belongs to no floor: add it to build/check-floors.ts`);
    continue;
  }
  graph.set(path, checkImports(path, text, floor));
  checkStrings(path, text);
}
for (const path of graph.keys()) findCycle(path, []);

if (problems.length > 0) {
  console.error([...new Set(problems)].join("\n"));
  process.exit(1);
}
console.log(`floors: ${graph.size} files, imports point down, no cycles`);

/** Reports imports that point up or sideways; returns those within src/. */
function checkImports(path: string, text: string, floor: Floor): string[] {
  const types = [...text.matchAll(/^import type [^;]* from "([^"]+)"/gm)].map(
    ([, from]) => from ?? "",
  );
  const imports = [...transpiler.scanImports(text).map((found) => found.path), ...types];
  const within: string[] = [];
  for (const specifier of imports) {
    if (!specifier.startsWith(".")) {
      if (floor.packages !== undefined && !floor.packages.includes(specifier)) {
        problems.push(`${path}: imports ${specifier}, which ${floor.path} must do without`);
      }
      continue;
    }
    const target = relative(ROOT, resolve(ROOT, dirname(path), specifier));
    const isAllowed = [floor.path, ...floor.mayImport].some((prefix) => target.startsWith(prefix));
    if (!isAllowed) problems.push(`${path}: imports ${target}, which ${floor.path} may not`);
    if (target.endsWith(".ts")) within.push(target);
  }
  return within;
}

function checkStrings(path: string, text: string): void {
  if (path.startsWith(CONTRACT_HOME)) return;
  text.split("\n").forEach((line, index) => {
    if (/^\s*(?:\*|\/\/|\/\*)/.test(line) || !CONTRACT_STRINGS.test(line)) return;
    problems.push(
      `${path}:${index + 1}: a string of the contract: import it from ${CONTRACT_HOME}`,
    );
  });
}

function findCycle(path: string, trail: readonly string[]): void {
  if (trail.includes(path)) {
    problems.push(`a cycle: ${[...trail.slice(trail.indexOf(path)), path].join(" -> ")}`);
    return;
  }
  if (done.has(path)) return;
  for (const target of graph.get(path) ?? []) findCycle(target, [...trail, path]);
  done.add(path);
}
