/** Files and folders that may not be read, or are not what they should be, beside those that are right. */

import { describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { BY_MODES } from "../testing/as-nobody.ts";
import { bootstrapExecutable } from "../testing/bootstrap-process.ts";
import { functionFolder, startTool, tool } from "../testing/running-tool.ts";

/** Runs the tool as one whom modes keep from files. */
const held = (args: readonly string[], cwd: string) => tool(args, { cwd, through: BY_MODES });

/** A function whose folder has a mistake that `check` finds by reading. */
const FILES = {
  "function.sh": "#!/bin/bash\n. ./lib.sh\nhandler() { :; }\n",
  "lib.sh": "helper() { :; }\n",
  "last.sh": "echo\r\n",
  "data/rows.csv": "1,2\n",
};
const MISTAKE = "error: last.sh has CRLF line ends (first in line 1)\n";

const closedFolder = (path: string) =>
  `warning: ${path} may not be read: what is in it is not checked\n` +
  "  lambda-shell package fails with: permission denied\n" +
  `  fix: chmod -R u+rX ${path}\n`;

test.each([
  ["lib.sh", "000", "hint: lib.sh is not looked through: it may not be read\n"],
  ["function.sh", "000", "warning: function.sh is not readable by others (mode 00)\n"],
  ["bootstrap", "000", "warning: bootstrap is not readable by others (mode 00)\n"],
  ["bootstrap", "111", "warning: bootstrap is not readable by others (mode 0111)\n"],
  ["program", "111", "warning: program is not readable by others (mode 0111)\n"],
  ["template.yaml", "000", "warning: template.yaml is not readable by others (mode 00)\n"],
  ["data/rows.csv", "000", "warning: data/rows.csv is not readable by others (mode 00)\n"],
  ["data", "000", closedFolder("data")],
  ["data", "444", closedFolder("data")],
  ["data", "111", closedFolder("data")],
] as const)("check goes on where %s has the mode %s", async (path, mode, said) => {
  const folder = functionFolder(FILES);
  if (path === "bootstrap" || path === "program") copyFileSync("/bin/true", join(folder, path));
  if (path === "template.yaml") await Bun.write(join(folder, path), "Resources: {}\n");
  chmodSync(join(folder, path), Number.parseInt(mode, 8));
  const { status, errors } = await held(["check"], folder);
  chmodSync(join(folder, path), 0o755);
  expect(errors).toContain(said);
  expect(errors).toContain(MISTAKE);
  expect(errors).not.toContain("failed to");
  expect(status).toBe(1);
});

test("package refuses a folder that may not be read, unless it is left out", async () => {
  const folder = functionFolder({ "function.sh": "handler() { :; }\n", "data/rows.csv": "" });
  chmodSync(join(folder, "data"), 0);
  const refused = await held(["package"], folder);
  const packed = await held(["package", "--exclude", "data"], folder);
  chmodSync(join(folder, "data"), 0o755);
  expect(refused.errors).toEndWith(
    "error: failed to read the folder data: permission denied\n" +
      "  chmod -R u+rX data, or leave it out: --exclude data\n",
  );
  expect([refused.status, refused.out]).toEqual([2, ""]);
  expect(packed.errors).toContain("left out: data/\n");
  expect(packed.status).toBe(0);
});

describe.each(["check", "package", "run"])("%s", (command) => {
  test.each(["bootstrap", "template.yaml"])(
    "does not wait for a pipe in place of %s",
    async (name) => {
      const folder = functionFolder({ "function.sh": "handler() { :; }\n" });
      Bun.spawnSync(["mkfifo", join(folder, name)]);
      const options = command === "run" ? ["--bootstrap", bootstrapExecutable()] : [];
      const { status, errors } = await tool([command, ...options], { cwd: folder });
      expect(errors).not.toContain("error: ");
      expect(status).toBe(0);
    },
  );

  test("says that lambda-shell.toml is a pipe", async () => {
    const folder = functionFolder({ "function.sh": "handler() { :; }\n" });
    Bun.spawnSync(["mkfifo", join(folder, "lambda-shell.toml")]);
    const { status, errors } = await tool([command], { cwd: folder });
    expect(errors).toBe(`error: ${folder}/lambda-shell.toml: it is not a regular file\n`);
    expect(status).toBe(2);
  });
});

test("a folder in place of bootstrap is not one, as on Lambda", async () => {
  const folder = functionFolder({ "function.sh": "handler() { :; }\n" });
  mkdirSync(join(folder, "bootstrap"));
  const { status, errors } = await tool(["check"], { cwd: folder });
  expect([status, errors]).toEqual([0, ".: no problems found\n"]);
});

/** Where the handler's file is looked for, another script may not be read. */
function withoutHandler(): string {
  const folder = functionFolder({ "other.sh": "handler() { :; }\n" });
  chmodSync(join(folder, "other.sh"), 0);
  return folder;
}

const NONE = "no file for the handler function.handler: tried ";

test("run fails as the function does where a hint may not be looked for", async () => {
  const folder = withoutHandler();
  const { status, errors } = await held(["run", "--bootstrap", bootstrapExecutable()], folder);
  expect(errors).toContain(`error: Runtime.NoSuchHandler: ${NONE}`);
  expect(errors).not.toContain("EACCES");
  expect(errors).not.toContain("permission denied");
  expect(status).toBe(4);
});

test.each([
  ["serve", ["--metrics-port", "0"]],
  ["dev", []],
])("%s goes on where a hint may not be looked for", async (command, options) => {
  const folder = withoutHandler();
  const args = [command, folder, "--name", "probe", "--port", "0", ...options];
  const bootstrap = ["--bootstrap", bootstrapExecutable()];
  await using served = await startTool([...args, ...bootstrap], { through: BY_MODES });
  await served.logged("hint: write handler() { … } into function.sh");
  const url = `${served.url}/2015-03-31/functions/probe/invocations`;
  const response = await fetch(url, { method: "POST", body: "{}" });
  expect(await response.text()).toContain(NONE);
  expect(await served.stop()).toBe(0);
});

test("dev serves a function beside a folder that may not be read, and reloads it", async () => {
  const folder = functionFolder({ "function.sh": "handler() { echo one; }\n", "data/1": "" });
  chmodSync(join(folder, "data"), 0);
  const args = ["dev", folder, "--port", "0", "--bootstrap", bootstrapExecutable()];
  await using served = await startTool(args, { through: BY_MODES });
  await served.logged("Ctrl-C to stop");
  const read = async () => (await fetch(served.url)).text();
  expect(await read()).toBe("one\n");
  await Bun.write(join(folder, "function.sh"), "handler() { echo two; }\n");
  await served.logged("~ function.sh changed");
  while ((await read()) !== "two\n") await Bun.sleep(20);
  chmodSync(join(folder, "data"), 0o755);
  rmSync(join(folder, "data"), { recursive: true });
  expect(await read()).toBe("two\n");
});

test("a layer whose extensions may not be read is an error, and one of its links to itself is not", async () => {
  const folder = functionFolder({ "function.sh": "handler() { echo one; }\n" });
  const layer = functionFolder({ "extensions/log/x": "" }, "layer");
  symlinkSync("own", join(layer, "extensions/own"));
  const args = ["run", folder, "--layer", layer, "--bootstrap", bootstrapExecutable()];
  expect(await held(args, folder)).toEqual({ status: 0, out: "one\n", errors: "" });
  chmodSync(join(layer, "extensions"), 0);
  const refused = await held(args, folder);
  chmodSync(join(layer, "extensions"), 0o755);
  const errors = `error: --layer ${layer}/extensions: permission denied\n`;
  expect(refused).toEqual({ status: 2, out: "", errors });
});
