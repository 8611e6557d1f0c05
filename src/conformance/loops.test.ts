/**
 * Several loops at once: they do not depend on each other, and they end with their supervisor.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
 * @module
 */

import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";

import { CONCURRENCY_MAX, PATH } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { loopIds, tryKilledLoops } from "../testing/loop-killer.ts";
import { childrenOf, marked, stateOf, systemCallOf } from "../testing/process-facts.ts";
import { Random } from "../testing/random.ts";
import { SHELLS } from "../testing/shells.ts";

/** Responds with its event; one that begins with "wait" not before there is a file `go`. */
const files = {
  "function.sh": `handler() {
    case $1 in
      wait*)
        printf '%s in loop %s.\\n' "$1" "$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$$/status")" >&2
        while [ ! -e go ]; do sleep 0.02; done
        ;;
    esac
    printf '%s' "$1"
  }`,
};

const severalLoops = (count: number) => ({ AWS_LAMBDA_MAX_CONCURRENCY: String(count) });

/** Locks what loops lock while they write to the log, as one that was stopped meanwhile would. */
const LOCK_HOLDER = `
import fcntl, sys, time
board = open(sys.argv[1], "r+b", buffering=0)
fcntl.lockf(board, fcntl.LOCK_EX, 1)
print("locked", flush=True)
time.sleep(60)
`;

/** How much memory the largest number of loops may take, in bytes: four MB each. */
const MEMORY_FOR_ALL_BYTES = CONCURRENCY_MAX * 4_000_000;

/** Queues an event that waits; resolves with it and its loop when its handler runs. */
async function busyLoop({ api, bootstrap }: EnvironmentUnderTest, body: string) {
  const invocation = api.enqueue({ body });
  await bootstrap.logged(`${body} in loop `);
  const [, loop] = new RegExp(`${body} in loop (\\d+)\\.`).exec(bootstrap.stderr) ?? [];
  return { invocation, loop: Number(loop) };
}

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent.each(["SIGKILL", "SIGSEGV", "SIGTERM"] as const)(
    "when one of two busy loops is ended by %s, the other responds, and the lost one serves again",
    async (signal) => {
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files,
        env: severalLoops(2),
      });
      const { api, bootstrap, taskRoot } = environment;
      await api.idle(2);
      const lost = await busyLoop(environment, "wait 1");
      const healthy = await busyLoop(environment, "wait 2");
      expect(healthy.loop).not.toBe(lost.loop);
      process.kill(lost.loop, signal);

      const report = await lost.invocation.posted;
      expectOutcome(lost.invocation, { error: { errorType: "Runtime.ExitError" } });
      expect(report.latin1).toContain(lost.invocation.requestId);
      await bootstrap.logged(lost.invocation.requestId);
      await api.idle();
      // The lost loop serves again while the other one is still busy.
      expect((await api.invoke({ body: "next" })).latin1).toBe("next");
      expect(healthy.invocation.posts).toEqual([]);
      writeFileSync(join(taskRoot, "go"), "");
      await healthy.invocation.posted;
      expectOutcome(healthy.invocation, { response: "wait 2" });
      await api.idle(2);
    },
  );
});

test.concurrent.each(SHELLS.map(({ name }, at) => [name, at] as const))(
  "%s: each event gets one response while loops, shells and forks are killed",
  async (shell, seed) => {
    const strikes = await tryKilledLoops(new Random(seed), shell, 400);
    expect(strikes.loops).toBeGreaterThan(0);
    expect(strikes.forks).toBeGreaterThan(0);
  },
);

test.concurrent(
  "a loop that is killed while it waits is started again, however often",
  async () => {
    await using environment = await EnvironmentUnderTest.start({ files, env: severalLoops(2) });
    const { api, bootstrap } = environment;
    for (let round = 0; round < 3; round += 1) {
      await api.idle(2);
      const [first = 0, second = 0] = loopIds(bootstrap.pid);
      expect([first > 0, second > 0]).toEqual([true, true]);
      process.kill(round === 1 ? second : first, "SIGKILL");
      // Its connection waits on, for its next life.
      const isNew = (pid: number) => pid !== first && pid !== second;
      while (!loopIds(bootstrap.pid).some(isNew)) await Bun.sleep(5);
    }
    const invocations = [1, 2, 3, 4].map((body) => api.enqueue({ body: String(body) }));
    for (const invocation of invocations) {
      await invocation.posted;
      expectOutcome(invocation, { echo: true });
    }
    expect(bootstrap.ended).toBe(false);
  },
);

/** The system call kill(2). */
const SYS_KILL = process.arch === "arm64" ? 129 : 62;

test.concurrent(
  "a loop that is killed just after it has loaded leaves its request for an event to its next life",
  async () => {
    // A loop tells by a signal that it has loaded: there it stays for a while.
    const slow = ["-e", "trace=kill", "-e", "inject=kill:delay_exit=1s"];
    const wrapper = ["strace", "-f", "-qq", "-o", "/dev/null", ...slow];
    await using environment = await EnvironmentUnderTest.start({
      files,
      env: severalLoops(2),
      wrapper,
    });
    const { api, bootstrap } = environment;
    await api.idle(2);
    const [supervisor = 0] = childrenOf(bootstrap.pid);
    let known = loopIds(supervisor);
    const [first = 0] = known;
    process.kill(first, "SIGKILL");
    for (let life = 0; life < 2; life += 1) {
      let next: number | undefined;
      while (next === undefined) {
        await Bun.sleep(5);
        next = loopIds(supervisor).find((pid) => !known.includes(pid));
      }
      known = [...known, next];
      // Its shell has loaded the file, and the signal is sent.
      while (systemCallOf(next) !== SYS_KILL) await Bun.sleep(5);
      if (life === 0) process.kill(next, "SIGKILL");
    }
    const invocations = [1, 2].map((body) => api.enqueue({ body: String(body) }));
    for (const invocation of invocations) {
      await invocation.posted;
      expectOutcome(invocation, { echo: true });
    }
    await api.idle(2);
    // Two at first, and one after each event: none was asked for twice, so that the platform hands none to a
    // connection that is closed.
    expect(api.requests.filter(({ path }) => path === PATH.next)).toHaveLength(4);
  },
);

test.concurrent(
  "an event that ends its own loop gets an error, the next one its response",
  async () => {
    await using environment = await EnvironmentUnderTest.start({
      files: {
        "function.sh": `handler() {
        case $1 in
          kill) kill -9 "$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$$/status")"; sleep 60 ;;
        esac
        printf '%s' "$1"
      }`,
      },
      env: severalLoops(3),
    });
    const { api } = environment;
    const bodies = ["a", "kill", "b", "kill", "c", "d", "kill", "e"];
    const invocations = bodies.map((body) => api.enqueue({ body }));
    for (const invocation of invocations) await invocation.posted;
    for (const invocation of invocations) {
      if (invocation.body.toString() !== "kill") expectOutcome(invocation, { echo: true });
      else expectOutcome(invocation, { error: { errorType: "Runtime.ExitError" } });
    }
  },
);

test.concurrent(
  "an event that a loop was given and had not yet read when it was killed gets an error",
  async () => {
    await using environment = await EnvironmentUnderTest.start({ files, env: severalLoops(3) });
    const { api, bootstrap } = environment;
    await api.idle(3);
    const stopped = loopIds(bootstrap.pid);
    expect(stopped.length).toBe(3);
    for (const pid of stopped) process.kill(pid, "SIGSTOP");
    const bodies = ["small", "x".repeat(6_000_000), "chunks"];
    const invocations = bodies.map((body) =>
      api.enqueue(body === "chunks" ? { body, chunkBytes: 1 } : { body }),
    );
    await api.until(() => invocations.every(({ deliveredAtMs }) => deliveredAtMs > 0));
    await Bun.sleep(100);
    for (const pid of stopped) process.kill(pid, "SIGKILL");
    for (const invocation of invocations) {
      await invocation.posted;
      expectOutcome(invocation, { error: { errorType: "Runtime.ExitError" } });
    }
    await api.idle(3);
  },
);

test.concurrent(
  "loops that cannot load the handler after the first one are not an init error",
  async () => {
    await using environment = await EnvironmentUnderTest.start({
      files: { "function.sh": "mkdir once || exit 3\nhandler() { printf '%s' \"$1\"; }" },
      env: severalLoops(3),
    });
    const { api, bootstrap } = environment;
    expect((await api.invoke({ body: "a" })).latin1).toBe("a");
    // By then the others have failed more often in a row than would end a runtime without any loop.
    while ((bootstrap.stderr.match(/exited with status 1;/g) ?? []).length < 8) await Bun.sleep(5);
    expect((await api.invoke({ body: "b" })).latin1).toBe("b");
    expect([api.initErrors.length, bootstrap.ended]).toEqual([0, false]);
  },
);

test.concurrent.each([
  [1, "sleep 600"],
  [2, "sleep 600"],
  [2, "trap '' TERM; while :; do sleep 1; done"],
  [2, "kill -STOP $PPID"],
])(
  "%d of two loops whose file hangs when they are started again are ended: %s",
  async (count, body) => {
    await using environment = await EnvironmentUnderTest.start({
      files: { "function.sh": `[ ! -e hang ] || { ${body}; }; handler() { printf %s "$1"; }` },
      env: severalLoops(2),
    });
    const { api, bootstrap, taskRoot } = environment;
    await api.idle(2);
    const hang = join(taskRoot, "hang");
    writeFileSync(hang, "");
    const loops = loopIds(bootstrap.pid);
    // They sleep when they have noted that they wait.
    while (loops.some((pid) => stateOf(pid) !== "S")) await Bun.sleep(1);
    for (const pid of loops.slice(0, count)) process.kill(pid, "SIGKILL");
    // The connections of the killed loops wait on, for their next lives.
    const isNew = (pid: number) => !loops.includes(pid);
    while (loopIds(bootstrap.pid).filter(isNew).length < count) await Bun.sleep(5);
    const invocations = [api.enqueue({ body: "a" }), api.enqueue({ body: "b" })];
    for (const invocation of invocations) await invocation.posted;
    const errors = invocations.filter(({ posts }) => posts[0]?.path.endsWith("/error"));
    expect(errors.length).toBe(count);
    for (const invocation of errors) {
      const errorMessage = { contains: ["was ended: it had not loaded the handler's file in"] };
      expectOutcome(invocation, { error: { errorType: "Runtime.ExitError", errorMessage } });
    }
    rmSync(hang);
    await api.idle(2);
    expect((await api.invoke({ body: "next" })).latin1).toBe("next");
    expect((await marked(taskRoot)).filter(({ command }) => /^sleep/.test(command))).toEqual([]);
  },
);

describe("a GET /next that breaks off", () => {
  test.concurrent.each([1, 2, 3])("%d times is repeated by its loop", async (times) => {
    await using environment = await EnvironmentUnderTest.start({ files, env: severalLoops(2) });
    const { api, bootstrap, taskRoot } = environment;
    await api.idle(2);
    const loops = loopIds(bootstrap.pid);
    const busy = await busyLoop(environment, "wait 1");
    for (let time = 0; time < times; time += 1) api.failNext({ kind: "reset" });
    expect((await api.invoke({ body: "next" })).latin1).toBe("next");
    expect([loopIds(bootstrap.pid), busy.invocation.posts]).toEqual([loops, []]);
    writeFileSync(join(taskRoot, "go"), "");
    expect((await busy.invocation.posted).latin1).toBe("wait 1");
    expect(bootstrap.stderr.split("\n").filter((line) => line.includes("FATAL"))).toEqual([]);
  });

  test.concurrent.each([
    [
      "again and again",
      [{ kind: "reset" }, { kind: "reset" }, { kind: "reset" }, { kind: "reset" }],
    ],
    ["with status 403", [{ kind: "status", status: 403 }]],
    ["with status 500", [{ kind: "status", status: 500 }]],
  ] as const)("%s ends its loop alone, which is started again", async (_, failures) => {
    await using environment = await EnvironmentUnderTest.start({ files, env: severalLoops(2) });
    const { api, bootstrap, taskRoot } = environment;
    await api.idle(2);
    const busy = await busyLoop(environment, "wait 1");
    const [other] = loopIds(bootstrap.pid).filter((pid) => pid !== busy.loop);
    for (const failure of failures) api.failNext(failure);
    await bootstrap.logged("it is started again");
    expect((await api.invoke({ body: "next" })).latin1).toBe("next");
    const loops = loopIds(bootstrap.pid);
    expect([loops.length, loops.includes(busy.loop), loops.includes(other ?? 0)]).toEqual([
      2,
      true,
      false,
    ]);
    expect(busy.invocation.posts).toEqual([]);
    writeFileSync(join(taskRoot, "go"), "");
    expect((await busy.invocation.posted).latin1).toBe("wait 1");
  });
});

test.concurrent("the runtime ends when the Runtime API is gone, after a few attempts", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": "handler() { setsid sleep 60 >/dev/null 2>&1 & }" },
    env: severalLoops(3),
  });
  const { api, bootstrap, exited, taskRoot } = environment;
  await api.invoke();
  await api.idle(3);
  await api.stop();
  expect(await exited).toEqual({ status: 1, signal: null });
  expect(await marked(taskRoot)).toEqual([]);
  expect(bootstrap.stderr.split("\n").length).toBeLessThan(40);
});

describe("when the supervisor is killed, its loops end, and their handlers", () => {
  const signals = ["SIGKILL", "SIGABRT", "SIGSEGV"] as const;
  const ends = SHELLS.flatMap(({ name }) => signals.map((signal) => [signal, name] as const));
  test.concurrent.each(ends)("by %s, in %s", async (signal, shell) => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files,
      env: severalLoops(3),
    });
    const { api, bootstrap, exited, taskRoot } = environment;
    await api.idle(3);
    await busyLoop(environment, "wait 1");
    bootstrap.signal(signal);
    await exited;
    while ((await marked(taskRoot)).length > 0) await Bun.sleep(5);
    expect(api.invocations[0]?.posts).toEqual([]);
  });

  test.concurrent.each([0, 2, 4, 6, 8, 10, 15, 20, 30, 50])(
    "%d ms after it was started",
    async (delayMs) => {
      await using environment = await EnvironmentUnderTest.start({ files, env: severalLoops(20) });
      const { bootstrap, exited, taskRoot } = environment;
      await Bun.sleep(delayMs);
      bootstrap.signal("SIGKILL");
      await exited;
      while ((await marked(taskRoot)).length > 0) await Bun.sleep(5);
    },
  );
});

test("200 loops", async () => {
  await using environment = await EnvironmentUnderTest.start({ files, env: severalLoops(200) });
  await expectAllServe(environment, 200);
});

test("100 loops, of which each process may have 128 descriptors", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files,
    env: severalLoops(100),
    wrapper: ["prlimit", "--nofile=128:128"],
  });
  const { api, bootstrap } = environment;
  await expectAllServe(environment, 100);
  const [loop = 0] = loopIds(bootstrap.pid).slice(-1);
  process.kill(loop, "SIGKILL");
  // There was no room for sharing its connection.
  await api.until(() => api.waitingNexts === 99);
  await api.idle(100);
});

test("as many loops as Lambda allows, and no more", async () => {
  if (freemem() < MEMORY_FOR_ALL_BYTES) {
    throw new Error(`this test needs ${MEMORY_FOR_ALL_BYTES} bytes of free memory`);
  }
  await using environment = await EnvironmentUnderTest.start({
    files,
    env: severalLoops(CONCURRENCY_MAX + 1),
  });
  const { api, bootstrap } = environment;
  await expectAllServe(environment, CONCURRENCY_MAX);
  expect(api.waitingNexts).toBe(CONCURRENCY_MAX);
  const lines = bootstrap.stderr.split("\n").filter((line) => line.includes("1601"));
  expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(["WARN"]);
});

test.concurrent.each(["1601", "4096", "100000000000000000000000"])(
  "%s loops are cut, which is logged before the first event is asked for",
  async (count) => {
    await using environment = await EnvironmentUnderTest.start({
      files: { "function.sh": "while [ ! -e go ]; do sleep 0.02; done\nhandler() { :; }" },
      env: { AWS_LAMBDA_MAX_CONCURRENCY: count, AWS_LAMBDA_LOG_FORMAT: "Text" },
    });
    const { api, bootstrap } = environment;
    await bootstrap.logged("\n");
    expect(bootstrap.stderr).toMatch(
      /^\[WARN\] AWS_LAMBDA_MAX_CONCURRENCY is .* 1600 events .*\n$/,
    );
    expect(api.requests).toEqual([]);
  },
);

test.concurrent(
  "with several loops the log is JSON unless another format was asked for",
  async () => {
    for (const [format, expected] of [
      [null, true],
      ["", true],
      ["JSON", true],
      ["Text", false],
    ] as const) {
      await using environment = await EnvironmentUnderTest.start({
        files: { "function.sh": "handler() { echo a line >&2; }" },
        env: { ...severalLoops(2), AWS_LAMBDA_LOG_FORMAT: format },
      });
      const { api, bootstrap } = environment;
      await api.invoke();
      await bootstrap.logged("a line");
      expect(bootstrap.stderr.startsWith("{")).toBe(expected);
    }
  },
);

test.concurrent("the number of loops is logged for debugging as AWS's own clients do", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files,
    env: { ...severalLoops(2), AWS_LAMBDA_LOG_LEVEL: "DEBUG" },
  });
  await environment.bootstrap.logged("\n");
  const [line = ""] = environment.bootstrap.stderr.split("\n");
  expect(JSON.parse(line)).toMatchObject({
    level: "DEBUG",
    event: "runtime_worker_pool_initializing",
    workerCount: 2,
    executionEnvironmentMaxConcurrency: 2,
  });
});

async function expectAllServe({ api }: EnvironmentUnderTest, count: number): Promise<void> {
  await api.idle(count);
  const invocations = Array.from({ length: count }, (_, at) =>
    api.enqueue({ body: `event ${at}` }),
  );
  for (const invocation of invocations) {
    await invocation.posted;
    expectOutcome(invocation, { echo: true });
  }
  await api.idle(count);
  expect(api.requests.filter(({ path }) => path === PATH.next).length).toBe(2 * count);
}

test.concurrent.each(SHELLS.map(({ name }) => name))(
  "%s: long lines of several loops do not mix in the log",
  async (shell) => {
    const bytes = 200_000;
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: {
        "function.sh": `line=$(head -c ${bytes} /dev/zero | tr '\\0' x)
          handler() { printf '%s %s %s\\n' "$1" "$line" "$1" >&2; }`,
      },
      env: { AWS_LAMBDA_MAX_CONCURRENCY: "4", AWS_LAMBDA_LOG_FORMAT: "JSON" },
    });
    const { api, bootstrap } = environment;
    await api.idle(4);
    const ids = Array.from({ length: 40 }, (_, index) => `event-${index}`);
    const invocations = ids.map((body) => api.enqueue({ body }));
    await Promise.all(invocations.map(({ posted }) => posted));
    const lines = bootstrap.stderr.split("\n").filter((line) => line.includes("xxx"));
    const messages = lines.map((line) => (JSON.parse(line) as { message: string }).message);
    const whole = ids.map((id) => `${id} ${"x".repeat(bytes)} ${id}`);
    expect(messages.toSorted().map(brief)).toEqual(whole.toSorted().map(brief));
  },
);

test.concurrent("a log that another loop keeps locked is written to all the same", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": `handler() { printf '%s' "$1"; echo "log of $1" >&2; }` },
    env: severalLoops(2),
  });
  const { api, bootstrap } = environment;
  await api.idle(2);
  const [loop] = loopIds(bootstrap.pid);
  const holder = Bun.spawn(["python3", "-c", LOCK_HOLDER, `/proc/${loop}/fd/0`], {
    stdout: "pipe",
  });
  try {
    await holder.stdout.getReader().read();
    for (const body of ["one", "two", "three", "four", "five"]) {
      expect((await api.invoke({ body })).latin1).toBe(body);
      await bootstrap.logged(`log of ${body}`);
    }
  } finally {
    holder.kill();
  }
});

/** The ends of a long line, and how long it is. */
function brief(line: string): string {
  return `${line.slice(0, 10)} ${line.length} ${line.slice(-10)}`;
}
