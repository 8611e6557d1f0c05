/**
 * Several events at once, each in a shell of its own.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
 * @module
 */

import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { PATH } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import { SHELLS } from "../testing/shells.ts";

const LOOPS = 4;
const EVENTS = 200;
const env = { AWS_LAMBDA_MAX_CONCURRENCY: String(LOOPS) };
const files = { "function.sh": { from: "respond-with-its-id.sh" } };

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent("as many events are handled at once as there are loops", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files, env });
    const { api, bootstrap, taskRoot } = environment;
    await api.idle(LOOPS);
    const waiting = Array.from({ length: LOOPS }, () => api.enqueue({ body: "wait" }));
    // Each says so while all of them run.
    for (const { requestId } of waiting) await bootstrap.logged(`waiting ${requestId}`);
    expect(waiting.every(({ posts }) => posts.length === 0)).toBe(true);
    writeFileSync(join(taskRoot, "go"), "");
    for (const invocation of waiting) {
      await invocation.posted;
      expectOutcome(invocation, { response: `${invocation.requestId} wait` });
    }
    await api.idle(LOOPS);
    expect(api.requests.filter(({ path }) => path === PATH.next).length).toBe(2 * LOOPS);
  });

  test.concurrent("ids, events, errors and logs are not mixed", async () => {
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files,
      env: { ...env, AWS_LAMBDA_LOG_FORMAT: "JSON" },
    });
    const { api, bootstrap } = environment;
    const bodies = ["plain", "fail", "large", "prelude", "die"];
    const invocations = Array.from({ length: EVENTS }, (_, at) =>
      api.enqueue({ body: bodies[at % bodies.length] ?? "" }),
    );
    for (const invocation of invocations) await invocation.posted;
    await api.idle(LOOPS);
    for (const invocation of invocations) {
      const { requestId } = invocation;
      expect(invocation.posts.length).toBe(1);
      const [post] = invocation.posts;
      const event = invocation.body.toString();
      switch (event) {
        case "fail":
          expectOutcome(invocation, { error: { errorType: "OwnError", errorMessage: requestId } });
          break;
        case "die":
          expectOutcome(invocation, { error: { errorType: "Function.KilledBySignal" } });
          break;
        case "prelude":
          expect(post?.latin1).toBe(`{"statusCode":200}${"\0".repeat(8)}${requestId} prelude`);
          break;
        case "large":
          expect(post?.latin1).toBe(`${requestId} `.repeat(5_000));
          break;
        default:
          expectOutcome(invocation, { response: `${requestId} plain` });
      }
    }
    expectLogNotMixed(bootstrap.stderr);
  });

  test.concurrent("a loop whose shell dies does not disturb the others", async () => {
    await using environment = await EnvironmentUnderTest.start({ shell, files, env });
    const { api, taskRoot } = environment;
    const waiting = [1, 2, 3].map(() => api.enqueue({ body: "wait" }));
    const killed = api.enqueue({ body: "kill-shell" });
    await killed.posted;
    expectOutcome(killed, { error: { errorType: "Function.KilledBySignal" } });
    const after = api.enqueue({ body: "plain" });
    await after.posted;
    expectOutcome(after, { response: `${after.requestId} plain` });
    expect(waiting.every(({ posts }) => posts.length === 0)).toBe(true);
    writeFileSync(join(taskRoot, "go"), "");
    for (const invocation of waiting) {
      await invocation.posted;
      expectOutcome(invocation, { response: `${invocation.requestId} wait` });
    }
  });
});

test("an init failure is reported once", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": "exit 3" },
    env,
  });
  expect(await environment.exited).toEqual({ status: 1, signal: null });
  expect(environment.api.requests.map(({ path }) => path)).toEqual([PATH.initError]);
});

test("an init failure is reported, however long the first loop takes", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: {
      "function.sh": `exec 9>>lock
        flock 9
        sleep 1
        echo 'ConfigError: no token' >&2
        exit 4`,
    },
    env,
  });
  expect(await environment.exited).toEqual({ status: 1, signal: null });
  expect(environment.api.requests.map(({ path }) => path)).toEqual([PATH.initError]);
});

test.concurrent.each(["", "0", "1", "-3", "many"])(
  "AWS_LAMBDA_MAX_CONCURRENCY of %p makes one loop",
  async (value) => {
    await using environment = await EnvironmentUnderTest.start({
      files,
      env: { AWS_LAMBDA_MAX_CONCURRENCY: value },
    });
    const { api } = environment;
    expect((await api.invoke({ body: "plain" })).latin1).toEndWith(" plain");
    await api.idle();
    expect(api.connections).toBe(1);
  },
);

test("sixty-four loops handle events at once", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files,
    env: { AWS_LAMBDA_MAX_CONCURRENCY: "64" },
  });
  const { api } = environment;
  await api.idle(64);
  const invocations = Array.from({ length: 64 }, () => api.enqueue({ body: "plain" }));
  for (const invocation of invocations) {
    await invocation.posted;
    expectOutcome(invocation, { response: `${invocation.requestId} plain` });
  }
});

test("SIGTERM ends all loops", async () => {
  await using environment = await EnvironmentUnderTest.start({ files, env });
  const { api, bootstrap, exited } = environment;
  const waiting = [1, 2].map(() => api.enqueue({ body: "wait" }));
  for (const { requestId } of waiting) await bootstrap.logged(`waiting ${requestId}`);
  bootstrap.signal("SIGTERM");
  expect(await exited).toEqual({ status: 0, signal: null });
  expect(api.requests.every(({ path }) => path === PATH.next)).toBe(true);
});

/** Each line says whose it is: its record must carry the same request id. */
function expectLogNotMixed(log: string): void {
  const lines = log
    .split("\n")
    .filter((line) => line.includes("OwnError: "))
    .map((line) => JSON.parse(line) as { message: string; requestId: string });
  expect(lines.length).toBe(EVENTS / 5);
  for (const { message, requestId } of lines) expect(message).toBe(`OwnError: ${requestId}`);
}
