/**
 * SnapStart: the snapshot is taken when the handler is loaded, before the first event.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-custom.html
 * @module
 */

import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { PATH } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectError } from "../testing/expectations.ts";
import {
  childrenOf,
  descendants,
  descriptors,
  killLoadedShell,
  marked,
  stateOf,
} from "../testing/process-facts.ts";
import { FURTHER_SHELLS, SHELLS } from "../testing/shells.ts";

const env = { AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start" };
const files = { "function.sh": "echo loaded >&2; handler() { printf '%s' \"$1\"; }" };

/** Its hooks say what they see: how often each has run, and how many arguments it has got. */
const HOOKED = {
  "function.sh": `echo loaded >&2
    seen=loaded
    before_snapshot() { echo before; seen="$seen before $#"; }
    after_restore() { echo after; seen="$seen after $#"; }
    handler() { [ "$1" = kill ] && kill -9 $$; printf '%s: %s' "$1" "$seen"; }`,
};

const pathsOf = ({ api }: EnvironmentUnderTest) => api.requests.map(({ path }) => path);

test.concurrent(
  "a snapshot is waited for after the handler was loaded, and before an event",
  async () => {
    await using environment = await EnvironmentUnderTest.start({ files, env });
    const { api, bootstrap } = environment;
    const { promise: until, resolve: restore } = Promise.withResolvers<void>();
    api.restoreResponses.push({ kind: "status", status: 200, until });
    await api.until(() => api.restores.length === 1);
    expect(bootstrap.stderr).toBe("loaded\n");
    const invocation = api.enqueue({ body: "x" });
    await Bun.sleep(200);
    expect(pathsOf(environment)).toEqual([PATH.restoreNext]);
    restore();
    expect((await invocation.posted).latin1).toBe("x");
    expect((await api.invoke({ body: "y" })).latin1).toBe("y");
    await api.idle();
    expect(api.restores.length).toBe(1);
    const [get] = api.restores;
    expect([get?.method, get?.body.length, get?.header("Content-Length")]).toEqual([
      "GET",
      0,
      undefined,
    ]);
  },
);

test.concurrent.each([
  null,
  "",
  "on-demand",
  "provisioned-concurrency",
  "lambda-managed-instances",
  "Snap-Start",
  "snap-start ",
  "snapstart",
])("with the initialization type %p no snapshot is waited for", async (type) => {
  await using environment = await EnvironmentUnderTest.start({
    files,
    env: { AWS_LAMBDA_INITIALIZATION_TYPE: type },
  });
  const { api } = environment;
  expect((await api.invoke({ body: "x" })).latin1).toBe("x");
  expect(api.restores).toEqual([]);
});

describe("after the restore", () => {
  test.concurrent.each([
    ["a connection that was reset", { kind: "status", status: 200, thenReset: true }],
    ["a connection that stays", { kind: "status", status: 200 }],
  ] as const)("%s is not used again, and not spoken of", async (_, response) => {
    await using environment = await EnvironmentUnderTest.start({ files, env });
    const { api, bootstrap } = environment;
    api.restoreResponses.push(response);
    const post = await api.invoke({ body: "x" });
    expect(post.latin1).toBe("x");
    await api.idle();
    const nexts = api.requests.filter(({ path }) => path === PATH.next);
    expect(nexts.map(({ connection }) => connection)).toEqual([2, 2]);
    expect([api.restores[0]?.connection, post.connection, api.connections]).toEqual([1, 2, 2]);
    expect(bootstrap.stderr).toBe("loaded\n");
  });

  test.concurrent("the handler gets the variables that the process was started with", async () => {
    const credentials = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://169.254.100.1:9001/2021-04-23/credentials",
      AWS_CONTAINER_AUTHORIZATION_TOKEN: "a token= of $(any) 'kind'",
      AWS_ACCESS_KEY_ID: null,
      AWS_SECRET_ACCESS_KEY: null,
      AWS_SESSION_TOKEN: null,
    };
    await using environment = await EnvironmentUnderTest.start({
      files: { "function.sh": "handler() { env; }" },
      env: { ...env, ...credentials },
    });
    const { api } = environment;
    api.restoreResponses.push({ kind: "status", status: 200 });
    const lines = (await api.invoke()).latin1.split("\n");
    for (const [name, value] of Object.entries(credentials)) {
      if (value !== null) expect(lines).toContain(`${name}=${value}`);
      else expect(lines.some((line) => line.startsWith(`${name}=`))).toBe(false);
    }
  });
});

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))(
  "in a snapshot of %s",
  (shell) => {
    test.concurrent.each([
      ["without hooks", files],
      ["with hooks", HOOKED],
      ["that takes its time", { "function.sh": "sleep 0.3; handler() { printf '%s' \"$1\"; }" }],
    ])(
      "there is the loaded shell, but no fork of it and no timer: a file %s",
      async (_, scripts) => {
        await using environment = await EnvironmentUnderTest.start({ shell, files: scripts, env });
        const { api, bootstrap } = environment;
        const { promise: until, resolve: restore } = Promise.withResolvers<void>();
        api.restoreResponses.push({ kind: "status", status: 200, until });
        await api.until(() => api.restores.length === 1);
        // Longer than any fork would take to be made.
        await Bun.sleep(200);
        const living = descendants(bootstrap.pid).filter((pid) => stateOf(pid) !== "Z");
        expect(living).toEqual(childrenOf(bootstrap.pid).slice(0, 1));
        expect(descriptors(bootstrap.pid).filter((link) => link.includes("timer"))).toEqual([]);
        restore();
        expect((await api.invoke({ body: "x" })).latin1).toStartWith("x");
      },
    );
  },
);

test.concurrent.each(["typeset -fx", "typeset -ft", "typeset -fxt"])(
  "mksh runs hooks that are marked: %s",
  async (marking) => {
    const names = ["before_snapshot", "after_restore"];
    const hooks = names.map((name) => `${name}() { RUN="$RUN ${name}"; }\n${marking} ${name}\n`);
    const text = `${hooks.join("")}handler() { print -rn -- "$RUN"; }`;
    await using environment = await EnvironmentUnderTest.start({
      shell: "mksh",
      files: { "function.sh": text },
      env,
    });
    const { api } = environment;
    api.restoreResponses.push({ kind: "status", status: 200 });
    expect((await api.invoke()).latin1).toBe(" before_snapshot after_restore");
  },
);

test.concurrent.each([1, 2])("a wait that is broken off is repeated: %d times", async (times) => {
  await using environment = await EnvironmentUnderTest.start({ files, env });
  const { api, bootstrap } = environment;
  for (let reset = 0; reset < times; reset += 1) api.restoreResponses.push({ kind: "reset" });
  api.restoreResponses.push({ kind: "status", status: 200 });
  expect((await api.invoke({ body: "x" })).latin1).toBe("x");
  expect([api.restores.length, bootstrap.stderr]).toEqual([times + 1, "loaded\n"]);
});

describe("what ends the environment", () => {
  test.concurrent("is a wait that is broken off again and again", async () => {
    await using environment = await EnvironmentUnderTest.start({ files, env });
    const { api, bootstrap, exited } = environment;
    for (let reset = 0; reset < 20; reset += 1) api.restoreResponses.push({ kind: "reset" });
    expect(await exited).toEqual({ status: 1, signal: null });
    await bootstrap.logged("FATAL");
    expect(api.restores.length).toBeLessThan(10);
    expect(new Set(pathsOf(environment))).toEqual(new Set([PATH.restoreNext]));
  });

  test.concurrent.each([404, 403, 204, 500, 301])("is status %d", async (status) => {
    await using environment = await EnvironmentUnderTest.start({ files, env });
    const { api, exited, taskRoot } = environment;
    api.restoreResponses.push({ kind: "status", status });
    expect(await exited).toEqual({ status: 1, signal: null });
    expect(pathsOf(environment)).toEqual([PATH.restoreNext, PATH.initError]);
    const [post] = api.initErrors;
    if (post === undefined) throw new Error("no init error was reported");
    const errorMessage = { contains: [PATH.restoreNext, String(status)] };
    expectError(post, { errorType: "Runtime.InitError", errorMessage });
    while ((await marked(taskRoot)).length > 0) await Bun.sleep(5);
  });

  test.concurrent.each([
    ["a syntax error", "handler() {", "Runtime.UserCodeSyntaxError"],
    ["an exit", "exit 3", "Runtime.InitError"],
    ["a function that is not defined", "other() { :; }", "Runtime.HandlerNotFound"],
  ])("is a handler with %s, without a wait for a snapshot", async (_, text, errorType) => {
    await using environment = await EnvironmentUnderTest.start({
      files: { "function.sh": text },
      env,
    });
    const { api, exited } = environment;
    expect(await exited).toEqual({ status: 1, signal: null });
    expect(pathsOf(environment)).toEqual([PATH.initError]);
    const [post] = api.initErrors;
    if (post === undefined) throw new Error("no init error was reported");
    expectError(post, { errorType });
  });
});

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))(
  "what ends the environment in %s",
  (shell) => {
    test.concurrent.each([
      ["after a return", '[ -n "${NAME-}" ] || return\nhandler() { :; }'],
      ["in a condition", 'if [ -n "${NAME-}" ]; then\n  handler() { :; }\nfi'],
      ["and undone", "handler() { :; }\nunset -f handler"],
    ])("is a function that is only in the text: %s", async (_, text) => {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": text },
        env,
      });
      const { api, exited } = environment;
      expect(await exited).toEqual({ status: 1, signal: null });
      expect(pathsOf(environment)).toEqual([PATH.initError]);
      const [post] = api.initErrors;
      if (post === undefined) throw new Error("no init error was reported");
      expectError(post, { errorType: "Runtime.HandlerNotFound" });
    });
  },
);

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))("a file of %s", (shell) => {
  test.concurrent("is run for each event after the restore, as it is elsewhere", async () => {
    const text = `read -r event
      [ "$event" = kill ] && kill -9 $PPID
      before_snapshot() { exit 1; }
      printf '%s\\n' "$event" "$0" "$#" "$-" "$PWD"
      umask; trap; exec 2>/dev/null; ls -l /proc/self/fd | wc -l`;
    const responses = async (initialization: string | null) => {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        handler: "file.sh",
        files: { "file.sh": text },
        env: { AWS_LAMBDA_INITIALIZATION_TYPE: initialization },
      });
      const { api, taskRoot } = environment;
      api.restoreResponses.push({ kind: "status", status: 200 });
      const posts: string[] = [];
      for (const body of ["one\n", "kill\n", "two\n"]) {
        const { path, latin1 } = await api.invoke({ body });
        const isError = path.endsWith("/error");
        posts.push(isError ? "error" : latin1.replaceAll(taskRoot, "TASK_ROOT"));
      }
      return { posts, restores: api.restores.length };
    };
    const elsewhere = await responses(null);
    expect(elsewhere.posts[0]).toStartWith("one\nTASK_ROOT/file.sh\n0\n");
    expect(elsewhere.posts[1]).toBe("error");
    expect(await responses("snap-start")).toEqual({ posts: elsewhere.posts, restores: 1 });
  });
});

test.concurrent(
  "with several loops the snapshot is waited for once, before they start",
  async () => {
    await using environment = await EnvironmentUnderTest.start({
      files,
      env: { ...env, AWS_LAMBDA_MAX_CONCURRENCY: "3" },
    });
    const { api, bootstrap } = environment;
    const { promise: until, resolve: restore } = Promise.withResolvers<void>();
    api.restoreResponses.push({ kind: "status", status: 200, until });
    await api.until(() => api.restores.length === 1);
    await Bun.sleep(100);
    expect([bootstrap.stderr, api.requests.length]).toEqual(["", 1]);
    restore();
    await api.idle(3);
    expect(api.restores.length).toBe(1);
  },
);

test.concurrent("a SIGTERM during the wait ends the environment", async () => {
  await using environment = await EnvironmentUnderTest.start({ files, env });
  const { api, bootstrap, exited, taskRoot } = environment;
  api.restoreResponses.push({ kind: "status", status: 200, until: new Promise(() => undefined) });
  await api.until(() => api.restores.length === 1);
  bootstrap.signal("SIGTERM");
  expect(await exited).toEqual({ status: 0, signal: null });
  expect(await marked(taskRoot)).toEqual([]);
});

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))("hooks in %s", (shell) => {
  test.concurrent(
    "the loaded shell runs before_snapshot before the wait, and after_restore after it, once each",
    async () => {
      await using environment = await EnvironmentUnderTest.start({ shell, files: HOOKED, env });
      const { api, bootstrap } = environment;
      const { promise: until, resolve: restore } = Promise.withResolvers<void>();
      api.restoreResponses.push({ kind: "status", status: 200, until });
      await api.until(() => api.restores.length === 1);
      await bootstrap.logged("before\n");
      expect(bootstrap.stderr).toEndWith("loaded\nbefore\n");
      restore();
      for (const event of ["a", "b"]) {
        const post = await api.invoke({ body: event });
        expect(post.latin1).toBe(`${event}: loaded before 0 after 0`);
      }
      await bootstrap.logged("after\n");
      expect(bootstrap.stderr).toEndWith("loaded\nbefore\nafter\n");
      expect(pathsOf(environment).slice(0, 2)).toEqual([PATH.restoreNext, PATH.next]);
    },
  );

  test.concurrent.each([
    ["no hook", ""],
    ["a hook before the snapshot", "before_snapshot() { :; }"],
    ["a hook after the restore", "after_restore() { :; }"],
  ])("options and traps of the script are those of every event, with %s", async (_, hook) => {
    for (const head of ["set -e", "set -fu", "set -abC", "set -euf; trap : TERM", "set -x"]) {
      const options = async (initialization: string | null) => {
        await using environment = await EnvironmentUnderTest.start({
          shell,
          files: {
            "function.sh": `${hook}\n${head}\nhandler() { printf '%s' "$-"; (exit 3) || :; trap; }`,
          },
          env: { AWS_LAMBDA_INITIALIZATION_TYPE: initialization },
        });
        environment.api.restoreResponses.push({ kind: "status", status: 200 });
        return (await environment.api.invoke()).latin1;
      };
      expect(await options("snap-start")).toBe(await options(null));
    }
  });

  test.concurrent("options and traps that a hook sets are those of every event", async () => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: {
        "function.sh": `after_restore() { set -e; set -f; readonly R=x; }
          handler() { echo * "$R"; false; echo not here; }`,
      },
      env,
    });
    const { api } = environment;
    api.restoreResponses.push({ kind: "status", status: 200 });
    for (let event = 0; event < 2; event += 1) {
      const error = (await api.invoke()).json() as { errorMessage: string };
      expect(error.errorMessage).toContain("exited with status 1: * x");
    }
  });

  test.concurrent.each([
    ["before_snapshot", "return 3", "exited with status 3"],
    ["before_snapshot", "echo why >&2; exit 4", "exited with status 4: why"],
    ["before_snapshot", "exit 0", "exited with status 0: it must not call exit"],
    [
      "before_snapshot",
      "set -e; false",
      "exited with status 1: it called exit or exec, or a command",
    ],
    ["before_snapshot", "kill -9 $$", "was killed by SIGKILL"],
    ["after_restore", "return 3", "exited with status 3"],
    ["after_restore", "echo why >&2; exit 4", "exited with status 4: why"],
    ["after_restore", "no-such-command 2>/dev/null", "exited with status 127"],
    ["after_restore", "kill -9 $$", "was killed by SIGKILL"],
  ])("a failure of %s (%s) ends the environment", async (hook, commands, message) => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": `handler() { :; }; ${hook}() { ${commands}; }` },
      env,
    });
    const { api, exited, taskRoot } = environment;
    api.restoreResponses.push({ kind: "status", status: 200 });
    expect(await exited).toEqual({ status: 1, signal: null });
    const isBefore = hook === "before_snapshot";
    expect(pathsOf(environment)).toEqual(
      isBefore ? [PATH.initError] : [PATH.restoreNext, PATH.restoreError],
    );
    const [post] = isBefore ? api.initErrors : api.restoreErrors;
    if (post === undefined) throw new Error("no error was reported");
    expectError(post, {
      errorType: isBefore ? "Runtime.BeforeSnapshotError" : "Runtime.AfterRestoreError",
      errorMessage: { contains: [`${hook} in `, "function.sh", message] },
    });
    while ((await marked(taskRoot)).length > 0) await Bun.sleep(5);
  });

  test.concurrent("a shell that is loaded again runs both hooks, without a wait", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files: HOOKED, env });
    const { api } = environment;
    api.restoreResponses.push({ kind: "status", status: 200 });
    const { path } = await api.invoke({ body: "kill" });
    expect(path).toEndWith("/error");
    const post = await api.invoke({ body: "x" });
    expect(post.latin1).toBe("x: loaded before 0 after 0");
    expect(api.restores.length).toBe(1);
  });

  test.concurrent.each(["sleep 60", "while :; do sleep 1; done", "trap '' TERM; sleep 60"])(
    "an event ends at its deadline whose shell, when it is loaded again, hangs in a hook: %s",
    async (body) => {
      const script = `after_restore() { [ ! -e hang ] || { ${body}; }; }
        handler() { printf %s "$1"; }`;
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": script },
        env,
      });
      const { api, bootstrap, taskRoot } = environment;
      api.restoreResponses.push({ kind: "status", status: 200 });
      expect((await api.invoke({ body: "first" })).latin1).toBe("first");
      await api.idle();
      const hang = join(taskRoot, "hang");
      writeFileSync(hang, "");
      await killLoadedShell(bootstrap.pid);
      for (const body of ["second", "third"]) {
        await api.idle();
        const { latin1 } = await api.invoke({ body, timeoutMs: 300 });
        expect(latin1).toContain("Sandbox.Timedout");
      }
      rmSync(hang);
      expect((await api.invoke({ body: "fourth" })).latin1).toBe("fourth");
    },
    40_000,
  );

  test.concurrent.each([
    ["are not called without SnapStart", HOOKED, null, "x:"],
    [
      "are not called if they are not functions",
      { "function.sh": "before_snapshot=1; handler() { printf '%s' \"$1\"; }" },
      "snap-start",
      "x",
    ],
    [
      "are functions also where an alias has their name",
      {
        "function.sh":
          "after_restore() { state=after; }\nalias after_restore=exit\nhandler() { printf '%s' \"$1$state\"; }",
      },
      "snap-start",
      "xafter",
    ],
    [
      "are found in a file that the script sources, whatever functions there are",
      {
        "function.sh":
          "command() { :; }; unset() { :; }; . ./lib.sh; handler() { printf '%s' \"$1$state\"; }",
        "lib.sh": "after_restore() { state=after; }",
      },
      "snap-start",
      "xafter",
    ],
  ] as const)("%s", async (_, scripts, type, response) => {
    // These shells do not let a script have a function of the name of a special builtin.
    const isLenient = shell === "bash";
    const files = Object.fromEntries(
      Object.entries(scripts).map(([name, text]) => [
        name,
        isLenient ? text : text.replace("unset() { :; };", ""),
      ]),
    );
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files,
      env: { AWS_LAMBDA_INITIALIZATION_TYPE: type },
    });
    const { api } = environment;
    api.restoreResponses.push({ kind: "status", status: 200 });
    expect((await api.invoke({ body: "x" })).latin1).toStartWith(response);
  });

  test.concurrent("a handler that is not defined is found out before the snapshot", async () => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": "other() { :; }; before_snapshot() { echo called >&2; }" },
      env,
    });
    const { bootstrap, exited } = environment;
    await exited;
    expect(pathsOf(environment)).toEqual([PATH.initError]);
    expect(bootstrap.stderr).not.toContain("called");
  });
});
