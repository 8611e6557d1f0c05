/**
 * How the runtime speaks HTTP.
 *
 * @module
 */

import { expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";

import { HEADER, PATH } from "../runtime-api/contract.ts";
import { BootstrapProcess } from "../testing/bootstrap-process.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { shell } from "../testing/shells.ts";
import { taskRoot } from "../testing/task-root.ts";

const files = { "function.sh": 'handler() { [ "$1" != fail ] && printf \'%s\' "$1"; }' };

/** Longer than the idle limits of ten seconds that HTTP libraries have by default. */
const IDLE_MS = 12_000;

test.concurrent("one connection serves every request", async () => {
  await using environment = await EnvironmentUnderTest.start({ files });
  const { api } = environment;
  const events = ["x", "", "fail", "y".repeat(100_000)];
  for (const body of [...events, ...events]) {
    await api.invoke({ body });
    await api.invoke({ body, chunkBytes: 7_000 });
  }
  await api.idle();
  expect(api.connections).toBe(1);
});

test.concurrent("an idle wait for an event does not end by itself", async () => {
  await using environment = await EnvironmentUnderTest.start({ files });
  const { api } = environment;
  expect((await api.invoke({ body: "x" })).latin1).toBe("x");
  await api.idle();
  await Bun.sleep(IDLE_MS);
  expect((await api.invoke({ body: "y", chunkBytes: 1 })).latin1).toBe("y");
  expect([api.connections, environment.bootstrap.stderr]).toEqual([1, ""]);
  expect(api.requests.filter(({ path }) => path === PATH.next).length).toBeLessThanOrEqual(3);
});

test.concurrent("requests say what they are, and no more than that", async () => {
  await using environment = await EnvironmentUnderTest.start({ files });
  const { api } = environment;
  const response = await api.invoke({ body: "x" });
  const error = await api.invoke({ body: "fail" });
  const [next] = api.requests;
  expect([next?.method, next?.path, next?.body.length]).toEqual(["GET", PATH.next, 0]);
  expect(response.method).toBe("POST");
  expect(response.header("Host")).toBe(api.address);
  expect(response.header("Content-Length")).toBe("1");
  expect(response.header("Transfer-Encoding")).toBeUndefined();
  expect(response.header(HEADER.errorType)).toBeUndefined();
  expect(error.header("Content-Type")).toBe("application/json");
  expect(error.header("Content-Length")).toBe(String(error.body.length));
});

test.concurrent("the request id is copied as it is", async () => {
  await using environment = await EnvironmentUnderTest.start({ files });
  const requestId = "Id_1.2~three-4";
  const post = await environment.api.invoke({ body: "x", requestId });
  expect(post.path).toBe(PATH.response(requestId));
});

test.concurrent("the X-Ray cause of an error is JSON of the documented form", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: {
      "function.sh": "handler() { printf 'OddError: \"ü\" \\\\ \\001\\n' >&2; return 1; }",
    },
  });
  const post = await environment.api.invoke();
  const cause = post.header(HEADER.xrayErrorCause) ?? "";
  expect(cause).toMatch(/^[\x20-\x7e]*$/);
  const { exceptions, ...rest } = JSON.parse(cause);
  const message = '"ü" \\ \u0001';
  expect(exceptions).toEqual([{ type: "OddError", message, stack: [] }]);
  expect(rest).toEqual({ working_directory: environment.taskRoot, paths: [], message });
});

test.concurrent("the X-Ray cause of a long message fits into what servers take", async () => {
  await using environment = await EnvironmentUnderTest.start({
    files: { "function.sh": "handler() { printf '%05000d' 0 | sed 's/0/€/g' >&2; return 1; }" },
  });
  const post = await environment.api.invoke();
  // Node.js refuses a request with more than 16 KiB of headers; other servers take half of that.
  expect(post.header(HEADER.xrayErrorCause)?.length).toBeLessThan(8 * 1024);
  expect(JSON.parse(post.latin1).errorMessage.length).toBeGreaterThan(2000);
});

test.concurrent("the Runtime API may have an IPv6 address", async () => {
  const host = Promise.withResolvers<string>();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => host.resolve(/^Host: (.*)\r$/m.exec(bytes.toString())?.[1] ?? ""));
  });
  await new Promise<void>((resolve) => server.listen(0, "::1", resolve));
  const api = `[::1]:${portOf(server)}`;
  const root = taskRoot(files, shell("dash"));
  const bootstrap = new BootstrapProcess({ api, taskRoot: root, handler: "function.handler" });
  try {
    expect(await host.promise).toBe(api);
  } finally {
    await bootstrap.kill();
    server.close();
  }
});

/** Responses of a server that sends what HTTP allows, in pieces of one byte. */
const ODD_RESPONSES = [
  "HTTP/1.1 100 Continue\r\n\r\n",
  "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id:odd-1\r\nDATE: x\r\n" +
    "transfer-encoding: chunked\r\nlAMBDA-rUNTIME-tRACE-iD:  a: b  \r\n\r\n" +
    '4;ext="a;b"\r\nabcd\r\n0A\r\n0123456789\r\n000\r\nTrailer: x\r\n\r\n',
];

test.concurrent("the runtime reads all that HTTP/1.1 allows, also byte by byte", async () => {
  const root = taskRoot(
    { "function.sh": 'handler() { printf \'%s|%s\' "$1" "$LAMBDA_RUNTIME_TRACE_ID"; }' },
    shell("dash"),
  );
  const post = Promise.withResolvers<string>();
  const server = createServer((socket) => {
    let text = "";
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (text.startsWith(`GET ${PATH.next} HTTP/1.1\r\n`) && text.endsWith("\r\n\r\n")) {
        text = "";
        void sendSlowly(socket, ODD_RESPONSES.join(""));
      } else if (text.includes("abcd0123456789|a: b")) {
        post.resolve(text);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bootstrap = new BootstrapProcess({
    api: `127.0.0.1:${portOf(server)}`,
    taskRoot: root,
    handler: "function.handler",
  });
  try {
    const request = await post.promise;
    expect(request.split("\r\n")[0]).toBe(`POST ${PATH.response("odd-1")} HTTP/1.1`);
  } finally {
    await bootstrap.kill();
    server.close();
  }
});

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function sendSlowly(socket: Socket, text: string): Promise<void> {
  for (const character of text) {
    await new Promise((resolve) => socket.write(character, "latin1", resolve));
  }
}
