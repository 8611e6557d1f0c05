/**
 * What is written to the log, when, and in which format.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { SHELLS } from "../testing/shells.ts";

const files = { "function.sh": { from: "write-log.sh" } };
const JSON_FORMAT = { AWS_LAMBDA_LOG_FORMAT: "JSON" };

interface LogRecord {
  readonly timestamp?: string;
  readonly level?: string;
  readonly message?: string;
  readonly requestId?: string;
}

/** Every line of a JSON log; fails when one is not a JSON object. */
function records(log: string): LogRecord[] {
  const lines = log.replace(/\n$/, "").split("\n");
  return lines.map((line) => JSON.parse(line) as LogRecord);
}

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent("standard error reaches the log while the handler runs", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, bootstrap, taskRoot } = environment;
    const invocation = api.enqueue({ body: "wait" });
    await bootstrap.logged("before the wait");
    expect(invocation.posts.length).toBe(0);
    writeFileSync(join(taskRoot, "go"), "");
    expect((await invocation.posted).latin1).toBe("waited");
    await bootstrap.logged("after the wait");
  });

  test.concurrent("the deadline is the platform's; no log line waits for it", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, bootstrap, taskRoot } = environment;
    const invocation = api.enqueue({ body: "wait", timeoutMs: 1 });
    await bootstrap.logged("before the wait");
    expect(Number(invocation.headers.get("Lambda-Runtime-Deadline-Ms"))).toBeLessThan(Date.now());
    expect(invocation.posts.length).toBe(0);
    writeFileSync(join(taskRoot, "go"), "");
    expect((await invocation.posted).latin1).toBe("waited");
  });

  test.concurrent.each([
    ["the script", "set -v\nhandler() { :; }", "handler() { :; }\n"],
    ["the script and its last line", "handler() { :; }\nset -v", ""],
    ["the handler", "handler() { set -v; }", ""],
  ])("under set -v of %s the log has no line of the runtime's", async (_, script, expected) => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": `${script}\n` },
    });
    const { api, bootstrap } = environment;
    for (const length of [3, 5_000, 40_000, 2_000_000]) {
      await api.invoke({ body: "e".repeat(length) });
      await api.idle();
    }
    expect(bootstrap.stderr).toBe(expected);
  });

  test.concurrent("with JSON, lines of a handler are records", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files, env: JSON_FORMAT });
    const { api, bootstrap } = environment;
    const { requestId } = api.enqueue({ body: "talk" });
    await api.idle();
    await bootstrap.logged("the end");
    const [loading, ...lines] = records(bootstrap.stderr);
    expect([loading?.message, loading?.level]).toEqual(["loading", "INFO"]);
    expect(lines[0]).toEqual({ level: "WARN", message: "a record already" });
    for (const line of lines.slice(1)) {
      expect([line.level, line.requestId]).toEqual(["INFO", requestId]);
      expect(new Date(line.timestamp ?? "").toISOString()).toBe(line.timestamp ?? "");
    }
    expect(lines.slice(1).map(({ message }) => message)).toEqual([
      'say "hi" \\ \u0001\t\ufffd',
      "[1, 2]",
      '{"unfinished": ',
      "written in pieces",
      "the end",
    ]);
  });
});

test("with JSON, the runtime's own lines are records with the request id", async () => {
  await using environment = await EnvironmentUnderTest.start({ files, env: JSON_FORMAT });
  const { api, bootstrap } = environment;
  const invocation = api.enqueue({ body: "plain", postResponse: { kind: "status", status: 413 } });
  await api.idle();
  await bootstrap.logged("413");
  const own = records(bootstrap.stderr).filter(({ message }) => message?.includes("413"));
  expect(own.map(({ requestId }) => requestId)).toEqual([invocation.requestId]);
  expect(own.map(({ level }) => level)).toEqual(["ERROR"]);
});

test("with JSON, the output of a handler that fails is records", async () => {
  const text = String.raw`handler() { printf 'one\n\n{"two":2}\nthree'; return 1; }`;
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": text },
    env: JSON_FORMAT,
  });
  await environment.api.invoke();
  await environment.bootstrap.logged("three");
  const [heading, ...lines] = records(environment.bootstrap.stderr);
  expect(heading?.level).toBe("WARN");
  expect(lines).toMatchObject([{ message: "one" }, { two: 2 }, { message: "three" }]);
});

test("with JSON, an init failure is a record", async () => {
  await using environment = await EnvironmentUnderTest.start({ files: {}, env: JSON_FORMAT });
  await environment.exited;
  await environment.bootstrap.logged("function.sh");
  const levels = records(environment.bootstrap.stderr).map(({ level }) => level);
  expect(levels.length).toBeGreaterThan(0);
  expect(levels.every((level) => level === "ERROR" || level === "FATAL")).toBe(true);
});

test("the runtime's lines below the log level are left out, a handler's are not", async () => {
  const env = { AWS_LAMBDA_LOG_LEVEL: "FATAL" };
  await using environment = await EnvironmentUnderTest.start({ files, env });
  const { api, bootstrap } = environment;
  await api.invoke({ body: "plain", postResponse: { kind: "status", status: 413 } });
  await api.invoke({ body: "talk" });
  await bootstrap.logged("the end");
  await api.idle();
  expect(bootstrap.stderr).not.toContain("413");
  expect(bootstrap.stderr).toContain("a record already");
});

test("without JSON, a handler's lines stay as they are", async () => {
  await using environment = await EnvironmentUnderTest.start({ files });
  await environment.api.invoke({ body: "talk" });
  await environment.bootstrap.logged("the end");
  expect(environment.bootstrap.stderr).toStartWith("loading\n{");
  expect(environment.bootstrap.stderr).toContain('\n[1, 2]\n{"unfinished": \n');
});

test("nothing is written when nothing is wrong", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": "handler() { printf ok; }" },
    env: { AWS_LAMBDA_LOG_LEVEL: "INFO" },
  });
  for (let event = 0; event < 3; event += 1) await environment.api.invoke();
  await environment.api.idle();
  const { stderr, stdout } = environment.bootstrap;
  expect([stderr, stdout]).toEqual(["", ""]);
});
