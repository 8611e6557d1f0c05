/**
 * Checks that imports point up in the table of rooms only, that there are no cycles, that small files
 * have a reason to be files, and that the Runtime API's strings have one home.
 *
 *     bun build/check-rooms.ts
 *
 * @module
 */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

import { reportErrors } from "./plain-errors.ts";

/** A folder or a file of src/. */
interface Room {
  readonly path: string;
  /** Packages that it may import; undefined means any. */
  readonly packages?: readonly string[];
  /** Rooms of one group never import each other. */
  readonly group?: "front" | "command";
  /** Runs inside Lambda or outside of it; a room without a side serves both. */
  readonly side?: "inside" | "outside";
  /** The only rooms that may import it; undefined means any below it. */
  readonly importers?: string;
}

/** Rooms in the order in which they may be imported: each by those below it. First match counts. */
const ROOMS: readonly Room[] = [
  { path: "src/runtime-api/", packages: [] },
  { path: "src/handler/", packages: [] },
  { path: "src/runtime/", packages: ["bun:ffi"], side: "inside" },
  { path: "src/bootstrap.ts", packages: [], side: "inside" },
  { path: "src/zip.ts", side: "outside" },
  { path: "src/file-facts.ts", packages: ["node:fs"], side: "outside" },
  { path: "src/json-object.ts", packages: [], side: "outside" },
  { path: "src/guard/", packages: ["bun:ffi", "node:fs"], side: "outside" },
  { path: "src/host/invocation/", side: "outside" },
  { path: "src/host/http/", side: "outside" },
  { path: "src/host/sandbox/", side: "outside" },
  { path: "src/host/function/", side: "outside" },
  { path: "src/host/front/adapter.ts", side: "outside" },
  { path: "src/host/front/gateway/", side: "outside", group: "front" },
  { path: "src/host/front/cloud-events/", side: "outside", group: "front" },
  { path: "src/host/front/lambda-api/", side: "outside", group: "front" },
  { path: "src/host/front/stdio.ts", side: "outside", group: "front" },
  { path: "src/host/front/sink.ts", side: "outside", group: "front" },
  { path: "src/host/front/select.ts", side: "outside" },
  { path: "src/host/server.ts", side: "outside" },
  { path: "src/shell-grammar.ts", side: "outside" },
  { path: "src/trace/", side: "outside" },
  { path: "src/compat/", side: "outside", importers: "src/commands/" },
  { path: "src/commands/compat.ts", side: "outside" },
  { path: "src/own-log.ts", side: "outside" },
  { path: "src/quantities.ts", side: "outside" },
  { path: "src/env-file.ts", packages: ["node:util"], side: "outside" },
  { path: "src/commands/cli/", side: "outside" },
  { path: "src/program.ts", side: "outside" },
  { path: "src/template/", side: "outside" },
  { path: "src/commands/function/", side: "outside" },
  { path: "src/check/", side: "outside" },
  { path: "src/commands/check.ts", side: "outside" },
  { path: "src/commands/events/", side: "outside" },
  { path: "src/commands/serve/", side: "outside" },
  { path: "src/function-tests/", side: "outside", group: "command" },
  { path: "src/commands/dev/", side: "outside", group: "command" },
  { path: "src/commands/init/", side: "outside", group: "command" },
  { path: "src/commands/invoke/", side: "outside", group: "command" },
  { path: "src/commands/package.ts", side: "outside", group: "command" },
  { path: "src/commands/run.ts", side: "outside", group: "command" },
  { path: "src/completion/", side: "outside", group: "command" },
  { path: "src/licenses.ts", side: "outside" },
  { path: "src/lambda-shell.ts", side: "outside" },
];

/** Files outside src/ that the tool has inside itself. */
const EMBEDDED = ["package.json", "fixtures/events/examples.macro.ts", "build/licenses.macro.ts"];

/** A file of fewer lines lives in its importer, unless it has two or a test of its own. */
const SMALL_LINES = 60;

/** The most files of a room: more than these nobody keeps in mind, and some belong together. */
const FILES_MAX: Readonly<Record<string, number>> = { "src/host/": 45, "src/commands/": 35 };

/** Strings of the contract, which stand in src/runtime-api/ and nowhere else in a program. */
const CONTRACT_STRINGS =
  /["'`][^"'`\n]*(?:\/2018-06-01\/|Lambda-Runtime-(?:Aws|Deadline|Invoked|Trace|Client|Cognito|Function|Invocation))/;
const CONTRACT_HOME = "src/runtime-api/";

/** What a checkout's sources show. */
export interface RoomReport {
  /** Files of the programs. */
  readonly files: number;
  /** One line for each thing that is wrong, with the fix. */
  readonly problems: readonly string[];
}

/** Checks the sources below a folder. */
export function checkRooms(root: string): RoomReport {
  const graph = new Map<string, readonly string[]>();
  const problems: string[] = [];
  for (const path of [...new Bun.Glob("src/**/*.ts").scanSync(root)].sort()) {
    if (!isProgram(path)) continue;
    const text = readFileSync(join(root, path), "utf8");
    const room = roomOf(path);
    if (room === undefined) {
      problems.push(`${path}: belongs to no room: add it to build/check-rooms.ts`);
      continue;
    }
    const imports = importsOf(text);
    problems.push(...packageProblems(path, imports, room));
    const targets = imports
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => relative(root, resolve(root, dirname(path), specifier)));
    for (const target of targets) problems.push(...importProblems(path, target, room));
    graph.set(
      path,
      targets.filter((target) => target.endsWith(".ts")),
    );
    problems.push(...stringProblems(path, text));
  }
  problems.push(...smallFileProblems(root, graph), ...crowdedProblems([...graph.keys()]));
  const done = new Set<string>();
  for (const path of graph.keys()) problems.push(...cycles(graph, path, [], done));
  return { files: graph.size, problems: [...new Set(problems)] };
}

/** Tests may import anything; a macro runs while the program is compiled, and is not a part of it. */
function isProgram(path: string): boolean {
  const isTest =
    /\.(?:test|compat|slow|fuzz)\.ts$/.test(path) || /^src\/(?:testing|conformance)\//.test(path);
  return !isTest && !/\.(?:macro|d)\.ts$/.test(path);
}

function roomOf(path: string): Room | undefined {
  return ROOMS.find((room) => path.startsWith(room.path));
}

function importsOf(text: string): readonly string[] {
  const types = [...text.matchAll(/^(?:import|export) type [^;]* from "([^"]+)"/gm)];
  const values = new Bun.Transpiler({ loader: "ts" }).scanImports(text);
  return [...values.map(({ path }) => path), ...types.map(([, from]) => from ?? "")];
}

function packageProblems(path: string, imports: readonly string[], room: Room): readonly string[] {
  const { packages } = room;
  if (packages === undefined) return [];
  return imports
    .filter((specifier) => !specifier.startsWith(".") && !packages.includes(specifier))
    .map((specifier) => `${path}: imports ${specifier}, which ${room.path} must do without`);
}

function importProblems(path: string, target: string, room: Room): readonly string[] {
  if (EMBEDDED.includes(target) && room.side === "outside") return [];
  const wanted = roomOf(target);
  if (wanted === room) return [];
  const refused = (why: string) => [`${path}: imports ${target}: ${why}`];
  if (wanted === undefined) return refused("it belongs to no room of src/");
  if (wanted.side !== undefined && wanted.side !== room.side) {
    return refused(`${room.path} must not know what is ${wanted.side} of Lambda`);
  }
  if (wanted.group !== undefined && wanted.group === room.group) {
    return refused(`no ${room.group} imports another: move what both need above them`);
  }
  if (wanted.importers !== undefined && !path.startsWith(wanted.importers)) {
    return refused(`only ${wanted.importers} may: hand it in as a function`);
  }
  if (ROOMS.indexOf(wanted) > ROOMS.indexOf(room)) {
    return refused(`${wanted.path} stands below ${room.path} in the table of rooms`);
  }
  return [];
}

function stringProblems(path: string, text: string): readonly string[] {
  if (path.startsWith(CONTRACT_HOME)) return [];
  return text.split("\n").flatMap((line, index) => {
    if (/^\s*(?:\*|\/\/|\/\*)/.test(line) || !CONTRACT_STRINGS.test(line)) return [];
    return [`${path}:${index + 1}: a string of the contract: import it from ${CONTRACT_HOME}`];
  });
}

function smallFileProblems(
  root: string,
  graph: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const problems: string[] = [];
  for (const path of graph.keys()) {
    const lines = readFileSync(join(root, path), "utf8").trimEnd().split("\n").length;
    if (lines >= SMALL_LINES || existsSync(join(root, path.replace(/\.ts$/, ".test.ts")))) continue;
    const importers = [...graph].filter(([, targets]) => targets.includes(path));
    const [[importer] = []] = importers;
    if (importer === undefined || importers.length > 1) continue;
    problems.push(
      `${path}: ${lines} lines with one importer and no test of its own: merge it into ${importer}`,
    );
  }
  return problems;
}

function crowdedProblems(paths: readonly string[]): readonly string[] {
  return Object.entries(FILES_MAX).flatMap(([room, most]) => {
    const files = paths.filter((path) => path.startsWith(room)).length;
    return files > most ? [`${room}: ${files} files, ${most} at most: merge some`] : [];
  });
}

function cycles(
  graph: ReadonlyMap<string, readonly string[]>,
  path: string,
  trail: readonly string[],
  done: Set<string>,
): readonly string[] {
  if (trail.includes(path)) {
    return [`a cycle: ${[...trail.slice(trail.indexOf(path)), path].join(" -> ")}`];
  }
  if (done.has(path)) return [];
  const found = (graph.get(path) ?? []).flatMap((next) =>
    cycles(graph, next, [...trail, path], done),
  );
  done.add(path);
  return found;
}

if (import.meta.main) {
  reportErrors();
  const { files, problems } = checkRooms(join(import.meta.dir, ".."));
  if (problems.length > 0) {
    console.error(problems.join("\n"));
    process.exit(1);
  }
  console.log(`rooms: ${files} files, imports point up, no cycles`);
}
