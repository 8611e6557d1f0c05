/**
 * An event that reaches its deadline is ended, and its loop goes on.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
 * @module
 */

import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { HEADER, STATUS } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import {
  descendants,
  descriptors,
  killLoadedShell,
  marked,
  parentOf,
  stateOf,
} from "../testing/process-facts.ts";
import type { ScriptedInvocation } from "../testing/scripted-invocation.ts";
import { type ShellName, SHELLS } from "../testing/shells.ts";

const MANAGED = { AWS_LAMBDA_INITIALIZATION_TYPE: "lambda-managed-instances" };
const SNAP_START = { AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start" };
/** How long the handlers under test have, in ms: each would take a minute. */
const TIMEOUT_MS = 300;
const LOOPS = 10;
const EVENTS = 1000;
const PRELUDE = `printf '{"statusCode":200}\\0\\0\\0\\0\\0\\0\\0\\0begun'`;

/** A handler with a given body for every event but "next"; the file notes each time it is loaded. */
const filesWith = (body: string) => ({
  "function.sh": `printf x >>loads
    handler() {
      if [ "$1" = next ]; then printf 'next %s' "$(cat loads)"; return; fi
      ${body}
    }`,
});

async function start(shell: ShellName, body: string): Promise<EnvironmentUnderTest> {
  const environment = await EnvironmentUnderTest.start({
    shell,
    files: filesWith(body),
    env: MANAGED,
  });
  await environment.api.idle();
  return environment;
}

/** How a file hangs when it is loaded again. Not busily: the other tests run at the same time. */
const SLOW_RELOADS: readonly (readonly [string, string])[] = [
  ["hangs in a program", "sleep 60"],
  ["hangs in a loop", "while :; do sleep 1; done"],
  ["hangs and ignores SIGTERM", "trap '' TERM; sleep 60"],
  ["hangs in a program with a process group of its own", "timeout 60 sleep 60"],
];

/** Handlers that run for a minute, each with the signals that it takes to end them. */
const HANGING: readonly (readonly [string, string, "SIGTERM" | "SIGKILL"])[] = [
  ["a program", "sleep 60", "SIGTERM"],
  ["a handler that is busy itself", "while :; do :; done", "SIGTERM"],
  ["a handler that ignores SIGTERM", "trap '' TERM; sleep 60", "SIGKILL"],
  ["a pipeline", "sleep 60 | cat | cat", "SIGTERM"],
  ["a child that ignores SIGTERM", "(trap '' TERM; sleep 60; sleep 60) & sleep 60", "SIGKILL"],
  ["a background child", "sleep 60 & sleep 60", "SIGTERM"],
  ["a background child without a parent", "(sleep 60 &); sleep 60", "SIGTERM"],
  ["a chain of processes", "sh -c 'sh -c \"sleep 60; :\"; :'", "SIGTERM"],
  ["a program in the handler's place", "exec sleep 60", "SIGTERM"],
  ["a program with a session of its own in the handler's place", "exec setsid sleep 60", "SIGTERM"],
  ["a handler without standard output", "exec >&- 2>&-; sleep 60", "SIGTERM"],
  ["output that nobody wants", "while :; do echo x; done", "SIGTERM"],
];

test.concurrent.each(
  SHELLS.flatMap(({ name }) => SLOW_RELOADS.map((one) => [name, ...one] as const)),
)(
  "in %s a loop goes on whose file, when an event has killed its shell, %s",
  async (shell, _, body) => {
    const script = `printf x >>loads
      [ "$(cat loads)" != xx ] || { ${body}; }
      handler() { [ "$1" != kill ] || kill -9 $$; printf '%s %s' "$1" "$(cat loads)"; }`;
    const files = { "function.sh": script };
    await using environment = await EnvironmentUnderTest.start({ shell, files, env: MANAGED });
    const { api, bootstrap, taskRoot } = environment;
    expect((await api.invoke({ body: "kill" })).path).toEndWith("/error");
    expect((await api.invoke({ body: "next" })).latin1).toBe("next xxx");
    expect(bootstrap.stderr).toContain("was not loaded again in time: the next event waits for it");
    while ((await marked(taskRoot)).some(({ command }) => command.includes("sleep"))) {
      await Bun.sleep(1);
    }
  },
  40_000,
);

const UNTIMED = [
  ["hangs", "hang", MANAGED],
  ["hangs in a hook", "after_restore() { hang; }", SNAP_START],
] as const;

test.concurrent.each(SHELLS.flatMap(({ name }) => UNTIMED.map((one) => [name, ...one] as const)))(
  "in %s an event without a deadline gets an error if its file, when it is loaded again, %s",
  async (shell, _, atTop, env) => {
    const script = `hang() { [ ! -e hang ] || sleep 60; }
      handler() { printf %s "$1"; }
      ${atTop}`;
    const files = { "function.sh": script };
    await using environment = await EnvironmentUnderTest.start({ shell, files, env });
    const { api, bootstrap, taskRoot } = environment;
    api.restoreResponses.push({ kind: "status", status: 200 });
    const headers = { [HEADER.deadlineMs]: null };
    expect((await api.invoke({ body: "first", headers })).latin1).toBe("first");
    await api.idle();
    const hang = join(taskRoot, "hang");
    writeFileSync(hang, "");
    await killLoadedShell(bootstrap.pid);
    const invocation = api.enqueue({ body: "second", headers });
    await invocation.posted;
    expectOutcome(invocation, {
      error: {
        errorType: "Runtime.InitError",
        errorMessage: { contains: ["was not loaded again in time, after its shell had ended"] },
      },
    });
    await api.idle();
    expect((await marked(taskRoot)).map(({ pid }) => pid)).toEqual([bootstrap.pid]);
    rmSync(hang);
    expect((await api.invoke({ body: "third", headers })).latin1).toBe("third");
  },
  40_000,
);

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent.each(SLOW_RELOADS)(
    "an event ends at its deadline whose file, when it is loaded again, %s",
    async (_, body) => {
      const script = `[ ! -e hang ] || { ${body}; }
        handler() { printf %s "$1"; }`;
      const files = { "function.sh": script };
      await using environment = await EnvironmentUnderTest.start({ shell, files, env: MANAGED });
      const { api, bootstrap, taskRoot } = environment;
      expect((await api.invoke({ body: "first" })).latin1).toBe("first");
      await api.idle();
      const hang = join(taskRoot, "hang");
      writeFileSync(hang, "");
      await killLoadedShell(bootstrap.pid);
      // After the first of them the file has a time of its own; from then on that of an event.
      for (const body of ["second", "third", "fourth"]) {
        await api.idle();
        const invocation = api.enqueue({ body, timeoutMs: TIMEOUT_MS });
        await invocation.posted;
        expectOutcome(invocation, {
          error: { errorType: "Sandbox.Timedout", errorMessage: { matches: "after 0\\.[2-9]" } },
        });
      }
      rmSync(hang);
      expect((await api.invoke({ body: "fifth" })).latin1).toBe("fifth");
      while ((await marked(taskRoot)).some(({ command }) => command.includes("sleep"))) {
        await Bun.sleep(1);
      }
      expect(bootstrap.stderr).toContain("while the handler's file was loaded again, by SIGKILL");
    },
    40_000,
  );

  test.concurrent(
    "a file that takes longer than an event may is loaded again after it",
    async () => {
      const script = `[ ! -e loads ] || sleep 1
        printf x >>loads; handler() { printf '%s %s' "$1" "$(cat loads)"; }`;
      const files = { "function.sh": script };
      await using environment = await EnvironmentUnderTest.start({ shell, files, env: MANAGED });
      const { api, bootstrap } = environment;
      expect((await api.invoke({ body: "first" })).latin1).toBe("first x");
      await api.idle();
      await killLoadedShell(bootstrap.pid);
      const timeoutMs = TIMEOUT_MS;
      expect((await api.invoke({ body: "second", timeoutMs })).latin1).toContain(
        "Sandbox.Timedout",
      );
      await api.idle();
      expect((await api.invoke({ body: "third", timeoutMs })).latin1).toBe("third xx");
    },
  );

  test.concurrent.each(HANGING)(
    "%s is ended at the deadline, and the same shell handles the next event",
    async (_, body, signal) => {
      await using environment = await start(shell, body);
      const { api, bootstrap, taskRoot } = environment;
      const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS });
      await invocation.posted;
      expectOutcome(invocation, {
        error: {
          errorType: "Sandbox.Timedout",
          errorMessage: {
            matches: `^RequestId: ${invocation.requestId} Error: Task timed out after 0\\.[23]\\d seconds$`,
          },
        },
      });
      await api.idle();
      // The loaded shell, and the fork for the next event, which may not be there yet.
      const left = (await marked(taskRoot)).filter(({ pid }) => pid !== bootstrap.pid);
      expect(left.filter(({ command }) => !command.includes(" -c "))).toEqual([]);
      expect((await api.invoke({ body: "next" })).latin1).toBe("next x");
      const lines = bootstrap.stderr.split("\n").filter((line) => line.includes("[ERROR]"));
      expect(lines.length).toBe(1);
      expect(lines[0]).toContain(`${invocation.requestId} the event was ended at its deadline`);
      expect(lines[0]?.includes("SIGKILL")).toBe(signal === "SIGKILL");
    },
  );

  test.concurrent("a handler may clean up on SIGTERM, but its response is dropped", async () => {
    await using environment = await start(
      shell,
      `printf early; trap 'echo cleaned >&2; printf late; exit 0' TERM; sleep 60`,
    );
    const { api, bootstrap } = environment;
    const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS });
    await invocation.posted;
    expectOutcome(invocation, {
      error: { errorType: "Sandbox.Timedout" },
    });
    await bootstrap.logged("cleaned");
    expect((await api.invoke({ body: "next" })).latin1).toBe("next x");
  });

  test.concurrent("a process with a session of its own lives on", async () => {
    await using environment = await start(shell, "setsid sleep 61 & sleep 60");
    const { api, taskRoot } = environment;
    const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS });
    await invocation.posted;
    await api.idle();
    const commands = (await marked(taskRoot)).map(({ command }) => command);
    expect(commands).toContain("sleep 61 ");
    expect(commands).not.toContain("sleep 60 ");
  });

  test.concurrent("what an earlier event has left in the background lives on", async () => {
    await using environment = await start(
      shell,
      `case $1 in leave) (sleep 61 &) ;; *) sleep 60 & sleep 60 ;; esac`,
    );
    const { api, taskRoot } = environment;
    await api.invoke({ body: "leave" });
    const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS });
    await invocation.posted;
    await api.idle();
    const commands = (await marked(taskRoot)).map(({ command }) => command);
    expect(commands).toContain("sleep 61 ");
    expect(commands).not.toContain("sleep 60 ");
  });

  test.concurrent.each([
    ["that waits", `${PRELUDE}; sleep 60`],
    ["that writes more than is read", `${PRELUDE}; while :; do echo ${"x".repeat(100)}; done`],
  ])("a stream %s is broken off, without an error", async (_, body) => {
    await using environment = await start(shell, body);
    const { api, bootstrap } = environment;
    // A server that reads nothing of it until after the deadline.
    const postResponse = { kind: "slow-read", delayMs: TIMEOUT_MS + 200 } as const;
    const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS, postResponse });
    const post = await invocation.begun;
    await post.ended;
    expect(post.complete).toBe(false);
    const next = await api.invoke({ body: "next" });
    expect(next.latin1).toBe("next x");
    expect([invocation.posts.length, next.connection === post.connection]).toEqual([1, false]);
    expect(bootstrap.stderr).toContain("ended at its deadline");
  });

  test.concurrent.each([null, "", "0", "600000", "soon", "1e15", "-1", "99999999999999999999"])(
    "the deadline %p never comes",
    async (deadline) => {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: filesWith('sleep 0.3; printf "%s" "${LAMBDA_RUNTIME_DEADLINE_MS-unset}"'),
        env: MANAGED,
      });
      const post = await environment.api.invoke({ headers: { [HEADER.deadlineMs]: deadline } });
      expect(post.latin1).toBe(deadline === null || deadline === "" ? "unset" : deadline);
    },
  );

  test(`${EVENTS} events with short deadlines leave nothing`, async () => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: filesWith("sleep 60 & sleep 60"),
      env: { AWS_LAMBDA_MAX_CONCURRENCY: String(LOOPS) },
    });
    const { api, bootstrap } = environment;
    /** Handles one event in each loop, so that none has anything left to notice. */
    const settle = async (body: string, timeoutMs?: number) => {
      await api.idle(LOOPS);
      const script = timeoutMs === undefined ? { body } : { body, timeoutMs };
      const invocations = Array.from({ length: LOOPS }, () => api.enqueue(script));
      for (const invocation of invocations) await invocation.posted;
      const paths = invocations.map(({ posts }) => posts[0]?.path.split("/").at(-1));
      await api.idle(LOOPS);
      api.forget();
      return [...new Set(paths)];
    };
    /** Loops with their loaded shells and the forks for the next event. */
    const facts = async () => {
      expect(await settle("next")).toEqual(["response"]);
      while (descendants(bootstrap.pid).length !== 3 * LOOPS) await Bun.sleep(1);
      await Bun.sleep(20);
      const below = descendants(bootstrap.pid);
      const loops = below.filter((pid) => parentOf(pid) === bootstrap.pid);
      return [loops, loops.map((pid) => descriptors(pid).length), below.map(stateOf).includes("Z")];
    };
    expect(await settle("hang", 50)).toEqual(["error"]);
    const before = await facts();
    for (let round = 0; round < EVENTS / LOOPS; round += 1) {
      expect(await settle("hang", 50)).toEqual(["error"]);
    }
    expect(await facts()).toEqual(before);
  });
});

/** How many events may be later than they should, since the machine is busy. */
const ATTEMPTS = 8;

const deadlineOf = ({ headers }: ScriptedInvocation) => Number(headers.get(HEADER.deadlineMs));

describe("the time at which an event is ended", () => {
  test.concurrent.each([
    ["half a second after the deadline where Lambda itself comes first", {}, 500],
    ["at the deadline on managed instances", MANAGED, 0],
    ["at the deadline with several loops", { AWS_LAMBDA_MAX_CONCURRENCY: "2" }, 0],
    ["at the deadline with one loop of a managed instance", { AWS_LAMBDA_MAX_CONCURRENCY: "1" }, 0],
  ])("is %s", async (_, env, graceMs) => {
    await using environment = await EnvironmentUnderTest.start({
      files: filesWith("sleep 60"),
      env,
    });
    const { api } = environment;
    // Never before. On a busy machine it may be later: then the next event shows it.
    let least = Number.POSITIVE_INFINITY;
    for (let event = 0; event < ATTEMPTS && least >= graceMs + 400; event += 1) {
      await api.idle();
      const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS });
      const post = await invocation.posted;
      least = Math.min(least, performance.timeOrigin + post.startedAtMs - deadlineOf(invocation));
      expect(least).toBeGreaterThanOrEqual(graceMs - 5);
    }
    expect(least).toBeLessThan(graceMs + 400);
  });

  test.concurrent.each([
    ["1.3 s of the deadline", "sleep 60", 1300],
    ["2.3 s of it if SIGTERM is ignored", "trap '' TERM; sleep 60; sleep 60", 2300],
  ])("lets the next event be asked for within %s", async (_, body, limitMs) => {
    await using environment = await EnvironmentUnderTest.start({
      files: filesWith(body),
      env: MANAGED,
    });
    const { api } = environment;
    await api.idle();
    let least = Number.POSITIVE_INFINITY;
    for (let event = 0; event < ATTEMPTS && least >= limitMs; event += 1) {
      const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS });
      await invocation.posted;
      await api.idle();
      least = Math.min(least, Date.now() - deadlineOf(invocation));
    }
    expect(least).toBeLessThan(limitMs);
  });

  test.concurrent("is the deadline also after the runtime was frozen past it", async () => {
    await using environment = await EnvironmentUnderTest.start({
      files: filesWith("sleep 60"),
      env: MANAGED,
    });
    const { api, bootstrap } = environment;
    await api.idle();
    const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS });
    await Bun.sleep(100);
    bootstrap.signal("SIGSTOP");
    await Bun.sleep(TIMEOUT_MS + 200);
    expect(invocation.posts).toEqual([]);
    bootstrap.signal("SIGCONT");
    await invocation.posted;
    expectOutcome(invocation, {
      error: { errorType: "Sandbox.Timedout" },
    });
  });
});

describe("an event that comes after its deadline", () => {
  test.concurrent("is not handled on managed instances", async () => {
    await using environment = await EnvironmentUnderTest.start({
      files: filesWith(": >handled"),
      env: MANAGED,
    });
    const { api, bootstrap, taskRoot } = environment;
    const invocation = api.enqueue({ timeoutMs: -1000 });
    await invocation.posted;
    expectOutcome(invocation, {
      error: {
        errorType: "Sandbox.Timedout",
        errorMessage: `RequestId: ${invocation.requestId} Error: Task timed out after 0.00 seconds`,
      },
    });
    expect((await api.invoke({ body: "next" })).latin1).toBe("next x");
    expect(await Bun.file(join(taskRoot, "handled")).exists()).toBe(false);
    expect(bootstrap.stderr).toContain(`${invocation.requestId} the event came after its deadline`);
  });

  test.concurrent("is handled elsewhere, and ended if it hangs", async () => {
    await using environment = await EnvironmentUnderTest.start({
      files: filesWith('[ "$1" = hang ] && sleep 60; printf handled'),
    });
    const { api } = environment;
    expect((await api.invoke({ timeoutMs: -1000 })).latin1).toBe("handled");
    const hanging = api.enqueue({ timeoutMs: -1000, body: "hang" });
    await hanging.posted;
    expectOutcome(hanging, {
      error: { errorType: "Sandbox.Timedout" },
    });
  });
});

test.concurrent.each([STATUS.badRequest, STATUS.forbidden, STATUS.gone, STATUS.payloadTooLarge])(
  "a platform that responds to the report of a timeout with %d is not complained about",
  async (status) => {
    await using environment = await EnvironmentUnderTest.start({
      files: filesWith("sleep 60"),
      env: MANAGED,
    });
    const { api, bootstrap } = environment;
    const postResponse = { kind: "status", status } as const;
    await api.invoke({ timeoutMs: TIMEOUT_MS, postResponse });
    expect((await api.invoke({ body: "next" })).latin1).toBe("next x");
    expect(bootstrap.stderr).not.toContain(String(status));
    expect(bootstrap.stderr.match(/\[ERROR\]/g)?.length).toBe(1);
  },
);

test.concurrent(
  "the report of a timeout echoes the invocation id, and says so in JSON",
  async () => {
    await using environment = await EnvironmentUnderTest.start({
      files: filesWith("sleep 60"),
      env: { ...MANAGED, AWS_LAMBDA_LOG_FORMAT: "JSON" },
    });
    const { api, bootstrap } = environment;
    const headers = { [HEADER.invocationId]: "attempt-7" };
    const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS, headers });
    const post = await invocation.posted;
    expect(post.header(HEADER.invocationId)).toBe("attempt-7");
    await bootstrap.logged("ended at its deadline");
    const lines = bootstrap.stderr
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(lines).toContainEqual(
      expect.objectContaining({ level: "ERROR", requestId: invocation.requestId }),
    );
  },
);

test.concurrent("an event that hangs in one of two loops does not disturb the other", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: filesWith(`case $1 in
      hang) trap '' TERM; sleep 60 ;;
      wait) until [ -e go ]; do sleep 0.02; done; printf done ;;
      *) printf '%s' "$1" ;;
    esac`),
    env: { AWS_LAMBDA_MAX_CONCURRENCY: "2" },
  });
  const { api, taskRoot } = environment;
  await api.idle(2);
  const waiting = api.enqueue({ body: "wait" });
  const hanging = api.enqueue({ body: "hang", timeoutMs: TIMEOUT_MS });
  await hanging.posted;
  expectOutcome(hanging, {
    error: { errorType: "Sandbox.Timedout" },
  });
  expect((await api.invoke({ body: "same loop" })).latin1).toBe("same loop");
  expect(waiting.posts).toEqual([]);
  writeFileSync(join(taskRoot, "go"), "");
  expect((await waiting.posted).latin1).toBe("done");
});

test.concurrent("what a hanging event does for another loop's event goes on", async () => {
  // As the layer's preloaded aws: what the first call leaves behind makes a fork for each call, in the
  // process group of its caller.
  const server = `if (!fork) { setpgrp(0, $ARGV[0]); open(F, ">helper"); print F $$; close(F) } sleep 60`;
  await using environment = await EnvironmentUnderTest.start({
    files: filesWith(`case $1 in
      wait) read -r _ _ _ _ group _ </proc/self/stat; echo $group >group
        until [ -e go ]; do sleep 0.02; done; kill "$(cat helper)" && printf alive ;;
      hang) until [ -s group ]; do sleep 0.02; done; (perl -e '${server}' "$(cat group)" &)
        sleep 60 ;;
    esac`),
    env: { AWS_LAMBDA_MAX_CONCURRENCY: "2" },
  });
  const { api, taskRoot } = environment;
  await api.idle(2);
  const waiting = api.enqueue({ body: "wait" });
  const hanging = api.enqueue({ body: "hang", timeoutMs: 1000 });
  await hanging.posted;
  expectOutcome(hanging, { error: { errorType: "Sandbox.Timedout" } });
  writeFileSync(join(taskRoot, "go"), "");
  expect((await waiting.posted).latin1).toBe("alive");
  while ((await marked(taskRoot)).some(({ command }) => command.includes("perl"))) {
    await Bun.sleep(1);
  }
});

test.concurrent("a file handler is ended, too", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: { respond: { text: '#!/bin/sh\n[ "$(cat)" = next ] || sleep 60', mode: "755" } },
    handler: "respond",
    env: MANAGED,
  });
  const { api, taskRoot } = environment;
  const invocation = api.enqueue({ timeoutMs: TIMEOUT_MS });
  await invocation.posted;
  expectOutcome(invocation, {
    error: { errorType: "Sandbox.Timedout" },
  });
  expect((await marked(taskRoot)).map(({ command }) => command)).not.toContain("sleep 60 ");
  expect((await api.invoke({ body: "next" })).latin1).toBe("");
});
