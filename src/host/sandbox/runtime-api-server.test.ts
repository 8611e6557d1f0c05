import { describe, expect, test } from "bun:test";
import { connect } from "node:net";

import { PATH, RESPONSE_BYTES_MAX } from "../../runtime-api/contract.ts";
import { PendingInvocation } from "../invocation/invocation.ts";
import type { PostedResult } from "./posted-result.ts";
import { RuntimeApiServer, type RuntimeListener } from "./runtime-api-server.ts";

/** A Runtime API with a recorded listener. */
async function serveApi(concurrency = 1, snapStart = false) {
  const results: PostedResult[] = [];
  const posted: PendingInvocation[] = [];
  const turns: number[] = [];
  let snapshots = 0;
  const listener: RuntimeListener = {
    onNext: () => void turns.push(performance.now()),
    onPosted: (invocation, result) => {
      results.push(result);
      posted.push(invocation);
    },
    onInitError: (error) => void results.push({ kind: "error", ...error }),
    onSnapshot: () => {
      snapshots += 1;
    },
  };
  const server = new RuntimeApiServer(listener, { concurrency, snapStart });
  const address = await server.listen();
  const send = async (method: string, path: string, body?: string, headers = {}) => {
    const init = body === undefined ? { method, headers } : { method, headers, body };
    const response = await fetch(`http://${address}${path}`, init);
    const type = response.headers.get("content-type");
    return { status: response.status, type, body: await response.text() };
  };
  const deliver = async (requestId: string) => {
    const invocation = new PendingInvocation({ event: Buffer.from("{}"), requestId });
    while (!server.ready) await Bun.sleep(1);
    expect(server.deliver(invocation, invocation.headers(Date.now() + 1000, "arn"))).toBe(true);
    return invocation;
  };
  const next = async (requestId: string) => {
    const polled = send("GET", PATH.next);
    await deliver(requestId);
    return polled;
  };
  return {
    server,
    address,
    results,
    /** The events of the results. */
    posted,
    /** When polls have had their turn, in milliseconds. */
    turns,
    /** Waits until the runtime has asked for its restore this many times. */
    async snapshots(count: number) {
      while (snapshots < count) await Bun.sleep(1);
    },
    send,
    next,
    deliver,
    [Symbol.asyncDispose]: async () => server.closeAfter(0),
  };
}

const JSON_TYPE = "application/json";
const INVALID_ID = '{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n';
const OK = '{"status":"OK"}\n';

const notAllowed = (from: string, to: string) =>
  `{"errorMessage":"State transition from ${from} to ${to} failed for runtime. ` +
  'Error: State transition is not allowed","errorType":"InvalidStateTransition"}\n';

test("unknown paths are 404, wrong methods 405, ping is pong", async () => {
  await using api = await serveApi();
  expect(await api.send("GET", "/2018-06-01/nothing")).toEqual({
    status: 404,
    type: "text/plain; charset=utf-8",
    body: "404 page not found\n",
  });
  for (const [method, path] of [
    ["POST", PATH.next],
    ["GET", PATH.response("x")],
    ["GET", PATH.error("x")],
    ["GET", PATH.initError],
    ["PUT", PATH.initError],
  ] as const) {
    expect(await api.send(method, path)).toMatchObject({ status: 405, body: "" });
  }
  expect(await api.send("GET", PATH.ping)).toMatchObject({ status: 200, body: "pong" });
});

test("a response is accepted once; the id is checked before the state", async () => {
  await using api = await serveApi();
  expect(await api.send("POST", PATH.response("bogus"), "{}")).toEqual({
    status: 400,
    type: JSON_TYPE,
    body: INVALID_ID,
  });
  expect((await api.next("a")).status).toBe(200);
  expect(await api.send("POST", PATH.response("bogus"), "{}")).toMatchObject({ body: INVALID_ID });
  expect(await api.send("POST", PATH.response("a"), "[1]")).toEqual({
    status: 202,
    type: JSON_TYPE,
    body: OK,
  });
  expect(await api.send("POST", PATH.error("a"), "{}")).toEqual({
    status: 403,
    type: JSON_TYPE,
    body: notAllowed("RuntimeResponseSentState", "InvocationErrorResponse"),
  });
  expect(api.results).toEqual([
    expect.objectContaining({ kind: "response", body: Buffer.from("[1]") }),
  ]);
  expect((await api.next("b")).status).toBe(200);
  expect(await api.send("POST", PATH.response("a"), "{}")).toMatchObject({ body: INVALID_ID });
});

test("the mode is checked before the size, the size after the body", async () => {
  await using api = await serveApi();
  const huge = " ".repeat(RESPONSE_BYTES_MAX + 1);
  await api.next("a");
  const mode = { "Lambda-Runtime-Function-Response-Mode": "trickle" };
  expect(await api.send("POST", PATH.response("a"), huge, mode)).toMatchObject({
    status: 400,
    body: '{"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}\n',
  });
  await api.next("b");
  expect(await api.send("POST", PATH.response("b"), huge)).toEqual({
    status: 413,
    type: JSON_TYPE,
    body:
      '{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).",' +
      '"errorType":"RequestEntityTooLarge"}\n',
  });
  expect((await api.send("POST", PATH.error("b"), "{}")).status).toBe(403);
  await api.next("c");
  expect((await api.send("POST", PATH.response("c"), huge.slice(1))).status).toBe(202);
});

test("init/error is for the start only", async () => {
  await using api = await serveApi();
  const header = { "Lambda-Runtime-Function-Error-Type": "Function.Odd_1" };
  expect(await api.send("POST", PATH.initError, "{}", header)).toMatchObject({
    status: 202,
    body: OK,
  });
  expect(await api.send("POST", PATH.initError, "{}")).toMatchObject({
    status: 403,
    body: notAllowed("InitError", "InitError"),
  });
  expect(await api.send("GET", PATH.next)).toMatchObject({
    status: 403,
    body: notAllowed("InitError", "Ready"),
  });
  expect(api.results).toEqual([expect.objectContaining({ errorType: "Function.Odd_1" })]);
});

test("the cause of an error is X-Ray's, not the caller's", async () => {
  await using api = await serveApi();
  await api.next("a");
  const type = { "Content-Type": "application/vnd.aws.lambda.error.cause+json" };
  const error = '{"errorMessage":"m","errorType":"t","stackTrace":["s"],"errorCause":{"secret":1}}';
  expect((await api.send("POST", PATH.error("a"), error, type)).status).toBe(202);
  expect(Buffer.from((api.results[0] as { body: Uint8Array }).body).toString()).toBe(
    '{"errorMessage":"m","errorType":"t","stackTrace":["s"]}',
  );
});

test("a second /next while one waits has its turn after it; one whose connection has gone is forgotten", async () => {
  await using api = await serveApi();
  const gone = new AbortController();
  const first = fetch(`http://${api.address}${PATH.next}`, { signal: gone.signal });
  while (!api.server.ready) await Bun.sleep(1);
  const second = api.send("GET", PATH.next);
  await Bun.sleep(20);
  gone.abort();
  expect(first).rejects.toThrow();
  while (api.turns.length < 2) await Bun.sleep(1);
  await api.deliver("a");
  expect((await second).status).toBe(200);
});

/** A connection of its own, as each loop of a runtime has. */
async function connection(address: string) {
  const socket = connect(Number(address.split(":")[1]), "127.0.0.1");
  let heard = "";
  socket.on("data", (chunk) => {
    heard += chunk.toString("latin1");
  });
  const say = (method: string, path: string, body = "", header = "X-Nothing: 1") =>
    socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: x\r\n${header}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  /** Events that have come over it, by their ids. */
  const events = () =>
    [...heard.matchAll(/^Lambda-Runtime-Aws-Request-Id: (\S+)/gim)].map(([, id]) => id);
  const statuses = () => [...heard.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  return { socket, say, events, statuses };
}

test("loops that nobody asked for are given an event each in their turn, never the same", async () => {
  await using api = await serveApi();
  const loops = await Promise.all([1, 2, 3].map(() => connection(api.address)));
  for (const loop of loops) loop.say("GET", PATH.next);
  await api.deliver("a");
  await Bun.sleep(50);
  const having = loops.filter(({ events }) => events().includes("a"));
  expect(having.length).toBe(1);
  // A loop that asks again on its own connection gets its own again.
  having[0]?.say("GET", PATH.next);
  while (having[0]?.events().length !== 2) await Bun.sleep(1);
  expect(having[0]?.events()).toEqual(["a", "a"]);
  having[0]?.say("POST", PATH.response("a"), "1");
  await api.deliver("b");
  await Bun.sleep(50);
  expect(loops.flatMap(({ events }) => events()).toSorted()).toEqual(["a", "a", "b"]);
  for (const { socket } of loops) socket.destroy();
});

test("an event whose connection has gone is given to the next who asks", async () => {
  await using api = await serveApi();
  const first = await connection(api.address);
  first.say("GET", PATH.next);
  await api.deliver("a");
  while (first.events().length === 0) await Bun.sleep(1);
  first.socket.destroy();
  await Bun.sleep(50);
  const second = await connection(api.address);
  second.say("GET", PATH.next);
  while (second.events().length === 0) await Bun.sleep(1);
  expect(second.events()).toEqual(["a"]);
  second.socket.destroy();
});

test("an event whose connection goes is given to one who has asked before that was seen", async () => {
  await using api = await serveApi();
  const first = await connection(api.address);
  first.say("GET", PATH.next);
  await api.deliver("a");
  while (first.events().length === 0) await Bun.sleep(1);
  const second = await connection(api.address);
  second.say("GET", PATH.next);
  await Bun.sleep(50);
  expect(second.events()).toEqual([]);
  first.socket.destroy();
  while (second.events().length === 0) await Bun.sleep(1);
  expect(second.events()).toEqual(["a"]);
  second.say("POST", PATH.response("a"), "1");
  while (api.results.length === 0) await Bun.sleep(1);
  second.socket.destroy();
});

test("with concurrency 2 two events are open at once and never mixed", async () => {
  await using api = await serveApi(2);
  await api.next("a");
  await api.next("b");
  expect((await api.send("POST", PATH.response("b"), '"b"')).status).toBe(202);
  expect((await api.send("POST", PATH.response("a"), '"a"')).status).toBe(202);
  expect(
    api.results.map((each) => Buffer.from((each as { body: Uint8Array }).body).toString()),
  ).toEqual(['"b"', '"a"']);
});

/** Speaks HTTP by hand and returns all that comes back within a moment. */
function speak(address: string, ...parts: readonly string[]): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let heard = "";
  const socket = connect(Number(address.split(":")[1]), "127.0.0.1", async () => {
    for (const part of parts) {
      socket.write(part);
      await Bun.sleep(30);
    }
    await Bun.sleep(50);
    socket.destroy();
  });
  socket.on("data", (chunk) => {
    heard += chunk.toString("latin1");
  });
  socket.on("close", () => resolve(heard));
  return promise;
}

describe("two events with the same id at a time", () => {
  /** Two loops with an event of the id `a` each. */
  async function twoLoops(api: Awaited<ReturnType<typeof serveApi>>) {
    const loops = [await connection(api.address), await connection(api.address)] as const;
    const begin = async (loop: (typeof loops)[number]) => {
      loop.say("GET", PATH.next);
      const event = await api.deliver("a");
      while (loop.events().length === 0) await Bun.sleep(1);
      return event;
    };
    const events = [await begin(loops[0]), await begin(loops[1])] as const;
    return { loops, events };
  }

  const named = ({ attemptId }: PendingInvocation) => `Lambda-Runtime-Invocation-Id: ${attemptId}`;

  test.each([
    ["their attempts", named],
    ["their connections", () => "X-Nothing: 1"],
  ])("are told apart by %s, in any order", async (_, header) => {
    for (const order of [
      [0, 1],
      [1, 0],
    ] as const) {
      await using api = await serveApi(2);
      const { loops, events } = await twoLoops(api);
      for (const at of order) {
        loops[at].say("POST", PATH.response("a"), String(at), header(events[at]));
        while (loops[at].statuses().length < 2) await Bun.sleep(1);
      }
      expect(api.posted).toEqual(order.map((at) => events[at]));
      const bodies = api.results.map((each) => "body" in each && String(each.body));
      expect(bodies).toEqual(order.map(String));
      expect(loops.map(({ statuses }) => statuses())).toEqual([
        ["200", "202"],
        ["200", "202"],
      ]);
      for (const { socket } of loops) socket.destroy();
    }
  });

  test.each([
    ["their attempts", named],
    ["their connections", () => "X-Nothing: 1"],
  ])("do not share a time that is up: it is told by %s", async (_, header) => {
    await using api = await serveApi(2);
    const { loops, events } = await twoLoops(api);
    const [first, second] = events;
    api.server.expire(first);
    loops[1].say("POST", PATH.response("a"), "second", header(second));
    while (loops[1].statuses().length < 2) await Bun.sleep(1);
    loops[0].say("POST", PATH.response("a"), "first", header(first));
    while (loops[0].statuses().length < 2) await Bun.sleep(1);
    loops[0].say("POST", PATH.response("a"), "first", `Lambda-Runtime-Invocation-Id: none`);
    while (loops[0].statuses().length < 3) await Bun.sleep(1);
    expect(loops.map(({ statuses }) => statuses())).toEqual([
      ["200", "410", "410"],
      ["200", "202"],
    ]);
    expect(api.posted).toEqual([second]);
    for (const { socket } of loops) socket.destroy();
  });
});

test("lower-case names, chunks, trailers, an encoded id and Expect: 100-continue are understood", async () => {
  await using api = await serveApi();
  await api.next("a b");
  const path = PATH.response(encodeURIComponent("a b"));
  const heard = await speak(
    api.address,
    `POST ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: t\r\nexpect: 100-continue\r\n\r\n`,
    "3\r\n[1,\r\n2\r\n2]\r\n0\r\nt: v\r\n\r\n",
  );
  expect(heard).toStartWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\n");
  expect(heard.match(/HTTP\/1\.1/g)?.length).toBe(2);
  expect(api.results).toEqual([
    expect.objectContaining({ kind: "response", body: Buffer.from("[1,2]") }),
  ]);
});

test("a header of a megabyte is accepted", async () => {
  await using api = await serveApi();
  await api.next("a");
  const cause = { "Lambda-Runtime-Function-XRay-Error-Cause": "x".repeat(1024 * 1024 - 1) };
  expect((await api.send("POST", PATH.error("a"), "{}", cause)).status).toBe(202);
});

test("extensions register while the runtime starts, wait, and are told apart", async () => {
  await using api = await serveApi();
  const register = (name: string, body: string) =>
    api.send(
      "POST",
      "/2020-01-01/extension/register",
      body,
      name ? { "Lambda-Extension-Name": name } : {},
    );
  api.server.extensions.registeredFunction = {
    functionName: "f",
    functionVersion: "$LATEST",
    handler: "h",
  };
  expect(await register("go", '{"events":null}')).toMatchObject({
    status: 200,
    body: '{"functionName":"f","functionVersion":"$LATEST","handler":"h"}',
  });
  expect((await register("", "{}")).status).toBe(403);
  expect(await register("x", '{"events":["BOOM"]}')).toMatchObject({
    status: 403,
    body: '{"errorMessage":"BOOM: event type is not supported","errorType":"Extension.InvalidEventType"}\n',
  });
  expect(await api.send("GET", "/2020-01-01/extension/event/next")).toMatchObject({
    status: 403,
    body: expect.stringContaining("Extension.MissingExtensionIdentifier"),
  });
  await api.next("a");
  expect(await register("late", "{}")).toMatchObject({
    status: 403,
    body: expect.stringContaining("Extension.RegistrationClosed"),
  });
});

/** Writes a text to the API, has it restore what waits for that, and reads until the connection ends. */
async function restored(api: Awaited<ReturnType<typeof serveApi>>, text: string): Promise<string> {
  const [host = "", port = ""] = api.address.split(":");
  const socket = connect(Number(port), host);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
  const ended = Promise.withResolvers<void>();
  socket.on("close", () => ended.resolve());
  socket.write(text);
  await api.snapshots(1);
  // It blocks until the restore.
  await Bun.sleep(50);
  expect(chunks).toEqual([]);
  api.server.restore();
  await ended.promise;
  return Buffer.concat(chunks).toString("latin1");
}

const RESTORE_NEXT = `GET ${PATH.restoreNext} HTTP`;
const NEXT_ON_IT = `GET ${PATH.next} HTTP/1.1\r\nHost: a\r\n\r\n`;

test.each([
  ["as every client of HTTP/1.1", `${RESTORE_NEXT}/1.1\r\nHost: a\r\n\r\n`],
  ["to be kept open", `${RESTORE_NEXT}/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`],
  [
    "to be kept open, by HTTP/1.0",
    `${RESTORE_NEXT}/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`,
  ],
  ["with the next request after it", `${RESTORE_NEXT}/1.1\r\nHost: a\r\n\r\n${NEXT_ON_IT}`],
])("the connection of a restore ends with it: %s", async (_how, text) => {
  await using api = await serveApi(1, true);
  const [head = "", body] = (await restored(api, text)).split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.[01] 200 OK\r\n/);
  expect(head).toMatch(/^Connection: close$/im);
  // One response: what was sent after the request has none.
  expect(body).toBe("");
  expect((await api.next("A")).status).toBe(200);
});

test("a restore is for what waits for it: nothing is sent to a connection that has gone", async () => {
  await using api = await serveApi(1, true);
  const gone = new AbortController();
  const waiting = fetch(`http://${api.address}${PATH.restoreNext}`, { signal: gone.signal });
  await api.snapshots(1);
  gone.abort();
  await expect(waiting).rejects.toThrow();
  // The runtime may ask again, once it is seen that the connection has gone, and is restored then.
  const asks = async () => {
    for (;;) {
      const { status } = await api.send("GET", PATH.restoreNext);
      if (status !== 403) return status;
    }
  };
  const again = asks();
  await api.snapshots(2);
  api.server.restore();
  expect(await again).toBe(200);
});

test("the Logs and Telemetry APIs say that they are not here", async () => {
  await using api = await serveApi();
  expect(await api.send("PUT", "/2022-07-01/telemetry", "{}")).toEqual({
    status: 202,
    type: JSON_TYPE,
    body: '{"errorMessage":"Telemetry API is not supported","errorType":"Telemetry.NotSupported"}\n',
  });
  expect((await api.send("PUT", "/2020-08-15/logs", "{}")).body).toBe(
    '{"errorMessage":"Logs API is not supported","errorType":"Logs.NotSupported"}\n',
  );
});
