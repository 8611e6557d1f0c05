/** `lambda-shell test --watch` as a process: what is saved is tested. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bootstrapExecutable } from "../testing/bootstrap-process.ts";
import { functionFolder, toolCommand } from "../testing/running-tool.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

test("--watch runs the tests again after each change, also of a malformed test, until it is stopped", async () => {
  const folder = functionFolder({
    "function.sh": "handler() { echo 1; }\n",
    "tests/a.json": '{"event": 1, "expect": {"response": 1}}',
  });
  const args = ["test", "--watch", "--bootstrap", bootstrapExecutable(), "."];
  await using child = Bun.spawn([...toolCommand(args)], {
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

test("a link to itself beside a script does not hide the script's changes", async () => {
  const folder = functionFolder({
    "function.sh": "handler() { echo 1; }\n",
    "tests/a.json": '{"event": 1, "expect": {"response": 1}}',
  });
  // One of many comes before the script, in whatever order the folder is read.
  for (let at = 0; at < 20; at += 1) symlinkSync(`loop-${at}`, join(folder, `loop-${at}`));
  const log = join(temporaryFolder("log"), "log");
  const args = ["test", "--watch", "--bootstrap", bootstrapExecutable(), "."];
  await using child = Bun.spawn(["sh", "-c", '> "$0" 2>&1 exec "$@"', log, ...toolCommand(args)], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
    stdio: ["ignore", "ignore", "ignore"],
  });
  const said = (text: string) => existsSync(log) && readFileSync(log, "utf8").includes(text);
  while (!said("waiting for changes")) await Bun.sleep(5);
  writeFileSync(join(folder, "function.sh"), "handler() { echo 2; }\n");
  while (!said("expected 1, got 2")) await Bun.sleep(5);
  expect(readFileSync(log, "utf8")).toContain("warning: failed to watch all: ELOOP: ");
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
});

test.each([
  ["its log", '> log 2>&1 "$@"', []],
  ["its log, by way of tee", '"$@" 2>&1 | tee log > /dev/null', []],
  [
    "the report of --output",
    '> ../log 2>&1 "$@"',
    ["--reporter", "junit", "--output", "report.xml"],
  ],
])(
  "what --watch writes into the folder itself is not a change: %s",
  async (_what, script, options) => {
    const folder = functionFolder({
      "function.sh": "handler() { echo 1; }\n",
      "tests/a.json": '{"event": 1, "expect": {"response": 1}}',
    });
    const pid = join(temporaryFolder("pid"), "pid");
    const tool = ["sh", "-c", 'echo $$ > "$0"; exec "$@"', pid];
    const args = ["test", "--watch", "--bootstrap", bootstrapExecutable(), ".", ...options];
    const child = Bun.spawn(["sh", "-c", script, "sh", ...tool, ...toolCommand(args)], {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
      stdio: ["ignore", "ignore", "ignore"],
    });
    const path = join(folder, script.includes("../log") ? "../log" : "log");
    const rounds = () =>
      existsSync(path) ? readFileSync(path, "utf8").split("waiting for changes").length - 1 : 0;
    while (rounds() < 1) await Bun.sleep(5);
    await Bun.sleep(1_500);
    expect(rounds()).toBe(1);
    writeFileSync(join(folder, "function.sh"), "handler() { echo 2; }\n");
    while (rounds() < 2) await Bun.sleep(5);
    await Bun.sleep(1_500);
    expect(rounds()).toBe(2);
    process.kill(Number(readFileSync(pid, "utf8")), "SIGINT");
    await child.exited;
  },
);

test.each([
  ["the same file", "echo x >> out"],
  ["a file of another name each time", "echo x > out.$RANDOM"],
  ["a file that it deletes again", "echo x > tmp; rm tmp"],
])(
  "a function that writes into its folder is not tested again and again: %s",
  async (_what, command) => {
    const folder = functionFolder({
      "function.sh": `handler() { ${command}; echo 1; }\n`,
      "tests/a.json": '{"event": 1, "expect": {"response": 1}}',
    });
    const log = join(temporaryFolder("log"), "log");
    const args = ["test", "--watch", "--bootstrap", bootstrapExecutable(), "."];
    await using child = Bun.spawn(
      ["sh", "-c", '> "$0" 2>&1 exec "$@"', log, ...toolCommand(args)],
      {
        cwd: folder,
        env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
        stdio: ["ignore", "ignore", "ignore"],
      },
    );
    const rounds = () => readFileSync(log, "utf8").split("waiting for changes").length - 1;
    while (!existsSync(log) || rounds() < 1) await Bun.sleep(5);
    await Bun.sleep(1_500);
    const before = rounds();
    expect(before).toBeLessThanOrEqual(4);
    await Bun.sleep(1_000);
    expect(rounds()).toBe(before);
    // What is saved while nothing runs is tested as ever.
    writeFileSync(join(folder, "function.sh"), "handler() { echo 2; }\n");
    while (!readFileSync(log, "utf8").includes("expected 1, got 2")) await Bun.sleep(5);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
  },
);
