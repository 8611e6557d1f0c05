import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";

const BIOME = `@biomejs/cli-linux-${process.arch}/biome`;
const ROOT = join(import.meta.dir, "../..");

/** Runs the lint over a program and returns what it says. */
function lint(program: string): string {
  const folder = temporaryFolder("no-locales");
  const plugins = [join(import.meta.dir, "no-locales.grit")];
  const linter = { rules: { preset: "none" } };
  writeFileSync(join(folder, "biome.json"), JSON.stringify({ plugins, linter }));
  writeFileSync(join(folder, "program.ts"), program);
  const words = [join(ROOT, "node_modules", BIOME), "lint", "--error-on-warnings", folder];
  const { stdout, stderr, exitCode } = Bun.spawnSync(words, { cwd: folder });
  const found = /^Found (\d+) errors?/m.exec(`${stdout}${stderr}`)?.[1] ?? "0";
  expect(exitCode === 0).toBe(found === "0");
  return found;
}

test.each([
  'export const x = "a".localeCompare("b");',
  'export const x = "a"?.localeCompare("b");',
  "export const x = (1).toLocaleString();",
  "export const x = new Date().toLocaleDateString();",
  'export const x = new Date()["toLocaleTimeString"]();',
  "export const x = [1].toLocaleString();",
  'export const { toLocaleLowerCase } = "x";',
  'export const { toLocaleUpperCase: x } = "x";',
  "export const x = new Intl.Collator();",
  "export const x = globalThis.Intl;",
  'export const x = Reflect.get(globalThis, "Intl");',
])("the lint finds a use of locales: %s", (program) => {
  expect(lint(program)).toBe("1");
});

test.each([
  'export const x = "a" < "b";',
  "export const x = new Date().toISOString();",
  'export const x = "x".toLowerCase();',
  'export const x = "locale, Internationale";',
  "// Intl and localeCompare in a comment\nexport const x = 1;",
])("the lint leaves alone what has no locales: %s", (program) => {
  expect(lint(program)).toBe("0");
});

test("the lint is on for all that the runtime is made of", async () => {
  const { overrides } = await Bun.file(join(ROOT, "biome.json")).json();
  expect(overrides).toContainEqual({
    includes: ["src/bootstrap.ts", "src/handler/**", "src/runtime/**", "src/runtime-api/**"],
    plugins: ["./build/shrink/no-locales.grit"],
  });
});
