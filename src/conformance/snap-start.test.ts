/**
 * SnapStart: the snapshot is taken when the handler is loaded, before the first event.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-custom.html
 * @module
 */

import { describe, expect, test } from "bun:test";

import { PATH } from "../runtime-api/contract.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectError } from "../testing/expectations.ts";
import { marked } from "../testing/process-facts.ts";

const env = { AWS_LAMBDA_INITIALIZATION_TYPE: "snap-start" };
const files = { "function.sh": "echo loaded >&2; handler() { printf '%s' \"$1\"; }" };

const pathsOf = ({ api }: EnvironmentUnderTest) => api.requests.map(({ path }) => path);

test.concurrent(
  "a snapshot is waited for after the handler was loaded, and before an event",
  async () => {
    await using environment = await EnvironmentUnderTest.start({ files, env });
    const { api, bootstrap } = environment;
    const { promise: until, resolve: restore } = Promise.withResolvers<void>();
    api.restoreAnswers.push({ kind: "status", status: 200, until });
    await api.until(() => api.restores.length === 1);
    expect(bootstrap.stderr).toBe("loaded\n");
    const invocation = api.enqueue({ body: "x" });
    await Bun.sleep(200);
    expect(pathsOf(environment)).toEqual([PATH.restoreNext]);
    restore();
    expect((await invocation.answered).latin1).toBe("x");
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
  ] as const)("%s is not used again, and not spoken of", async (_, answer) => {
    await using environment = await EnvironmentUnderTest.start({ files, env });
    const { api, bootstrap } = environment;
    api.restoreAnswers.push(answer);
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
    api.restoreAnswers.push({ kind: "status", status: 200 });
    const lines = (await api.invoke()).latin1.split("\n");
    for (const [name, value] of Object.entries(credentials)) {
      if (value !== null) expect(lines).toContain(`${name}=${value}`);
      else expect(lines.some((line) => line.startsWith(`${name}=`))).toBe(false);
    }
  });
});

test.concurrent.each([1, 2])("a wait that is broken off is repeated: %d times", async (times) => {
  await using environment = await EnvironmentUnderTest.start({ files, env });
  const { api, bootstrap } = environment;
  for (let reset = 0; reset < times; reset += 1) api.restoreAnswers.push({ kind: "reset" });
  api.restoreAnswers.push({ kind: "status", status: 200 });
  expect((await api.invoke({ body: "x" })).latin1).toBe("x");
  expect([api.restores.length, bootstrap.stderr]).toEqual([times + 1, "loaded\n"]);
});

describe("what ends the environment", () => {
  test.concurrent("is a wait that is broken off again and again", async () => {
    await using environment = await EnvironmentUnderTest.start({ files, env });
    const { api, bootstrap, exited } = environment;
    for (let reset = 0; reset < 20; reset += 1) api.restoreAnswers.push({ kind: "reset" });
    expect(await exited).toEqual({ status: 1, signal: null });
    await bootstrap.logged("FATAL");
    expect(api.restores.length).toBeLessThan(10);
    expect(new Set(pathsOf(environment))).toEqual(new Set([PATH.restoreNext]));
  });

  test.concurrent.each([404, 403, 204, 500, 301])("is the answer %d", async (status) => {
    await using environment = await EnvironmentUnderTest.start({ files, env });
    const { api, exited, taskRoot } = environment;
    api.restoreAnswers.push({ kind: "status", status });
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

test.concurrent(
  "with several loops the snapshot is waited for once, before they start",
  async () => {
    await using environment = await EnvironmentUnderTest.start({
      files,
      env: { ...env, AWS_LAMBDA_MAX_CONCURRENCY: "3" },
    });
    const { api, bootstrap } = environment;
    const { promise: until, resolve: restore } = Promise.withResolvers<void>();
    api.restoreAnswers.push({ kind: "status", status: 200, until });
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
  api.restoreAnswers.push({ kind: "status", status: 200, until: new Promise(() => undefined) });
  await api.until(() => api.restores.length === 1);
  bootstrap.signal("SIGTERM");
  expect(await exited).toEqual({ status: 0, signal: null });
  expect(await marked(taskRoot)).toEqual([]);
});
