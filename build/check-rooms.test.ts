/** The rules of the table of rooms, each by a file that breaks it. */

import { expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { temporaryFolder } from "../src/testing/temporary-folder.ts";
import { checkRooms } from "./check-rooms.ts";

const ROOT = join(import.meta.dir, "..");

/** Lines enough for a file to stand alone. */
const LONG = "//\n".repeat(60);

/** What is wrong with some files, which are all of src/. */
function problems(files: Readonly<Record<string, string>>): readonly string[] {
  const root = temporaryFolder("rooms");
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return checkRooms(root).problems;
}

/** One file that imports another, both long. */
const importing = (from: string, to: string, specifier: string) =>
  problems({ [from]: `import { a } from "${specifier}";\na();\n${LONG}`, [to]: LONG });

test("the sources of the checkout are in order", () => {
  const { files, problems: found } = checkRooms(ROOT);
  expect(found).toEqual([]);
  expect(files).toBeGreaterThan(100);
});

test.each([
  ["src/host/http/a.ts", "src/host/invocation/b.ts", "../invocation/b.ts"],
  ["src/host/front/sink.ts", "src/host/front/adapter.ts", "./adapter.ts"],
  ["src/host/front/select.ts", "src/host/front/gateway/b.ts", "./gateway/b.ts"],
  ["src/commands/run.ts", "src/compat/b.ts", "../compat/b.ts"],
  ["src/check/a.ts", "src/handler/b.ts", "../handler/b.ts"],
  ["src/runtime/a.ts", "src/handler/b.ts", "../handler/b.ts"],
])("%s may import %s", (from, to, specifier) => {
  expect(importing(from, to, specifier)).toEqual([]);
});

test("a room with too many files is named", () => {
  const files = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`src/host/http/a${at}.ts`, LONG]));
  expect(problems(files(45))).toEqual([]);
  expect(problems(files(46))).toEqual(["src/host/: 46 files, 45 at most: merge some"]);
});

test.each([
  ["src/host/invocation/a.ts", "src/host/http/b.ts", "../http/b.ts", "stands below"],
  ["src/host/http/a.ts", "src/host/server.ts", "../server.ts", "stands below"],
  ["src/host/front/gateway/a.ts", "src/host/front/sink.ts", "../sink.ts", "no front imports"],
  ["src/host/front/sink.ts", "src/host/front/gateway/b.ts", "./gateway/b.ts", "no front imports"],
  ["src/commands/dev/a.ts", "src/commands/run.ts", "../run.ts", "no command imports another"],
  ["src/host/server.ts", "src/compat/b.ts", "../compat/b.ts", "only src/commands/ may"],
  ["src/runtime/a.ts", "src/host/http/b.ts", "../host/http/b.ts", "outside of Lambda"],
  ["src/host/http/a.ts", "src/runtime/b.ts", "../../runtime/b.ts", "inside of Lambda"],
  ["src/handler/a.ts", "src/runtime/b.ts", "../runtime/b.ts", "inside of Lambda"],
  ["src/host/http/a.ts", "src/elsewhere/b.ts", "../../elsewhere/b.ts", "belongs to no room"],
])("%s may not import %s", (from, to, specifier, why) => {
  expect(importing(from, to, specifier).join("\n")).toContain(why);
});

test("an import of a type alone counts too", () => {
  const files = {
    "src/host/invocation/a.ts": `import type { B } from "../http/b.ts";\nexport type A = B;\n${LONG}`,
    "src/host/http/b.ts": LONG,
  };
  expect(problems(files).join("\n")).toContain("stands below");
});

test("the runtime has no dependency", () => {
  const files = { "src/runtime/a.ts": `import { join } from "node:path";\njoin();\n${LONG}` };
  expect(problems(files)).toEqual([
    "src/runtime/a.ts: imports node:path, which src/runtime/ must do without",
  ]);
});

test("files of one room do not import each other in a circle", () => {
  const files = {
    "src/host/http/a.ts": `import { b } from "./b.ts";\nexport const a = b;\n${LONG}`,
    "src/host/http/b.ts": `import { a } from "./a.ts";\nexport const b = a;\n${LONG}`,
  };
  expect(problems(files)).toEqual([
    "a cycle: src/host/http/a.ts -> src/host/http/b.ts -> src/host/http/a.ts",
  ]);
});

test("a small file has two importers or a test of its own", () => {
  const user = `import { a } from "./a.ts";\na();\n${LONG}`;
  const small = { "src/host/http/a.ts": "export const a = 1;\n", "src/host/http/b.ts": user };
  expect(problems(small)).toEqual([
    "src/host/http/a.ts: 1 lines with one importer and no test of its own: merge it into src/host/http/b.ts",
  ]);
  expect(problems({ ...small, "src/host/http/c.ts": user })).toEqual([]);
  expect(problems({ ...small, "src/host/http/a.test.ts": "" })).toEqual([]);
});

test("a string of the contract stands in one place", () => {
  const files = { "src/host/http/a.ts": `export const a = "Lambda-Runtime-Deadline-Ms";\n${LONG}` };
  expect(problems(files)).toEqual([
    "src/host/http/a.ts:1: a string of the contract: import it from src/runtime-api/",
  ]);
});

test("src/compat can be removed together with three lines", async () => {
  const copy = temporaryFolder("without-compat");
  const sources = new Bun.Glob("{src,build,layer,fixtures}/**/*.{ts,sh,bash,zsh,fish,json,yaml}");
  for (const path of sources.scanSync(ROOT)) {
    if (path.includes("node_modules/")) continue;
    mkdirSync(join(copy, dirname(path)), { recursive: true });
    cpSync(join(ROOT, path), join(copy, path));
  }
  for (const file of ["package.json", "package-lock.json", "tsconfig.json"])
    cpSync(join(ROOT, file), join(copy, file));
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  rmSync(join(copy, "src", "compat"), { recursive: true });
  const list = join(copy, "src", "commands", "compat.ts");
  const lines = readFileSync(list, "utf8").split("\n");
  const kept = lines.filter((line) => !line.includes('from "../compat/'));
  expect(lines.length - kept.length).toBe(3);
  writeFileSync(list, kept.join("\n"));
  const check = Bun.spawn([process.execPath, "check"], { cwd: copy, stderr: "pipe" });
  const output = await new Response(check.stderr).text();
  expect([await check.exited, output]).toEqual([0, expect.any(String)]);
  const tool = [process.execPath, join("src", "lambda-shell.ts"), "serve", "--help"];
  const help = Bun.spawn(tool, { cwd: copy, stdout: "pipe" });
  expect(await new Response(help.stdout).text()).toContain("--compat");
});
