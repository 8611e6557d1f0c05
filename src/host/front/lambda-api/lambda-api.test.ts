import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { ASYNC_EVENT_BYTES_MAX, EVENT_BYTES_MAX } from "../../../runtime-api/contract.ts";
import {
  type RunningHost,
  serveFunction,
  TEST_NAMES,
  testSettings,
} from "../../../testing/host/running-host.ts";
import { temporaryFolder } from "../../../testing/temporary-folder.ts";
import { FunctionPool } from "../../function/function-pool.ts";
import { FunctionRegistry } from "../../function/function-registry.ts";
import type { HttpRequest } from "../../http/message.ts";
import { plainAdapter } from "../adapter.ts";
import { gatewayAdapter } from "../gateway/adapter.ts";
import { listFunctions } from "./describe.ts";

const FUNCTIONS = "/2015-03-31/functions";
const ARN = "arn:aws:lambda:us-east-1:123456789012:function:probe";

interface ApiResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

async function send(url: string, path: string, init: RequestInit = {}): Promise<ApiResponse> {
  const response = await fetch(`${url}${path}`, init);
  return { status: response.status, headers: response.headers, body: await response.text() };
}

const invoke = (
  { url }: RunningHost,
  event: unknown,
  headers: Record<string, string> = {},
  name = "probe",
) => {
  const body = typeof event === "string" ? event : JSON.stringify(event);
  return send(url, `${FUNCTIONS}/${name}/invocations`, { method: "POST", body, headers });
};

test("success has the version, the type, and the id that the runtime saw", async () => {
  await using served = await serveFunction();
  const { status, headers, body } = await invoke(served, { do: "headers" });
  expect(status).toBe(200);
  expect(headers.get("x-amz-executed-version")).toBe("$LATEST");
  expect(headers.get("content-type")).toBe("application/json");
  expect(headers.get("x-amz-function-error")).toBeNull();
  expect(headers.get("date")).not.toBeNull();
  expect(headers.get("x-amzn-requestid")).toBe(JSON.parse(body)["lambda-runtime-aws-request-id"]);
  expect((await invoke(served, { do: "empty" })).body).toBe("");
});

test.each([
  [{ do: "error" }, '{"errorType":"Asked","errorMessage":"to fail"}'],
  [{ do: "exit", status: 127 }, "Error: Runtime exited with error: exit status 127"],
  [{ do: "exit" }, "Error: Runtime exited without providing a reason"],
  [{ do: "kill" }, "Error: Runtime exited with error: signal: killed"],
  [
    { do: "hang" },
    '"Sandbox.Timedout","errorMessage":"RequestId: ID Error: Task timed out after 1.00 seconds"}',
  ],
  [
    { do: "too-large" },
    "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
  ],
  [{ do: "stream-error" }, '{"errorType":"Late","errorMessage":"in the middle"}'],
])("%j is 200 with X-Amz-Function-Error: Unhandled", async (event, words) => {
  await using served = await serveFunction({ settings: { timeoutMs: 1_000 } });
  const { status, headers, body } = await invoke(served, event);
  expect([status, headers.get("x-amz-function-error")]).toEqual([200, "Unhandled"]);
  expect(body.replace(headers.get("x-amzn-requestid") ?? "?", "ID")).toContain(words);
});

test("Event is accepted and tried again, DryRun runs nothing", async () => {
  await using served = await serveFunction();
  const dry = await invoke(served, {}, { "X-Amz-Invocation-Type": "DryRun" });
  expect([dry.status, dry.body]).toEqual([204, ""]);
  const event = await invoke(
    served,
    { do: "log", text: "in the background" },
    { "X-Amz-Invocation-Type": "Event" },
  );
  expect([event.status, event.body, event.headers.get("x-amz-executed-version")]).toEqual([
    202,
    "",
    null,
  ]);
  while (!served.log().includes("in the background")) await Bun.sleep(5);
  await invoke(served, { do: "error" }, { "X-Amz-Invocation-Type": "Event" });
  while (!served.messages.some((line) => line.includes("dropped after 3 failed attempts")))
    await Bun.sleep(20);
  expect(served.messages.filter((line) => line.includes("again in"))).toHaveLength(2);
  // Nobody else is told why.
  const told = served.messages.filter((line) => line.includes("asynchronous event"));
  for (const line of told) expect(line).toEndWith(": Function.Asked: to fail");
  const old = await send(served.url, "/2014-11-13/functions/probe/invoke-async", {
    method: "POST",
    body: "{}",
  });
  expect([old.status, old.body]).toEqual([202, '{"Status":202}']);
});

test("an event that is too large is 413, by its kind of invocation", async () => {
  await using served = await serveFunction();
  const sized = (bytes: number) => `"${"x".repeat(bytes - 2)}"`;
  const refused = await invoke(served, sized(EVENT_BYTES_MAX + 1));
  expect(refused.status).toBe(413);
  expect(refused.headers.get("x-amzn-errortype")).toBe("RequestEntityTooLargeException");
  expect(refused.body).toBe(
    '{"Type":"User","message":"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}',
  );
  expect((await invoke(served, sized(EVENT_BYTES_MAX + 1000))).status).toBe(413);
  const asynchronous = { "X-Amz-Invocation-Type": "Event" };
  expect((await invoke(served, sized(ASYNC_EVENT_BYTES_MAX + 1), asynchronous)).status).toBe(413);
  expect((await invoke(served, sized(ASYNC_EVENT_BYTES_MAX), asynchronous)).status).toBe(202);
});

test("a full queue is 429 with Retry-After", async () => {
  await using served = await serveFunction({ settings: { queueMax: 1 } });
  await invoke(served, {});
  const slow = { do: "slow-echo", ms: 300 };
  const responses = await Promise.all([1, 2, 3, 4].map(() => invoke(served, slow)));
  const refused = responses.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThanOrEqual(1);
  expect(refused[0]?.headers.get("retry-after")).toBe("1");
  expect(refused[0]?.headers.get("x-amzn-errortype")).toBe("TooManyRequestsException");
  expect(refused[0]?.body).toBe(
    '{"Type":"User","message":"Rate Exceeded.","Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"}',
  );
});

test.each([
  ["/2015-03-31/functions/probe/invocations", "Event"],
  ["/2014-11-13/functions/probe/invoke-async", "RequestResponse"],
])("an event without a caller who waits is refused, or run: %s", async (path, type) => {
  const seen = join(temporaryFolder("later"), "seen");
  const variables = { SEEN_FILE: seen };
  await using served = await serveFunction({ settings: { queueMax: 3, variables } });
  await invoke(served, {});
  const headers = { "X-Amz-Invocation-Type": type };
  const later = (event: unknown) =>
    send(served.url, path, { method: "POST", headers, body: JSON.stringify(event) });
  const begun = () => (existsSync(seen) ? readFileSync(seen, "utf8").trim().split("\n") : []);
  const ids = Array.from({ length: 12 }, (_, at) => at + 1);
  const responses = await Promise.all(ids.map((id) => later({ do: "slow-echo", ms: 200, id })));
  const accepted = ids.filter((_, at) => responses[at]?.status === 202);
  const refused = responses.filter(({ status }) => status !== 202);
  expect(refused.length).toBeGreaterThan(0);
  for (const each of refused) {
    expect([
      each.status,
      each.headers.get("x-amzn-errortype"),
      each.headers.get("retry-after"),
    ]).toEqual([429, "TooManyRequestsException", "1"]);
  }
  while (begun().length < accepted.length) await Bun.sleep(10);
  expect(
    begun()
      .map(Number)
      .sort((a, b) => a - b),
  ).toEqual(accepted);
  expect(served.messages).toEqual([]);
});

test.each([
  ["drained", (served: RunningHost) => served.drain(10_000)],
  ["killed", async (served: RunningHost) => served.pool.kill()],
])(
  "an accepted event that waits to be tried again is told of when the server is %s",
  async (_, end) => {
    await using served = await serveFunction();
    for (const id of [1, 2]) {
      await invoke(served, { do: "error", id }, { "X-Amz-Invocation-Type": "Event" });
    }
    const told = (words: string) => served.messages.filter((each) => each.includes(words));
    while (told("is tried again in 1 s").length < 2) await Bun.sleep(1);
    await end(served);
    const words = "dropped after 1 failed attempts: the function is being stopped";
    // At once: the process that has served them ends now.
    for (let turn = 0; turn < 10; turn += 1) await Bun.sleep(0);
    expect(told(words)).toHaveLength(2);
    expect(told("is tried again")).toHaveLength(2);
  },
);

test("an accepted event that finds the queue full when it is tried again is not dropped for that", async () => {
  await using served = await serveFunction({ settings: { queueMax: 1, timeoutMs: 30_000 } });
  await invoke(served, {});
  await invoke(served, { do: "error", id: 1 }, { "X-Amz-Invocation-Type": "Event" });
  while (!served.messages.some((each) => each.includes("again in 1 s"))) await Bun.sleep(5);
  // One event runs, one waits, for longer than three attempts take.
  while (served.pool.counts.ready === 0) await Bun.sleep(5);
  const running = invoke(served, { do: "slow-echo", ms: 6_000 });
  while (served.pool.counts.busy === 0) await Bun.sleep(5);
  const waiting = invoke(served, {});
  while (served.pool.queueLength === 0) await Bun.sleep(5);
  expect((await Promise.all([running, waiting])).map(({ status }) => status)).toEqual([200, 200]);
  expect(served.messages.join("\n")).toContain("no environment was free");
  expect(served.messages.join("\n")).not.toContain("dropped");
  while (!served.messages.some((each) => each.includes("dropped after 3 failed")))
    await Bun.sleep(20);
});

test("an invalid parameter or body is 400 with its class", async () => {
  await using served = await serveFunction();
  const kind = await invoke(served, {}, { "X-Amz-Invocation-Type": "Later" });
  expect([kind.status, kind.headers.get("x-amzn-errortype")]).toEqual([
    400,
    "InvalidParameterValueException",
  ]);
  const json = await invoke(served, "{");
  expect([json.status, json.headers.get("x-amzn-errortype")]).toEqual([
    400,
    "InvalidRequestContentException",
  ]);
  expect(JSON.parse(json.body)).toEqual({
    Type: "User",
    message:
      "Could not parse request body into json: Could not parse payload into json: " +
      'offset 1: it ends before the closing "}"',
  });
  expect((await invoke(served, "[".repeat(200_000))).status).toBe(400);
  const decoded = await send(served.url, `${FUNCTIONS}/probe/invocations`, {
    method: "POST",
    body: Buffer.from("eventPayloadOfSomebody", "base64"),
  });
  expect(decoded.body).toContain("aws-cli v2 needs --cli-binary-format raw-in-base64-out");
  const context = await invoke(served, {}, { "X-Amz-Client-Context": "%%" });
  expect(context.status).toBe(400);
});

test("Tail returns Lambda's lines around the function's, the time of the start last", async () => {
  await using served = await serveFunction();
  const event = { do: "log", text: "from the function" };
  const tail = { "X-Amz-Log-Type": "Tail" };
  const read = async () => {
    const { headers } = await invoke(served, event, tail);
    return Buffer.from(headers.get("x-amz-log-result") ?? "", "base64").toString();
  };
  expect(await read()).toMatch(
    /^START RequestId: (\S+) Version: \$LATEST\nfrom the function\nEND RequestId: \1\nREPORT RequestId: \1\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t\n$/,
  );
  expect(await read()).not.toContain("Init Duration");
  const long = await invoke(served, { do: "log", text: "x".repeat(10_000) }, tail);
  expect(Buffer.from(long.headers.get("x-amz-log-result") ?? "", "base64").byteLength).toBe(4096);
});

test.each([
  ["probe", 200],
  ["function", 200],
  ["probe:live", 200],
  [encodeURIComponent(ARN), 200],
  [encodeURIComponent(`${ARN}:$LATEST`), 200],
  ["123456789012:function:probe", 200],
  ["nobody", 404],
  [encodeURIComponent("no such name"), 400],
])("the function name %s is %i", async (name, status) => {
  await using served = await serveFunction();
  expect((await invoke(served, {}, {}, name)).status).toBe(status);
});

test("unknown functions and qualifiers are told in Lambda's words", async () => {
  await using served = await serveFunction();
  const unknown = await invoke(served, {}, {}, "nobody");
  expect(unknown.headers.get("x-amzn-errortype")).toBe("ResourceNotFoundException");
  expect(unknown.body).toBe(
    '{"Type":"User","Message":"Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody:$LATEST"}',
  );
  const described = await send(served.url, `${FUNCTIONS}/nobody`);
  expect(described.body).toEndWith(':function:nobody"}');
  const mismatch = await send(served.url, `${FUNCTIONS}/probe:live/invocations?Qualifier=other`, {
    method: "POST",
    body: "{}",
  });
  expect(mismatch.status).toBe(400);
  expect(mismatch.body).toContain(
    "The derived qualifier from the function name does not match the specified qualifier.",
  );
  const invalid = await invoke(served, {}, {}, encodeURIComponent("a b"));
  expect(invalid.body).toStartWith(
    `{"message":"1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: Member must satisfy regular expression pattern: `,
  );
});

test("ListFunctions and its relatives have the members that AWS's have", async () => {
  await using served = await serveFunction({ settings: { variables: { SECRET: "s3cret" } } });
  const list = JSON.parse((await send(served.url, `${FUNCTIONS}/`)).body);
  const [entry] = list.Functions;
  expect(Object.keys(entry)).toEqual([
    ...["FunctionName", "FunctionArn", "Runtime", "Role", "Handler", "CodeSize", "Description"],
    ...["Timeout", "MemorySize", "LastModified", "CodeSha256", "Version", "Environment"],
    ...["TracingConfig", "RevisionId", "PackageType", "Architectures", "EphemeralStorage"],
    ...["SnapStart", "LoggingConfig"],
  ]);
  expect(entry).toMatchObject({
    FunctionName: "probe",
    FunctionArn: ARN,
    Environment: { Variables: { SECRET: "***" } },
    LastModified: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/),
  });
  expect(list.NextMarker).toBeUndefined();
  const full = JSON.parse((await send(served.url, `${FUNCTIONS}/probe`)).body);
  expect(full.Configuration).toMatchObject({ State: "Active", LastUpdateStatus: "Successful" });
  expect(full.Code.Location).toStartWith("file:///");
  const url = JSON.parse((await send(served.url, "/2021-10-31/functions/probe/url")).body);
  expect(url.FunctionUrl).toBe(`${served.url}/`);
  for (const [path, status] of [
    [`${FUNCTIONS}/probe/configuration`, 200],
    [`${FUNCTIONS}/probe/versions`, 200],
    [`${FUNCTIONS}/probe/aliases`, 200],
    ["/2016-08-19/account-settings", 200],
    [`${FUNCTIONS}/probe/policy`, 501],
    [`${FUNCTIONS}/nobody/policy`, 501],
    [`${FUNCTIONS}/probe/versions/1`, 501],
    ["/2015-03-31/event-source-mappings", 501],
    ["/2015-03-31/tags/arn", 501],
    ["/2018-10-31/layers", 501],
    ["/2025-11-30/capacity-providers", 501],
    ["/2025-12-01/durable-executions/arn/state", 501],
    ["/2026-07-09/resource-policy/arn", 501],
    ["/2026-10-01/runtimes", 501],
    ["/2026-10-01/runtimes/shell/versions/v1", 501],
    ["/2026-04-04/network-connectors", 501],
    ["/2025-03-07/web-functions/site/endpoints/main", 501],
    ["/2025-03-07/web-account-settings", 501],
    ["/2025-09-09/microvms", 501],
    ["/2025-09-09/microvm-images/base", 501],
    ["/2025-09-09/managed-microvm-images", 501],
    // A path of the function's own.
    ["/2026-07-09/runtimes-of-today", 200],
    ["/2026-07-09", 200],
  ] as const) {
    expect((await send(served.url, path)).status).toBe(status);
  }
  const created = await send(served.url, FUNCTIONS, { method: "POST", body: "{}" });
  expect([created.status, created.headers.get("x-amzn-errortype")]).toEqual([
    501,
    "NotImplemented",
  ]);
});

test.each(["0", "-1", "1.5", "many", ""])("a listing of %j items is refused", async (items) => {
  await using served = await serveFunction();
  const response = await send(served.url, `${FUNCTIONS}?MaxItems=${items}`);
  expect([response.status, response.headers.get("x-amzn-errortype")]).toEqual([
    400,
    "InvalidParameterValueException",
  ]);
});

test("a listing has at most 50 functions, and tells where the next one begins", () => {
  const names = Array.from({ length: 120 }, (_, at) => `f${String(at).padStart(3, "0")}`);
  const registry = new FunctionRegistry(
    names.map((name) => new FunctionPool(testSettings({ name }))),
  );
  const options = {
    registry,
    invokeMode: "buffered",
    showVariables: false,
    baseUrl: () => "",
  } as const;
  const pages: string[][] = [];
  for (let marker: string | undefined = ""; marker !== undefined;) {
    const rawQuery: string = `MaxItems=1000${marker === "" ? "" : `&Marker=${marker}`}`;
    const { body } = listFunctions({ rawQuery, requestId: "" } as HttpRequest, options);
    const { Functions, NextMarker } = JSON.parse(String(body));
    pages.push(Functions.map((each: { FunctionName: string }) => each.FunctionName));
    marker = NextMarker;
  }
  expect(pages.map(({ length }) => length)).toEqual([50, 50, 20]);
  expect(pages.flat()).toEqual(names);
});

test("client context, trace and tenant reach the runtime", async () => {
  await using served = await serveFunction();
  const { body } = await invoke(
    served,
    { do: "headers" },
    {
      "X-Amz-Client-Context": Buffer.from('{"custom":{"foo":"bar"}}').toString("base64"),
      "X-Amzn-Trace-Id": "Root=1-5f-a;Sampled=1",
      "X-Amz-Tenant-Id": "blue",
    },
  );
  expect(JSON.parse(body)).toMatchObject({
    "lambda-runtime-client-context": '{"custom":{"foo":"bar"}}',
    "lambda-runtime-trace-id": "Root=1-5f-a;Sampled=1",
    "lambda-runtime-aws-tenant-id": "blue",
  });
});

test.each([
  ["X-Amz-Invocation-Type", "Later", "'Later' at 'invocationType'"],
  ["X-Amz-Log-Type", "All", "'All' at 'logType'"],
  ["X-Amz-Log-Type", "tail", "'tail' at 'logType'"],
  ["X-Amz-Tenant-Id", "a;b", "'a;b' at 'tenantId'"],
  ["X-Amz-Tenant-Id", "t".repeat(257), "at 'tenantId'"],
])("the header %s: %s is refused", async (name, value, words) => {
  await using served = await serveFunction();
  const response = await invoke(served, {}, { [name]: value });
  expect([response.status, response.headers.get("x-amzn-errortype")]).toEqual([
    400,
    "InvalidParameterValueException",
  ]);
  expect(response.body).toContain(words);
});

test.each(["Event", "RequestResponse"])(
  "a durable execution is refused, and the event is not run: %s",
  async (invocationType) => {
    await using served = await serveFunction();
    const response = await invoke(
      served,
      {},
      { "X-Amz-Durable-Execution-Name": "order-1", "X-Amz-Invocation-Type": invocationType },
    );
    expect([response.status, response.headers.get("x-amzn-errortype")]).toEqual([
      501,
      "NotImplemented",
    ]);
    expect(response.body).toContain("X-Amz-Durable-Execution-Name is not emulated by lambda-shell");
    expect(served.log()).toBe("");
  },
);

test.each(["", "/x/history", "/x/checkpoint", "/x/stop"])(
  "operations of durable executions are refused: %s",
  async (path) => {
    await using served = await serveFunction();
    const url = `/2025-12-01/durable-executions${path}`;
    const response = await send(served.url, url, { method: "POST", body: "{}" });
    expect([response.status, response.headers.get("x-amzn-errortype")]).toEqual([
      501,
      "NotImplemented",
    ]);
  },
);

test.each(["Event", "RequestResponse"])(
  "a client context reaches the function only if its caller waits: %s",
  async (invocationType) => {
    await using served = await serveFunction();
    const headers = {
      "X-Amz-Client-Context": Buffer.from('{"custom":{"a":1}}').toString("base64"),
      "X-Amz-Invocation-Type": invocationType,
    };
    // What it was given is in the log where nobody waits for it.
    await invoke(served, { do: "log-headers" }, headers);
    while (!served.log().includes("headers: ")) await Bun.sleep(5);
    expect(served.log().includes("lambda-runtime-client-context")).toBe(
      invocationType === "RequestResponse",
    );
  },
);

test("a caller may choose the request id, if it is a UUID", async () => {
  await using served = await serveFunction();
  const chosen = "0123ABCD-0123-4567-89ab-0123456789ab";
  const response = await invoke(served, { do: "headers" }, { "X-Amzn-RequestId": chosen });
  expect(response.headers.get("x-amzn-requestid")).toBe(chosen);
  expect(JSON.parse(response.body)["lambda-runtime-aws-request-id"]).toBe(chosen);
  for (const wrong of ["7", "0123abcd012345678 9ab0123456789ab", `${chosen}0`]) {
    const refused = await invoke(served, {}, { "X-Amzn-RequestId": wrong });
    expect([refused.status, refused.headers.get("x-amzn-errortype")]).toEqual([
      400,
      "InvalidRequestContentException",
    ]);
  }
});

test.each(["a b", "a.b", "$NEWEST", "q".repeat(129)])(
  "the qualifier %s is refused",
  async (qualifier) => {
    await using served = await serveFunction();
    const query = `?Qualifier=${encodeURIComponent(qualifier)}`;
    const path = `${FUNCTIONS}/probe/invocations${query}`;
    const response = await send(served.url, path, { method: "POST", body: "{}" });
    expect([response.status, response.headers.get("x-amzn-errortype")]).toEqual([
      400,
      "InvalidParameterValueException",
    ]);
  },
);

test.each(["1", "live", "$LATEST", "$LATEST.PUBLISHED"])(
  "the qualifier %s is taken",
  async (qualifier) => {
    await using served = await serveFunction();
    const query = `?Qualifier=${encodeURIComponent(qualifier)}`;
    const path = `${FUNCTIONS}/probe/invocations${query}`;
    expect((await send(served.url, path, { method: "POST", body: "{}" })).status).toBe(200);
  },
);

test("GetFunctionConfiguration shows what the function's template says", async () => {
  const RuntimeArn = "arn:aws-cn:lambda:cn-north-1:123456789012:runtime/shell";
  const configuration = {
    RuntimeConfig: { RuntimeArn, RuntimeAlias: "stable" },
    DurableConfig: { ExecutionTimeout: 60 },
    EphemeralStorage: { Size: 1024 },
    LoggingConfig: { LogFormat: "JSON" },
    TenancyConfig: { TenantIsolationMode: "PER_TENANT" },
  };
  const settings = { runtime: "custom", region: "cn-north-1", snapStart: true, configuration };
  await using served = await serveFunction({ settings });
  const shown = JSON.parse((await send(served.url, `${FUNCTIONS}/probe/configuration`)).body);
  expect(shown).toMatchObject({
    ...configuration,
    FunctionArn: "arn:aws-cn:lambda:cn-north-1:123456789012:function:probe",
    Role: "arn:aws-cn:iam::123456789012:role/local",
    Runtime: "custom",
    RuntimeVersionConfig: { RuntimeVersionArn: `${RuntimeArn}/version/local` },
    SnapStart: { ApplyOn: "PublishedVersions" },
    LoggingConfig: { LogFormat: "JSON", LogGroup: "/aws/lambda/probe" },
  });
});

test("two callers at once are both served", async () => {
  await using served = await serveFunction();
  const responses = await Promise.all([invoke(served, { id: 1 }), invoke(served, { id: 2 })]);
  expect(responses.map(({ body }) => JSON.parse(body).id)).toEqual([1, 2]);
});

test("a stream with a prelude is an HTTP response on a Function URL, as it is written", async () => {
  const adapter = gatewayAdapter("function-url", TEST_NAMES, "response-stream");
  // The orders stand in the body, which this adapter hands on as it is.
  const plain = plainAdapter();
  await using served = await serveFunction({
    adapter: { ...adapter, toRequest: plain.toRequest },
  });
  const event = { do: "stream", prelude: true, lines: 4, ms: 60 };
  const response = await fetch(served.url, { method: "POST", body: JSON.stringify(event) });
  expect(response.status).toBe(201);
  expect(response.headers.get("x-a")).toBe("b");
  expect(response.headers.getSetCookie()).toEqual(["c=d"]);
  const arrivals: number[] = [];
  let text = "";
  for await (const chunk of response.body ?? []) {
    arrivals.push(performance.now());
    text += new TextDecoder().decode(chunk);
  }
  expect(text).toBe("line 1\nline 2\nline 3\nline 4\n");
  expect((arrivals.at(-1) ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(90);
});

test("a stream that fails does not end as if it were whole", async () => {
  await using served = await serveFunction({ adapter: plainAdapter() });
  const response = await fetch(served.url, { method: "POST", body: '{"do":"stream-error"}' });
  expect(response.text()).rejects.toThrow();
});

test("a caller that goes away in the middle of a stream does not stop the function", async () => {
  await using served = await serveFunction({ adapter: plainAdapter() });
  const port = Number(new URL(served.url).port);
  const body = '{"do":"stream","lines":20,"ms":10}';
  const socket = connect(port, "127.0.0.1", () => {
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("data", () => resolve());
  await promise;
  socket.destroy();
  const next = await fetch(served.url, { method: "POST", body: '{"id":1}' });
  expect(await next.text()).toBe('{"id":1,"echo":{"id":1}}');
});
