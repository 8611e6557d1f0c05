import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { architecture } from "../architectures.ts";
import { CACHE } from "./paths.ts";
import { keptOrMade, type Recipe } from "./recipe.ts";
import { workFolder } from "./work-folder.ts";

let kind = "";
let ingredient = "";
/** The folders in which it was made. */
let made: string[] = [];
let recipe: Recipe;

beforeEach(() => {
  kind = `test-${process.pid}-${Math.random()}`;
  ingredient = join(workFolder("ingredient"), "file");
  writeFileSync(ingredient, "one");
  made = [];
  recipe = {
    kind,
    target: architecture("arm64"),
    values: ["a flag"],
    files: [ingredient],
    isWhole: (path) => existsSync(path) && readFileSync(path, "utf8").endsWith("."),
    make: async (folder) => {
      made.push(folder);
      await Bun.sleep(1);
      writeFileSync(join(folder, "product"), "it is made.");
      return join(folder, "product");
    },
  };
});

afterEach(() => {
  for (const path of [kind, `locks/${kind}-amd64`, `locks/${kind}-arm64`]) {
    rmSync(join(CACHE, path), { recursive: true, force: true });
  }
});

test("it is made once, also for those that ask at the same time", async () => {
  const paths = await Promise.all([keptOrMade(recipe), keptOrMade(recipe), keptOrMade(recipe)]);
  expect(new Set([...paths, await keptOrMade(recipe)]).size).toBe(1);
  expect(made).toHaveLength(1);
  expect(paths[0]).toStartWith(join(CACHE, kind, "arm64-"));
  expect(readFileSync(paths[0] ?? "", "utf8")).toBe("it is made.");
  expect(made.filter(existsSync)).toEqual([]);
});

test.each([
  ["a value", () => ({ ...recipe, values: ["another flag"] })],
  ["the architecture", () => ({ ...recipe, target: architecture("amd64") })],
  [
    "what a file says",
    () => {
      writeFileSync(ingredient, "two");
      return recipe;
    },
  ],
])("where %s changes another one is made, and the first stays", async (_what, change) => {
  const first = await keptOrMade(recipe);
  const second = await keptOrMade(change());
  expect(second).not.toBe(first);
  expect(readdirSync(dirname(first)).sort()).toEqual(
    [first, second].map((path) => basename(path)).sort(),
  );
});

test("what was damaged is made again", async () => {
  const path = await keptOrMade(recipe);
  writeFileSync(path, "it is");
  expect(await keptOrMade(recipe)).toBe(path);
  expect(readFileSync(path, "utf8")).toBe("it is made.");
});

test("what cannot be made is not kept, nor is its folder, and it is tried again", async () => {
  const failing = async (folder: string) => {
    made.push(folder);
    writeFileSync(join(folder, "product"), "it is made.");
    throw new Error("no compiler");
  };
  await expect(keptOrMade({ ...recipe, make: failing })).rejects.toThrow("no compiler");
  expect(existsSync(join(CACHE, kind))).toBe(false);
  expect(made.filter(existsSync)).toEqual([]);
  expect(readFileSync(await keptOrMade(recipe), "utf8")).toBe("it is made.");
});
