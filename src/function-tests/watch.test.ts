/** `lambda-shell test --watch` as a process: what is saved is tested. */

import { expect, test } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bootstrapExecutable } from "../testing/bootstrap-process.ts";
import { functionFolder, toolCommand } from "../testing/running-tool.ts";

test("--watch runs the tests again after each change, also of a malformed test, until it is stopped", async () => {
  const folder = functionFolder({
    "function.sh": "handler() { echo 1; }\n",
    "tests/a.json": '{"event": 1, "expect": {"response": 1}}',
  });
  const args = ["test", "--watch", "--bootstrap", bootstrapExecutable(), "."];
  const child = Bun.spawn([...toolCommand(args)], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let said = "";
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream) said += Buffer.from(chunk).toString();
  };
  void read(child.stdout);
  void read(child.stderr);
  /** What is said until it waits for the next change. */
  const round = async () => {
    while (!said.includes("waiting for changes")) await Bun.sleep(5);
    const all = said;
    said = "";
    return all;
  };
  expect(await round()).toContain("1 passed, 0 failed");
  writeFileSync(join(folder, "function.sh"), "handler() { echo 2; }\n");
  expect(await round()).toContain("response: expected 1, got 2");
  writeFileSync(join(folder, "tests/a.json"), "{");
  expect(await round()).toContain("error: a test is malformed, and no test was run");
  // As editors save: under another name first.
  writeFileSync(join(folder, "tests/a.json.new"), '{"event": 1, "expect": {"response": 2}}');
  renameSync(join(folder, "tests/a.json.new"), join(folder, "tests/a.json"));
  expect(await round()).toContain("1 passed, 0 failed");
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
});
