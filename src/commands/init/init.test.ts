import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { parse } from "yaml";

import { awsArchitecture, localArchitecture } from "../../program.ts";
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

test.each([
  ["my func", "my-func"],
  ["a/my func/", "a/my-func"],
  ["\u00fcn\u00ef", "uni"],
  ["my_app!", "my_app"],
])("in place of the name %s one that can be is told", async (name, meant) => {
  const { errors } = await tool(["init", name], { cwd: temporaryFolder("init") });
  expect(errors).toEndWith(`\n  such as: lambda-shell init ${meant}\n`);
});

test.each(["", "\u65e5\u672c", "function.sh", "!"])(
  "for the name %j there is none",
  async (name) => {
    const { errors } = await tool(["init", name], { cwd: temporaryFolder("init") });
    expect(errors).not.toContain("such as");
  },
);

test("init does not take a file for a folder", async () => {
  const cwd = temporaryFolder("init");
  writeFileSync(join(cwd, "hello"), "mine");
  const { status, errors } = await tool(["init", "hello"], { cwd });
  expect([status, errors]).toEqual([
    2,
    "error: hello is there and is not a folder; nothing was changed\n",
  ]);
  expect(readFileSync(join(cwd, "hello"), "utf8")).toBe("mine");
});

test.each(["resize-arm64", "x86_64", "on", "no", "null", "0123", "1e3", "-x", "NAME"])(
  "the template of %s names that function, and no other",
  async (name) => {
    const cwd = temporaryFolder("init");
    expect(await tool(["init", "--", name], { cwd })).toMatchObject({ status: 0 });
    // As AWS reads it: what is not in quotes may be a number, or true or false.
    const text = readFileSync(join(cwd, name, "template.yaml"), "utf8");
    const { Resources } = parse(text, { version: "1.1", logLevel: "error" });
    const { FunctionName, Architectures } = Resources.Function.Properties;
    expect([FunctionName, Architectures]).toEqual([name, [awsArchitecture(localArchitecture())]]);
    const checked = await tool(["check", join(cwd, name)]);
    expect(checked.errors).toContain("no problems found");
  },
);

test("a deployment of the template keeps the log for two weeks and says where the function is", async () => {
  const cwd = temporaryFolder("init");
  await tool(["init", "hello"], { cwd });
  const text = readFileSync(join(cwd, "hello", "template.yaml"), "utf8");
  const { Resources, Outputs } = parse(text, { logLevel: "error" });
  const group = Resources.Function.Properties.LoggingConfig.LogGroup;
  expect(Resources[group]).toMatchObject({
    Type: "AWS::Logs::LogGroup",
    DeletionPolicy: "Delete",
    Properties: { RetentionInDays: 14 },
  });
  expect(Object.keys(Outputs)).toEqual(["FunctionName", "FunctionUrl"]);
});
