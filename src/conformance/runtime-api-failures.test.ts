/**
 * The runtime when the Runtime API refuses, stalls or is gone.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { createServer } from "node:net";

import { PATH } from "../runtime-api/contract.ts";
import { BootstrapProcess } from "../testing/bootstrap-process.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { RawApiServer } from "../testing/raw-api-server.ts";
import { shell } from "../testing/shells.ts";
import { taskRoot } from "../testing/task-root.ts";

const files = { "function.sh": 'handler() { [ "$1" != fail ] && printf \'%s\' "$1"; }' };

/** More lines than this about one failure are too many. */
const LINES_MAX = 3;

/** A port of 127.0.0.1 on which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function expectFewLines(log: string): void {
  const lines = log.split("\n").filter((line) => line !== "");
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.length).toBeLessThanOrEqual(LINES_MAX);
}

describe("when the Runtime API", () => {
  test.concurrent("is not there at all, the runtime ends", async () => {
    const root = taskRoot(files, shell("dash"));
    const api = `127.0.0.1:${await closedPort()}`;
    const bootstrap = new BootstrapProcess({ api, taskRoot: root, handler: "function.handler" });
    const { status, signal } = await bootstrap.exited;
    expect([status === 0, signal]).toEqual([false, null]);
    await bootstrap.logged(api);
    expectFewLines(bootstrap.stderr);
  });

  test.concurrent.each(["", null])("has the address %p, the runtime ends", async (address) => {
    const root = taskRoot(files, shell("dash"));
    const bootstrap = new BootstrapProcess({
      api: "",
      taskRoot: root,
      handler: "function.handler",
      env: { AWS_LAMBDA_RUNTIME_API: address },
    });
    const { status, signal } = await bootstrap.exited;
    expect([status === 0, signal]).toEqual([false, null]);
    await bootstrap.logged("AWS_LAMBDA_RUNTIME_API");
  });

  test.concurrent.each([204, 301, 400, 403, 404, 410, 500, 503])(
    "responds to GET /next with %d, the runtime ends",
    async (status) => {
      await using environment = await EnvironmentUnderTest.start({ files });
      const { api, bootstrap, exited } = environment;
      expect((await api.invoke({ body: "x" })).latin1).toBe("x");
      api.failNext({ kind: "status", status });
      const exit = await exited;
      expect([exit.status === 0, exit.signal]).toEqual([false, null]);
      await bootstrap.logged(String(status));
      expectFewLines(bootstrap.stderr);
      expect(api.requests.filter(({ path }) => path === PATH.next).length).toBe(2);
    },
  );

  test.concurrent("goes away while the runtime waits for an event, the runtime ends", async () => {
    await using environment = await EnvironmentUnderTest.start({ files });
    const { api, bootstrap, exited } = environment;
    expect((await api.invoke({ body: "x" })).latin1).toBe("x");
    await api.idle();
    await api.stop();
    const exit = await exited;
    expect([exit.status === 0, exit.signal]).toEqual([false, null]);
    expectFewLines(bootstrap.stderr);
  });

  test.concurrent("resets the connection of a waiting GET /next, the runtime ends", async () => {
    await using environment = await EnvironmentUnderTest.start({ files });
    const { api, exited } = environment;
    await api.idle();
    api.failNext({ kind: "reset" });
    // Asking again is safe, ending is, too; staying silent is not.
    const end = await Promise.race([api.invoke({ body: "x" }), exited]);
    if ("signal" in end) expect([end.status === 0, end.signal]).toEqual([false, null]);
    else expect(end.latin1).toBe("x");
  });

  test.concurrent.each(["reset-at-head", "reset-after-body"] as const)(
    "breaks the connection of a response (%s), the response is not sent twice",
    async (kind) => {
      await using environment = await EnvironmentUnderTest.start({ files });
      const { api, exited } = environment;
      const broken = api.enqueue({ body: "x", postResponse: { kind } });
      await broken.posted;
      const end = await Promise.race([api.invoke({ body: "y" }), exited]);
      if ("signal" in end) expect([end.status === 0, end.signal]).toEqual([false, null]);
      else expect(end.latin1).toBe("y");
      expect(broken.posts.length).toBe(1);
    },
  );

  test.concurrent.each(["ends", "resets"])(
    "%s the connection of a response instead of responding, the log names the request",
    async (how) => {
      await using api = await RawApiServer.start(2, (socket, { request, status, fields, body }) => {
        if (request.method !== "GET") {
          if (how === "ends") socket.end();
          else socket.resetAndDestroy();
          return;
        }
        const head = [`HTTP/1.1 ${status}`, ...fields, `Content-Length: ${body.length}`];
        socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
      });
      const root = taskRoot(files, shell("dash"));
      const handler = "function.handler";
      const bootstrap = new BootstrapProcess({ api: api.address, taskRoot: root, handler });
      expect(await bootstrap.exited).toEqual({ status: 1, signal: null });
      await bootstrap.logged(
        `[FATAL] event-0 the Runtime API has not responded to POST ${PATH.response("event-0")}: `,
      );
      expect(api.posts.get(0)?.length).toBe(1);
      expectFewLines(bootstrap.stderr);
    },
  );

  test.concurrent.each(["reset-at-head", "reset-after-body"] as const)(
    "breaks the connection of a stream (%s), the stream is not sent twice",
    async (kind) => {
      await using environment = await EnvironmentUnderTest.start({
        files: { "function.sh": { from: "stream.sh" } },
      });
      const { api, exited } = environment;
      const broken = api.enqueue({ body: "large", postResponse: { kind } });
      await broken.posted;
      const end = await Promise.race([api.invoke({ body: "plain" }), exited]);
      if ("signal" in end) expect([end.status === 0, end.signal]).toEqual([false, null]);
      else expect(end.latin1).toBe("plain");
      expect(broken.posts.length).toBe(1);
    },
  );

  test.concurrent("is slow to respond, the runtime waits", async () => {
    await using environment = await EnvironmentUnderTest.start({ files });
    const { api } = environment;
    const slow = { kind: "status", status: 202, delayMs: 300 } as const;
    const first = api.enqueue({ body: "x", postResponse: slow });
    const failed = api.enqueue({ body: "fail", postResponse: slow });
    const last = api.enqueue({ body: "y", postResponse: slow });
    await last.posted;
    await api.idle();
    for (const invocation of [first, failed, last]) expect(invocation.posts.length).toBe(1);
    const respondedBefore = (at: number) =>
      api.invocations.filter(({ posts }) => (posts[0]?.completedAtMs ?? at) < at).length;
    // No event was asked for before the response to the one before had been accepted.
    expect([failed, last].map(({ deliveredAtMs }) => respondedBefore(deliveredAtMs - 299))).toEqual(
      [1, 2],
    );
  });

  test.concurrent.each([403, 500])(
    "responds to an init error with %d, the runtime ends with status 1",
    async (status) => {
      await using environment = await EnvironmentUnderTest.start({ files: {} });
      environment.api.initErrorStatus = status;
      expect(await environment.exited).toEqual({ status: 1, signal: null });
      expect(environment.api.requests.map(({ path }) => path)).toEqual([PATH.initError]);
    },
  );

  test.concurrent("is not there for an init error, the runtime ends with status 1", async () => {
    const root = taskRoot({}, shell("dash"));
    const api = `127.0.0.1:${await closedPort()}`;
    const bootstrap = new BootstrapProcess({ api, taskRoot: root, handler: "missing.handler" });
    expect(await bootstrap.exited).toEqual({ status: 1, signal: null });
    await bootstrap.logged("missing.sh");
  });
});
