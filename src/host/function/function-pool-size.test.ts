import { expect, test } from "bun:test";

import { parseSettings } from "../../commands/function/settings.ts";
import { testSettings } from "../../testing/host/running-host.ts";
import { FunctionPool } from "./function-pool.ts";

test("environments are started for events that wait, at most so many, and ended when idle", async () => {
  const settings = { environments: 3, environmentsMin: 1, idleMs: 300, timeoutMs: 30_000 };
  const pool = new FunctionPool(testSettings(settings));
  await using _ended = { [Symbol.asyncDispose]: () => pool.stop() };
  pool.start();
  const run = (event: unknown) => pool.invoke({ event: Buffer.from(JSON.stringify(event)) });
  const echo = async (id: number) => {
    const outcome = await run({ do: "echo", id });
    return outcome.kind === "response"
      ? JSON.parse(Buffer.from(outcome.body).toString()).id
      : outcome;
  };
  const living = () => {
    const { starting, ready, busy } = pool.counts;
    return starting + ready + busy;
  };
  expect(living()).toBe(1);
  await run({ do: "echo" });
  expect(living()).toBe(1);
  const many = await Promise.all(
    Array.from({ length: 12 }, (_, id) => run({ do: "slow-echo", ms: 300, id })),
  );
  expect(living()).toBe(3);
  const used = new Set(many.map((each) => each.kind === "response" && each.report.environment));
  expect(used).toEqual(new Set([0, 1, 2]));
  while (living() > 1) await Bun.sleep(20);
  await Bun.sleep(2 * settings.idleMs);
  expect(living()).toBe(1);
  // One that dies leaves as many as are wanted.
  await run({ do: "exit", status: 1 });
  expect(await echo(5)).toBe(5);
  expect(living()).toBe(1);
  pool.reload();
  expect(living()).toBe(1);
  expect(await echo(6)).toBe(6);
});

test("the first environment starts alone, and the others when it is ready", async () => {
  const pool = new FunctionPool(testSettings({ environments: 4 }));
  await using _ended = { [Symbol.asyncDispose]: () => pool.stop() };
  for (const begin of [() => pool.start(), () => pool.reload()]) {
    begin();
    expect(pool.counts).toEqual({ starting: 1, ready: 0, busy: 0 });
    while (pool.counts.ready < 4) await Bun.sleep(5);
  }
});

test("what cannot start is tried by one environment at a time", async () => {
  const failed: number[] = [];
  const pool = new FunctionPool(testSettings({ environments: 4, handler: "init-error" }), {
    onEnd: (environment, _end, failure) => {
      if (failure !== undefined) failed.push(environment);
    },
  });
  await using _ended = { [Symbol.asyncDispose]: () => pool.stop() };
  pool.start();
  while (failed.length < 3) {
    expect(pool.counts.starting).toBeLessThanOrEqual(1);
    await Bun.sleep(5);
  }
  expect(failed).toEqual([0, 0, 0]);
});

test.each([
  ["4", { environments: 4 }],
  ["2:2", { environments: 2 }],
  ["1:10", { environments: 10, environmentsMin: 1 }],
])("--workers %s is %j", (workers, expected) => {
  const parsed = parseSettings({ name: "probe", workers });
  const { environments, environmentsMin } = parsed.kind === "valid" ? parsed.settings : {};
  expect({ environments, environmentsMin }).toEqual({ environmentsMin: undefined, ...expected });
});

test.each(["0", "0:4", "5:2", "1:1001", "1:", ":2", "many", "1:2:3"])(
  "--workers %s is refused with the fix",
  (workers) => {
    expect(parseSettings({ name: "probe", workers })).toMatchObject({
      kind: "invalid",
      message:
        `--workers: "${workers}" is not a whole number from 1 to 1000, ` +
        "or the fewest and the most, as in 1:10",
    });
  },
);
