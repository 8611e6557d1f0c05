/**
 * The runtime in a sandbox like Lambda's.
 *
 * Bash as /bin/sh, a read-only root, an unknown uid, 1,024 descriptors, an environment that is
 * Lambda's alone, and a /tmp that is empty, full or not writable.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { HEADER } from "../runtime-api/contract.ts";
import { lambdaEnvironment } from "../testing/bootstrap-process.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectError, expectOutcome } from "../testing/expectations.ts";
import { sandbox } from "../testing/sandbox.ts";
import type { TaskFile } from "../testing/task-root.ts";

const EVENT_BYTES = 6 * 1024 * 1024;

/** The script's own shell: without a shebang it is /bin/sh. */
const noShebang = (from: string): TaskFile => ({ from, shebang: false });

describe.each(["empty", "full", "readonly"] as const)("when /tmp is %s", (tmp) => {
  const wrapper = sandbox(tmp);

  test.concurrent("a function handler gets and returns events", async () => {
    const files = { "function.sh": noShebang("echo-argument.sh") };
    await using environment = await EnvironmentUnderTest.start({ files, wrapper });
    const { api, bootstrap } = environment;
    for (const body of ["x", "", "a\n\n", "é".repeat(EVENT_BYTES / 2)]) {
      const invocation = api.enqueue({ body });
      await Promise.race([invocation.posted, bootstrap.exited]);
      expectOutcome(invocation, { echo: true });
    }
    expect(bootstrap.stderr).toBe("");
  });

  test.concurrent("a file handler gets and returns events", async () => {
    const files = { respond: { text: "#!/bin/sh\nexec cat", mode: "755" } };
    await using environment = await EnvironmentUnderTest.start({
      files,
      wrapper,
      handler: "respond",
    });
    const { api, bootstrap } = environment;
    for (const body of ["x", "", "é".repeat(EVENT_BYTES / 2)]) {
      const invocation = api.enqueue({ body });
      await Promise.race([invocation.posted, bootstrap.exited]);
      expectOutcome(invocation, { echo: true });
    }
    expect(bootstrap.stderr).toBe("");
  });

  test.concurrent(
    "errors, background processes and a killed shell disturb no later event",
    async () => {
      const files = { "function.sh": noShebang("hostile/processes.sh") };
      await using environment = await EnvironmentUnderTest.start({ files, wrapper });
      const { api } = environment;
      for (const event of ["exits_seven", "kills_itself", "leaves_a_writer", "kills_its_group"]) {
        await api.invoke({ body: event });
        const innocent = api.enqueue({ body: "innocent" });
        await innocent.posted;
        expectOutcome(innocent, { response: "response to innocent" });
      }
    },
  );

  test.concurrent("a response is streamed", async () => {
    const files = { "function.sh": noShebang("stream.sh") };
    await using environment = await EnvironmentUnderTest.start({ files, wrapper });
    const post = await environment.api.invoke({ body: "fails" });
    expect(post.trailers[HEADER.errorType.toLowerCase()]).toBe("Function.StreamError");
  });

  test.concurrent("an init error is reported", async () => {
    const files = { "function.sh": noShebang("syntax-error.sh") };
    await using environment = await EnvironmentUnderTest.start({ files, wrapper });
    expect(await environment.exited).toEqual({ status: 1, signal: null });
    const [post] = environment.api.initErrors;
    if (post === undefined) throw new Error("no init error was reported");
    expectError(post, { errorType: "Runtime.UserCodeSyntaxError" });
  });
});

test("a handler runs as the sandbox's user, in the task root", async () => {
  const files = {
    "function.sh": {
      text: "handler() { id -u; id -g; pwd; ulimit -n; umask; shopt -qo posix && echo posix; }",
      shebang: false,
    },
  } as const;
  await using environment = await EnvironmentUnderTest.start({ files, wrapper: sandbox("empty") });
  const post = await environment.api.invoke();
  expect(post.latin1).toBe("993\n990\n/var/task\n1024\n0022\nposix\n");
});

test("the environment is Lambda's, HOME is /tmp", async () => {
  const files = { "function.sh": { text: "handler() { env -0; }", shebang: false } } as const;
  await using environment = await EnvironmentUnderTest.start({
    files,
    wrapper: sandbox("empty"),
    env: { HOME: "/home/sbx_user1051" },
  });
  const { api } = environment;
  const post = await api.invoke();
  const names = post.latin1.split("\0").map((entry) => entry.split("=")[0] ?? "");
  const given = lambdaEnvironment({ api: api.address, taskRoot: "/var/task", handler: "" });
  const own = names.filter((name) => !/^(LAMBDA_RUNTIME_.*|_X_AMZN_TRACE_ID|)$/.test(name));
  // PWD, SHLVL and _ are the shells' own.
  const expected = [...Object.keys(given), "HOME", "PWD", "SHLVL", "_"];
  expect(own.filter((name) => !expected.includes(name))).toEqual([]);
  expect(post.latin1.split("\0")).toContain("HOME=/tmp");
});

test.each(["/", "/root", "/var/task"])(
  "HOME is /tmp where HOME=%s cannot be written to",
  async (home) => {
    const files = { "function.sh": { text: "handler() { echo ~; }", shebang: false } } as const;
    await using environment = await EnvironmentUnderTest.start({
      files,
      wrapper: sandbox("empty"),
      env: { HOME: home },
    });
    expect((await environment.api.invoke()).latin1).toBe("/tmp\n");
  },
);

test("without LAMBDA_TASK_ROOT the task root is /var/task", async () => {
  const files = { "function.sh": { text: "handler() { pwd; }", shebang: false } } as const;
  await using environment = await EnvironmentUnderTest.start({
    files,
    wrapper: sandbox("empty", { withoutTaskRoot: true }),
  });
  expect((await environment.api.invoke()).latin1).toBe("/var/task\n");
});

test("a file that cannot be read is an init error", async () => {
  const files = { "function.sh": { text: "handler() { :; }", mode: "600" } };
  await using environment = await EnvironmentUnderTest.start({ files, wrapper: sandbox("empty") });
  expect(await environment.exited).toEqual({ status: 1, signal: null });
  const [post] = environment.api.initErrors;
  if (post === undefined) throw new Error("no init error was reported");
  const errorMessage = { contains: ["/var/task/function.sh"] };
  expectError(post, { errorType: "Runtime.InvalidEntrypoint", errorMessage });
});
