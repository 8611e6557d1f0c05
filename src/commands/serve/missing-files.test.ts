/** A function whose handler or bootstrap is not there yet: said once, and started when it is. */

import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { bootstrapExecutable } from "../../testing/bootstrap-process.ts";
import {
  CURL_LOOP,
  functionFolder,
  type RunningTool,
  startTool,
  tool,
} from "../../testing/running-tool.ts";

const AGAIN = "it is started again when its files change, and for a request";
const OK = "handler() { echo fine; }\n";

/** Puts a file in place at once, as a deployment does. */
function put(path: string, text: string, mode = 0o644): void {
  const other = join(dirname(dirname(path)), "new");
  writeFileSync(other, text);
  chmodSync(other, mode);
  renameSync(other, path);
}

const count = (served: RunningTool, words: string) => served.errors().split(words).length - 1;

async function ask({ url }: RunningTool): Promise<string> {
  const response = await fetch(`${url}/2015-03-31/functions/function/invocations`, {
    method: "POST",
    body: "{}",
  });
  return response.text();
}

const COMMANDS = [
  ["serve", ["--metrics-port", "0"]],
  ["dev", ["--no-watch"]],
] as const;

describe.each(COMMANDS)("%s", (command, options) => {
  const started = (folder: string, ...rest: readonly string[]) =>
    startTool([command, folder, "--name", "function", "--port", "0", ...options, ...rest]);

  test.each([
    ["no file", "", "Runtime.NoSuchHandler"],
    ["a syntax error", "handler() {\n", "Runtime.UserCodeSyntaxError"],
    ["an unknown shell", "#!/bin/cat\n", "Runtime.InvalidEntrypoint"],
    ["no such function", "other() { :; }\n", "Runtime.HandlerNotFound"],
  ])(
    "%s: the failure is said once, and the next start is when there is another file",
    async (_, text, type) => {
      const folder = functionFolder({ data: "x" });
      const file = join(folder, "function.sh");
      if (text !== "") writeFileSync(file, text);
      await using served = await started(folder, "--bootstrap", bootstrapExecutable());
      await served.logged(AGAIN);
      if (text === "") {
        await served.logged(
          "hint: write handler() { … } into function.sh, or name another one: --handler FILE.FUNCTION\n",
        );
      }
      // As long as several starts took before.
      await Bun.sleep(1_500);
      expect(count(served, ` failed to start: ${type}`)).toBe(1);
      put(file, OK);
      while (!(await ready(served))) await Bun.sleep(20);
      expect(await ask(served)).toMatch(/^fine\n?$/);
      expect(count(served, ` failed to start: ${type}`)).toBe(1);
    },
  );

  test("a start that fails again and again for the same is told once, and again after a request", async () => {
    const folder = functionFolder({ "function.sh": "echo loading >&2\nexit 7\n" });
    await using served = await started(folder, "--bootstrap", bootstrapExecutable());
    await served.logged("and for a request; the same error is told once\n");
    while (count(served, "loading\n") < 4) await Bun.sleep(20);
    expect(count(served, " failed to start: Runtime.InitError")).toBe(1);
    expect(await ask(served)).toContain("Runtime.InitError");
    while (count(served, " failed to start: Runtime.InitError") < 2) await Bun.sleep(20);
    put(join(folder, "function.sh"), OK);
    while (!(await ready(served))) await Bun.sleep(20);
    expect(await ask(served)).toMatch(/^fine\n?$/);
  });

  test("a request has the failure, and the next start does not wait", async () => {
    const folder = functionFolder({ data: "x" });
    await using served = await started(folder, "--bootstrap", bootstrapExecutable());
    await served.logged(AGAIN);
    expect(await ask(served)).toContain("Runtime.NoSuchHandler");
    while (count(served, AGAIN) < 2) await Bun.sleep(5);
    // None of several waits for another start than its own.
    const responses = await Promise.all([ask(served), ask(served), ask(served)]);
    for (const each of responses) expect(each).toContain("Runtime.NoSuchHandler");
  });

  test("a bootstrap that is not there is said once with what to do, and started when it is", async () => {
    const folder = functionFolder({ "function.sh": OK });
    const [, loop = ""] = CURL_LOOP;
    await using served = await started(folder, "--", join(folder, "boot"));
    await served.logged(
      ` failed to start: Couldn't find valid bootstrap(s): [${folder}/boot]\n` +
        "  the file is missing: name the bootstrap to run: --bootstrap PATH, or -- COMMAND\n" +
        `  ${AGAIN}\n`,
    );
    await Bun.sleep(1_500);
    expect(count(served, " failed to start: ")).toBe(1);
    put(join(folder, "boot"), await Bun.file(loop).text(), 0o755);
    while (!(await ready(served))) await Bun.sleep(20);
    expect(await ask(served)).toMatch(/^fine\n?$/);
  });
});

/** Whether an environment waits for events. */
async function ready({ url }: RunningTool): Promise<boolean> {
  const metrics = await (await fetch(`${url}/_lambda-shell/metrics`)).text();
  return /workers\{state="ready"\} [1-9]/.test(metrics);
}

test.each([
  ["a folder", (path: string) => mkdirSync(path)],
  ["a link to nowhere", (path: string) => symlinkSync("nowhere", path)],
])("%s in place of the handler's script is told as such", async (_, make) => {
  const folder = functionFolder({ data: "x" });
  make(join(folder, "function.sh"));
  const { errors } = await tool(["run", folder, "--bootstrap", bootstrapExecutable()]);
  expect(errors).toContain(
    "hint: function.sh is not a file: replace it by one, or name another one: --handler FILE.FUNCTION\n",
  );
});

test.each(["data/x.y", `${"x".repeat(300)}.y`])(
  "the handler %s, whose file cannot be, is told as such",
  async (handler) => {
    const folder = functionFolder({ data: "x" });
    const run = ["run", folder, "--handler", handler, "--bootstrap", bootstrapExecutable()];
    const { status, errors } = await tool(run);
    expect(status).toBe(4);
    const script = handler.replace(".y", ".sh");
    expect(errors).toContain(`hint: write y() { … } into ${script}, or name another one: `);
  },
);
