/**
 * How long a connection to the Runtime API may be used, and what happens to requests on one that ends.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-9.3
 * @module
 */

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";

import { PATH, STATUS } from "../runtime-api/contract.ts";
import { BootstrapProcess } from "../testing/bootstrap-process.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { expectOutcome } from "../testing/expectations.ts";
import {
  expectedPosts,
  type Interception,
  RawApiServer,
  type RawResponse,
  type Transport,
} from "../testing/raw-api-server.ts";
import { shell } from "../testing/shells.ts";
import { taskRoot } from "../testing/task-root.ts";

const EVENTS = 20;
const ECHO = { "function.sh": "handler() { printf '%s' \"$1\"; }" };

/** Prints its port, and ends with its standard input. */
const DEAF_SERVER = `import socket, sys
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(0)
held = socket.create_connection(server.getsockname())
print(server.getsockname()[1], flush=True)
sys.stdin.read()`;

/** The bytes of a response. */
function bytesOf(
  { status, fields, body }: RawResponse,
  version: string,
  ...more: string[]
): string {
  return [`HTTP/${version} ${status}`, ...fields, ...more, "", body].join("\r\n");
}

const length = ({ body }: RawResponse) => `Content-Length: ${body.length}`;
const chunked = (response: RawResponse): RawResponse => ({
  ...response,
  body: `${response.body.length.toString(16)}\r\n${response.body}\r\n0\r\n\r\n`,
});

/** Ways to end a connection with a response; whether a second request may come on the same one. */
const TRANSPORTS: readonly (readonly [string, boolean, Transport])[] = [
  [
    "HTTP/1.0 without a length, which ends with the connection",
    false,
    (socket, response) => void socket.end(bytesOf(response, "1.0")),
  ],
  [
    "HTTP/1.0 with a length, and then the end of the connection",
    false,
    (socket, response) => void socket.end(bytesOf(response, "1.0", length(response))),
  ],
  [
    "HTTP/1.0 with a length on a connection that is left open",
    false,
    (socket, response) => void socket.write(bytesOf(response, "1.0", length(response))),
  ],
  [
    "HTTP/1.0 that keeps the connection alive",
    true,
    (socket, response) =>
      void socket.write(bytesOf(response, "1.0", "connection: Keep-Alive", length(response))),
  ],
  [
    "HTTP/1.1 without a length, which ends with the connection",
    false,
    (socket, response) => void socket.end(bytesOf(response, "1.1")),
  ],
  ...[
    ["Connection: close"],
    ["connection: CLOSE"],
    ["Connection: close, te"],
    ["Connection: te ,\tclose"],
    ["Connection: keep-alive, close"],
    ["Connection: te", "Connection: close"],
    ["Connection:", "Connection: close"],
  ].map((fields): (typeof TRANSPORTS)[number] => [
    `${fields.join(" and ")} on a connection that is left open`,
    false,
    (socket, response) => void socket.write(bytesOf(response, "1.1", ...fields, length(response))),
  ]),
  ...["Connection: keep-alive", "Connection: te", "Connection: closed", "X: close"].map(
    (field): (typeof TRANSPORTS)[number] => [
      field,
      true,
      (socket, response) => void socket.write(bytesOf(response, "1.1", field, length(response))),
    ],
  ),
  [
    "chunks with a length beside them",
    false,
    (socket, response) =>
      void socket.write(
        bytesOf(chunked(response), "1.1", "Transfer-Encoding: chunked", length(response)),
      ),
  ],
  [
    "a response with more bytes after it",
    false,
    (socket, response) => void socket.write(`${bytesOf(response, "1.1", length(response))}more`),
  ],
];

/** Has all events handled that a server hands out, by an echo unless other commands come before it. */
async function handled(api: RawApiServer, commands = ""): Promise<BootstrapProcess> {
  const files = { "function.sh": `handler() { ${commands} printf '%s' "$1"; }` };
  const root = taskRoot(files, shell("dash"));
  const options = { api: api.address, taskRoot: root, handler: "function.handler" };
  const bootstrap = new BootstrapProcess(options);
  await Promise.race([api.done, bootstrap.exited]);
  return bootstrap;
}

/** Sends a response as most servers do; resolves when the system has it. */
const plainly: Transport = (socket, response) =>
  new Promise((resolve) =>
    socket.write(bytesOf(response, "1.1", length(response)), () => resolve()),
  );

/**
 * Whether a connection within this machine is open on both sides, as the side that has made it knows.
 * @see https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
 */
function isEstablished(clientPort: number, serverPort: number): boolean {
  const [client, server] = [clientPort, serverPort].map((port) =>
    port.toString(16).toUpperCase().padStart(4, "0"),
  );
  const line = new RegExp(`^ *\\d+: \\w{8}:${client} \\w{8}:${server} 01 `, "m");
  return line.test(readFileSync("/proc/net/tcp", "utf8"));
}

const postsOf = (api: RawApiServer) =>
  [...api.posts].map(([at, posts]) => [at, posts.map(({ path, body }) => [path, body.toString()])]);

describe("every event gets one response when the server uses", () => {
  test.concurrent.each(TRANSPORTS)("%s", async (_, mayBeKept, transport) => {
    await using api = await RawApiServer.start(EVENTS, transport);
    await using bootstrap = await handled(api);
    expect(postsOf(api)).toEqual(expectedPosts(EVENTS));
    expect([bootstrap.ended, bootstrap.stderr]).toEqual([false, ""]);
    const requests = 2 * EVENTS + 1;
    expect(api.connections).toBe(mayBeKept ? 1 : requests);
  });

  test.concurrent.each([0, 1, 2, 3, 5, 8, 20])(
    "a server that closes the connection %d ms after them without saying so",
    async (ms) => {
      const root = taskRoot(
        {
          // Its event is handled until the connection that brought it has been closed.
          "function.sh": `handler() {
            until [ -e "closed-$1" ]; do sleep 0.005; done
            printf '%s' "$1"
          }`,
        },
        shell("dash"),
      );
      const closing = new Set<Socket>();
      const transport: Transport = async (socket, response) => {
        closing.add(socket);
        await plainly(socket, response);
        await Bun.sleep(ms);
        const { remotePort = 0, localPort = 0 } = socket;
        socket.destroy();
        // The end has reached the runtime when the file is there, however late a busy system delivers it.
        while (!socket.closed || isEstablished(remotePort, localPort)) await Bun.sleep(1);
        writeFileSync(join(root, `closed-${response.body}`), "");
      };
      // An event that it gave to a connection that it closes might never arrive.
      const ignore: Interception = (socket) => closing.has(socket);
      await using api = await RawApiServer.start(EVENTS, transport, ignore);
      const options = { api: api.address, taskRoot: root, handler: "function.handler" };
      await using bootstrap = new BootstrapProcess(options);
      await Promise.race([api.done, bootstrap.exited]);
      expect([bootstrap.ended, bootstrap.stderr]).toEqual([false, ""]);
      expect(postsOf(api)).toEqual(expectedPosts(EVENTS));
    },
  );
});

describe("a connection that breaks in the middle of a response of 6 MB", () => {
  const sizesOf = (api: RawApiServer) =>
    [...api.posts.values()].map((posts) => posts.map(({ body }) => body.length));
  /** Resets connections once so much of a post has been read, so often. */
  const resetAfter = (bytes: number, times: number) => {
    const state = { broken: 0 };
    const intercept: Interception = (socket, head, received) => {
      const isDue = head.startsWith("POST") && received.length >= bytes && state.broken < times;
      if (!isDue) return false;
      state.broken += 1;
      socket.resetAndDestroy();
      return true;
    };
    return { state, intercept };
  };
  const LARGE = "head -c 6000000 /dev/zero;";

  test.concurrent.each([
    ["at its head", 1],
    ["after 100 kB", 100_000],
  ])("%s: it is sent again, on a new connection", async (_, bytes) => {
    const { state, intercept } = resetAfter(bytes, 2);
    await using api = await RawApiServer.start(2, plainly, intercept);
    await using bootstrap = await handled(api, LARGE);
    expect([bootstrap.ended, bootstrap.stderr, state.broken]).toEqual([false, "", 2]);
    expect(sizesOf(api)).toEqual([[6_000_001], [6_000_001]]);
  });

  // Where the server's side has got all of it, nobody knows what the server has made of it.
  test.concurrent.each([1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000, 5_999_000])(
    "after %d bytes: it is sent again, or the runtime says so and ends",
    async (bytes) => {
      const { state, intercept } = resetAfter(bytes, 1);
      await using api = await RawApiServer.start(2, plainly, intercept);
      await using bootstrap = await handled(api, LARGE);
      expect(state.broken).toBe(1);
      if (bootstrap.ended) {
        await bootstrap.logged("\n");
        expect(bootstrap.stderr).toMatch(/^\[FATAL\] event-0 .*\n$/);
        expect(sizesOf(api)).toEqual([]);
      } else {
        expect(sizesOf(api)).toEqual([[6_000_001], [6_000_001]]);
      }
    },
  );

  test.concurrent("again and again: the runtime says so and ends", async () => {
    const { intercept } = resetAfter(1, 100);
    await using api = await RawApiServer.start(1, plainly, intercept);
    await using bootstrap = await handled(api, LARGE);
    expect(await bootstrap.exited).toEqual({ status: 1, signal: null });
    await bootstrap.logged("\n");
    expect(bootstrap.stderr).toMatch(/^\[FATAL\] event-0 failed to send the request.*\n$/);
    expect(api.posts.size).toBe(0);
  });
});

/** Ways to end a connection. */
const ENDS: readonly (readonly [string, (socket: Socket) => void])[] = [
  ["closed", (socket) => socket.end()],
  ["reset", (socket) => socket.resetAndDestroy()],
];

test.concurrent.each(ENDS)(
  "what was read before its connection was %s is not sent again",
  async (_, end) => {
    await using api = await RawApiServer.start(1, (socket, response) => {
      if (response.request.method === "POST") end(socket);
      else void plainly(socket, response);
    });
    await using bootstrap = await handled(api);
    expect(await bootstrap.exited).toEqual({ status: 1, signal: null });
    expect(api.posts.get(0)?.length).toBe(1);
    await bootstrap.logged("\n");
    expect(bootstrap.stderr).toMatch(/^\[FATAL\] event-0 .*\n$/);
  },
);

describe("a server that responds early and reads no further", () => {
  /** Accepts events' heads only: refuses what is larger than its first piece. */
  const refuseEarly =
    (text: string, end: (socket: Socket) => void): Interception =>
    (socket, head) => {
      const isLarge = /content-length: \d{6}|transfer-encoding/i.test(head);
      if (!head.startsWith("POST") || !isLarge || socket.isPaused()) return socket.isPaused();
      socket.pause();
      socket.write(text);
      end(socket);
      return true;
    };
  const refusal = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 9\r\n\r\ntoo large";
  const RESPONSES = `case $1 in
      0) head -c 6000000 /dev/zero ;;
      1) printf '{"statusCode":200}\\0\\0\\0\\0\\0\\0\\0\\0'; head -c 6000000 /dev/zero ;;
    esac;`;

  const EARLY: readonly (readonly [string, string, (socket: Socket) => void])[] = [
    ["leaves the connection open", refusal, () => undefined],
    ["closes its end", refusal, (socket) => socket.end()],
    ["resets the connection", refusal, (socket) => setTimeout(() => socket.resetAndDestroy(), 50)],
    ["says before that it goes on", `HTTP/1.1 100 Continue\r\n\r\n${refusal}`, () => undefined],
  ];

  test.concurrent.each(EARLY)(
    "and %s: its response counts, and the next event is handled",
    async (_, text, end) => {
      await using api = await RawApiServer.start(3, plainly, refuseEarly(text, end));
      await using bootstrap = await handled(api, RESPONSES);
      expect(bootstrap.ended).toBe(false);
      expect(postsOf(api)).toEqual([[2, [[PATH.response("event-2"), "2"]]]]);
      for (const event of ["event-0", "event-1"]) {
        expect(bootstrap.stderr).toContain(
          `responded to POST ${PATH.response(event)} with 413: too large`,
        );
      }
    },
  );
});

test.concurrent("a server that says 100 Continue and goes on reading gets all of it", async () => {
  const continued = new Set<Socket>();
  await using api = await RawApiServer.start(1, plainly, (socket, head) => {
    if (!head.startsWith("POST") || continued.has(socket)) return false;
    continued.add(socket);
    socket.pause();
    socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    setTimeout(() => {
      socket.resume();
      socket.emit("data", Buffer.alloc(0));
    }, 200);
    return true;
  });
  await using bootstrap = await handled(api, "head -c 6000000 /dev/zero;");
  expect([bootstrap.stderr, api.posts.get(0)?.map(({ body }) => body.length)]).toEqual([
    "",
    [6_000_001],
  ]);
});

test.concurrent.each(["at its head", "after a while"])(
  "a stream whose connection is reset %s is said to be cut off, and the next event handled",
  async (when) => {
    await using environment = await EnvironmentUnderTest.start({
      files: {
        "function.sh": `handler() {
          [ "$1" = next ] && { printf next; return; }
          printf '{"statusCode":200}\\0\\0\\0\\0\\0\\0\\0\\0begun'
          for i in 1 2 3 4 5; do sleep 0.05; printf 'piece %s' $i; done
        }`,
      },
    });
    const { api, bootstrap } = environment;
    const kind = when === "at its head" ? "reset-at-head" : "reset-after-body";
    const invocation = api.enqueue({ postResponse: { kind } });
    await invocation.posted;
    expect((await api.invoke({ body: "next" })).latin1).toBe("next");
    expect(invocation.posts.length).toBe(1);
    expect(bootstrap.stderr).toMatch(/^\[ERROR\] \S+ the streamed response was cut off: .*\n$/);
  },
);

describe("AWS_LAMBDA_RUNTIME_API", () => {
  test.concurrent.each([
    "127.0.0.1",
    "localhost",
    ":9001",
    "127.0.0.1:",
    "127.0.0.1:http",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "127.0.0.1:9001/",
    "http://127.0.0.1:9001",
    "::1:9001",
    "[::1]",
    "[]:9001",
    "127.0.0.1 :9001",
    " ",
  ])("%p is refused with what it must be", async (api) => {
    const root = taskRoot(ECHO, shell("dash"));
    await using bootstrap = new BootstrapProcess({
      api,
      taskRoot: root,
      handler: "function.handler",
    });
    expect(await bootstrap.exited).toEqual({ status: 1, signal: null });
    await bootstrap.logged("\n");
    expect(bootstrap.stderr).toBe(
      `[FATAL] AWS_LAMBDA_RUNTIME_API is ${JSON.stringify(api)}: it must be HOST:PORT, ` +
        "as in 127.0.0.1:9001 or [::1]:9001\n",
    );
  });

  test.concurrent("a host that does not respond is given up after a few attempts", async () => {
    // One connection fills the queue of a server that takes none: others are not made, nor refused.
    const server = Bun.spawn({
      cmd: ["python3", "-c", DEAF_SERVER],
      stdin: "pipe",
      stdout: "pipe",
    });
    try {
      const output = await server.stdout.getReader().read();
      const api = `127.0.0.1:${new TextDecoder().decode(output.value).trim()}`;
      const root = taskRoot(ECHO, shell("dash"));
      await using bootstrap = new BootstrapProcess({
        api,
        taskRoot: root,
        handler: "function.handler",
      });
      expect(await bootstrap.exited).toEqual({ status: 1, signal: null });
      await bootstrap.logged("\n");
      expect(bootstrap.stderr).toBe(
        `[FATAL] failed to connect to ${api}: connect: Connection timed out\n`,
      );
    } finally {
      server.kill();
    }
  });
});

test.concurrent(
  "a response that the platform refuses as too large is not followed by an error",
  async () => {
    await using environment = await EnvironmentUnderTest.start({ files: ECHO });
    const { api } = environment;
    const postResponse = { kind: "status", status: STATUS.payloadTooLarge } as const;
    const refused = api.enqueue({ body: "x", postResponse });
    await refused.posted;
    expectOutcome(refused, { response: "x" });
    expect((await api.invoke({ body: "y" })).latin1).toBe("y");
  },
);
