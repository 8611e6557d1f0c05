import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { tool } from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

test("init makes a function that runs as it is", async () => {
  const cwd = temporaryFolder("init");
  const { status, errors } = await tool(["init", "hello"], { cwd });
  expect([status, errors]).toEqual([
    0,
    "created function.sh  event.json  tests/greets.json  template.yaml\nnext: cd hello && lambda-shell dev\n",
  ]);
  const folder = join(cwd, "hello");
  expect(readFileSync(join(folder, "template.yaml"), "utf8")).toContain("hello");
  expect((await tool(["check", folder])).status).toBe(0);
  expect((await tool(["test", folder])).status).toBe(0);
});

test("init changes nothing where one of its files is there", async () => {
  const cwd = temporaryFolder("init");
  mkdirSync(join(cwd, "hello"));
  writeFileSync(join(cwd, "hello", "event.json"), "mine");
  const { status, errors } = await tool(["init", "hello"], { cwd });
  expect(errors).toBe("error: hello has event.json already; nothing was changed\n");
  expect(status).toBe(2);
  expect(readFileSync(join(cwd, "hello", "event.json"), "utf8")).toBe("mine");
  expect(existsSync(join(cwd, "hello", "function.sh"))).toBe(false);
});

test.each(["", "a b", "x".repeat(65)])("init refuses the name %j", async (name) => {
  const { status, errors } = await tool(["init", name], { cwd: temporaryFolder("init") });
  expect(errors).toContain("is not a function name");
  expect(status).toBe(2);
});
