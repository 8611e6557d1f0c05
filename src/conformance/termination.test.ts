/**
 * SIGTERM ends handler and runtime, with nothing left behind.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";

import { PATH } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { marked } from "../testing/process-facts.ts";
import { SHELLS } from "../testing/shells.ts";

const files = {
  "function.sh": { from: "take-long.sh" },
  respond: { from: "take-long.sh", mode: "755" },
};

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent("SIGTERM ends the runtime while it waits for an event", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, bootstrap, exited, taskRoot } = environment;
    await api.idle();
    bootstrap.signal("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    expect([api.requests.length, bootstrap.stderr]).toEqual([1, ""]);
    expect(await marked(taskRoot)).toEqual([]);
  });

  test.concurrent.each(["sleep", "busy", "ignore", "output", "children", "daemon"])(
    "SIGTERM ends the runtime and its handler: %s",
    async (body) => {
      await using environment = await EnvironmentUnderTest.start({ shell, files });
      const { api, bootstrap, exited, taskRoot } = environment;
      const invocation = api.enqueue({ body });
      await bootstrap.logged("started");
      bootstrap.signal("SIGTERM");
      expect(await exited).toEqual({ status: 0, signal: null });
      // No partial response, no response at all; and no orphan.
      expect(invocation.posts).toEqual([]);
      expect(api.requests.map(({ path }) => path)).toEqual([PATH.next]);
      expect(await marked(taskRoot)).toEqual([]);
    },
  );

  test.concurrent("what is logged until the end is not lost", async () => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: {
        "function.sh": `handler() {
          trap 'head -c 100000 /dev/zero | tr "\\0" x >&2; echo stopped >&2; exit' TERM
          printf 'begun, ' >&2
          : >begun
          while :; do :; done
        }`,
      },
      env: { AWS_LAMBDA_LOG_FORMAT: "JSON" },
    });
    const { api, bootstrap, exited, taskRoot } = environment;
    api.enqueue();
    while (!existsSync(join(taskRoot, "begun"))) await Bun.sleep(5);
    bootstrap.signal("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    const [line = ""] = bootstrap.stderr.split("\n");
    const { message } = JSON.parse(line) as { message: string };
    expect(message).toBe(`begun, ${"x".repeat(100_000)}stopped`);
  });

  test.concurrent("SIGTERM may come again and again", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, bootstrap, exited, taskRoot } = environment;
    const invocation = api.enqueue({ body: "children" });
    await bootstrap.logged("started");
    const again = setInterval(() => bootstrap.signal("SIGTERM"), 1);
    expect(await exited).toEqual({ status: 0, signal: null });
    clearInterval(again);
    expect(invocation.posts).toEqual([]);
    expect(await marked(taskRoot)).toEqual([]);
  });

  test.concurrent("SIGTERM ends the runtime while the file is loaded", async () => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": "echo started >&2\nsleep 60\nhandler() { :; }" },
    });
    const { api, bootstrap, exited, taskRoot } = environment;
    await bootstrap.logged("started");
    bootstrap.signal("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    expect(api.requests).toEqual([]);
    expect(await marked(taskRoot)).toEqual([]);
  });

  test.concurrent.each([
    ["in a program", "sleep 600"],
    ["in a loop", "while :; do sleep 1; done"],
    ["and ignores SIGTERM", "trap '' TERM; while :; do sleep 1; done"],
  ])("a runtime that is killed leaves no shell behind whose file hangs %s", async (_, body) => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": `echo started >&2\n${body}\nhandler() { :; }` },
    });
    const { bootstrap, exited, taskRoot } = environment;
    await bootstrap.logged("started");
    bootstrap.signal("SIGKILL");
    await exited;
    while ((await marked(taskRoot)).length > 0) await Bun.sleep(10);
  });

  test.concurrent(
    "a runtime that is killed leaves no shell behind that waits for an event",
    async () => {
      await using environment = await EnvironmentUnderTest.start({ shell, files });
      const { api, bootstrap, exited, taskRoot } = environment;
      await api.idle();
      bootstrap.signal("SIGKILL");
      await exited;
      while ((await marked(taskRoot)).length > 0) await Bun.sleep(10);
    },
  );

  test.concurrent.each(["sleep", "busy", "ignore", "children", "stream"])(
    "a runtime that is killed leaves no handler behind (%s)",
    async (body) => {
      await using environment = await EnvironmentUnderTest.start({ shell, files });
      const { api, bootstrap, exited, taskRoot } = environment;
      const invocation = api.enqueue({ body });
      await bootstrap.logged("started");
      bootstrap.signal("SIGKILL");
      await exited;
      while ((await marked(taskRoot)).length > 0) await Bun.sleep(10);
      // Of a stream the response has begun: it must not look complete.
      for (const post of invocation.posts) expect(post.complete).toBe(false);
    },
  );

  test.concurrent("SIGTERM ends the runtime while a response is streamed", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files });
    const { api, bootstrap, exited } = environment;
    const invocation = api.enqueue({ body: "stream" });
    const post = await invocation.begun;
    await bootstrap.logged("started");
    bootstrap.signal("SIGTERM");
    expect(await exited).toEqual({ status: 0, signal: null });
    // A stream that was cut off must not look complete.
    await post.ended;
    expect(post.complete).toBe(false);
  });
});

test("SIGTERM to the process group ends the runtime, as in Lambda", async () => {
  await using environment = await EnvironmentUnderTest.start({ files });
  const { api, bootstrap, exited, taskRoot } = environment;
  const invocation = api.enqueue({ body: "sleep" });
  await bootstrap.logged("started");
  process.kill(-bootstrap.pid, "SIGTERM");
  expect(await exited).toEqual({ status: 0, signal: null });
  expect(invocation.posts).toEqual([]);
  expect(await marked(taskRoot)).toEqual([]);
});

test.each(["TERM", "KILL"])("a handler can end the runtime with SIG%s", async (signal) => {
  await using environment = await EnvironmentUnderTest.start({
    files: {
      "function.sh": `handler() {
        printf partial
        runtime=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$$/status)
        kill -${signal} "$runtime"
        sleep 60
      }`,
    },
  });
  const { api, exited, taskRoot } = environment;
  const invocation = api.enqueue();
  const { status } = await exited;
  // The platform starts another one; it must not have got half a response from this one.
  expect([status, invocation.posts]).toEqual([signal === "TERM" ? 0 : null, []]);
  if (signal === "TERM") expect(await marked(taskRoot)).toEqual([]);
});

test.concurrent.each(Array.from({ length: 30 }, (_, at) => at + 8))(
  "a runtime that may have %d descriptors leaves no shell behind when it cannot start",
  async (count) => {
    await using environment = await EnvironmentUnderTest.start({
      files: { "function.sh": "echo started >&2\nwhile :; do sleep 1; done" },
      wrapper: ["prlimit", `--nofile=${count}:${count}`],
    });
    const { bootstrap, exited, taskRoot } = environment;
    await Promise.race([exited, bootstrap.logged("started")]);
    bootstrap.signal("SIGKILL");
    await exited;
    while ((await marked(taskRoot)).length > 0) await Bun.sleep(10);
  },
);
