import { expect, test } from "bun:test";

import { startSink } from "../../testing/event-sink.ts";
import {
  CURL_LOOP,
  functionFolder,
  SCRIPTED,
  startTool,
  tool,
} from "../../testing/running-tool.ts";

const SERVE = ["serve", "--port", "0", "--metrics-port", "0", "--workers", "1"];

const CE_JSON = "application/cloudevents+json";

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body, headers });

test("the CloudEvents example of TriggerMesh's invoker gives a valid event of that type", async () => {
  const environment = { RESPONSE_FORMAT: "CLOUDEVENTS", CE_TYPE: "go-klr-cloudevent" };
  await using served = await startTool([...SERVE, ...SCRIPTED], { environment });
  expect(served.errors()).toContain(
    "warning: CE_TYPE is an old name for CE_OVERRIDES_TYPE (using it)",
  );
  const response = await post(served.url, '{"id":1}');
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/cloudevents+json");
  expect(await response.json()).toEqual({
    specversion: "1.0",
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    source: "knative-lambda-runtime",
    type: "go-klr-cloudevent",
    datacontenttype: "application/json",
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    data: { id: 1, echo: { id: 1 } },
  });
});

test("CloudEvents: TriggerMesh's context, modes of the reply, statuses for a Knative sender", async () => {
  const environment = {
    RESPONSE_FORMAT: "CLOUDEVENTS",
    CE_OVERRIDES_TYPE: "reply",
    FUNCTION_TTL: "1",
  };
  await using served = await startTool([...SERVE, ...SCRIPTED], { environment });
  const ce = { "ce-specversion": "1.0", "ce-id": "7", "ce-source": "/src", "ce-type": "asked" };
  const json = { "content-type": "application/json" };
  const binary = await post(served.url, '{"do":"headers"}', { ...ce, ...json });
  expect(binary.headers.get("ce-type")).toBe("reply");
  expect(binary.headers.get("content-type")).toBe("application/json");
  const context = JSON.parse(
    ((await binary.json()) as Record<string, string>)["lambda-runtime-cloudevents-context"] ?? "",
  );
  expect(context).toMatchObject({ id: "7", source: "/src", type: "asked", specversion: "1.0" });
  const event = { specversion: "1.0", id: "1", source: "/s", type: "t", data: { id: 3 } };
  const type = { "content-type": "application/cloudevents+json; charset=UTF-8" };
  const structured = await post(served.url, JSON.stringify(event), type);
  expect(((await structured.json()) as { data: unknown }).data).toEqual({ id: 3, echo: { id: 3 } });
  const bytes = await post(served.url, '{"do":"bytes","text":"AP8="}', { ...ce, ...json });
  expect(bytes.headers.get("content-type")).toBe("application/octet-stream");
  expect(Buffer.from(await bytes.arrayBuffer())).toEqual(Buffer.of(0x00, 0xff));
  const statuses = async (body: unknown, headers: Record<string, string>) =>
    (await post(served.url, JSON.stringify(body), headers)).status;
  expect(await statuses({ do: "empty" }, { ...ce, ...json })).toBe(202);
  expect(await statuses({ do: "error" }, { ...ce, ...json })).toBe(500);
  expect(await statuses({ do: "hang" }, { ...ce, ...json })).toBe(504);
  expect(await statuses({ ...event, specversion: "0.3" }, type)).toBe(400);
  expect(await statuses([event], { "content-type": "application/cloudevents-batch+json" })).toBe(
    415,
  );
  const hook = await fetch(served.url, {
    method: "OPTIONS",
    headers: { "WebHook-Request-Origin": "example.com" },
  });
  expect([hook.status, hook.headers.get("webhook-allowed-origin")]).toEqual([200, "*"]);
});

test("the request of `func invoke` is understood", async () => {
  await using served = await startTool([...SERVE, "--format", "cloudevents", ...SCRIPTED]);
  const response = await post(served.url, '{"message":"Hello World"}', {
    "Content-Type": "application/json",
    "Ce-Id": "2f1d1c9e-7d9f-4a2e-bf1a-6e5b7c8d9e0f",
    "Ce-Source": "/boson/fn",
    "Ce-Specversion": "1.0",
    "Ce-Type": "boson.fn",
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    echo: { type: "boson.fn", source: "/boson/fn", data: { message: "Hello World" } },
  });
});

test.each([
  [{ K_SERVICE: "x" }, 3],
  [{ RESPONSE_FORMAT: "PLAIN" }, 10],
  [{ RESPONSE_FORMAT: "PLAIN", FUNCTION_TTL: "1m" }, 60],
])("with %j an event may take %i s", async (environment, seconds) => {
  const args = [...SERVE, "--host", "127.0.0.1", ...SCRIPTED];
  await using served = await startTool(args, { environment });
  const url = `${served.url}/2015-03-31/functions/function/configuration`;
  expect(await (await fetch(url)).json()).toMatchObject({ Timeout: seconds });
});

test("K_SERVICE and RESPONSE_FORMAT without values open the server and its variables to nobody", async () => {
  const environment = { K_SERVICE: "", RESPONSE_FORMAT: "", SECRET: "told" };
  const folder = functionFolder({ "function.sh": 'handler() { echo "${SECRET-kept}"; }\n' });
  await using served = await startTool([...SERVE, folder, ...CURL_LOOP], { environment });
  expect(served.errors()).toContain("listening 127.0.0.1:");
  expect(await (await post(served.url, "{}")).text()).toBe("kept");
});

test("API_GATEWAY works both ways", async () => {
  const environment = {
    RESPONSE_FORMAT: "API_GATEWAY",
    FUNCTION_TTL: "10s",
    REQUEST_SIZE_LIMIT: "1",
  };
  const folder = functionFolder({
    "function.sh":
      'handler() { printf \'{"statusCode":201,"headers":{"x-a":"b"},"body":"%s"}\' "${#1}"; printf \'%s\' "$1" >&2; }\n',
  });
  await using served = await startTool([...SERVE, folder, ...CURL_LOOP], { environment });
  const response = await post(`${served.url}/some/path?a=1&a=2`, "hello", {
    "content-type": "text/plain",
  });
  expect([response.status, response.headers.get("x-a")]).toEqual([201, "b"]);
  expect(Number(await response.text())).toBeGreaterThan(100);
  await served.logged('"httpMethod":"POST"');
  expect(served.errors()).toContain('"path":"/some/path"');
  expect(served.errors()).toContain('"multiValueQueryStringParameters":{"a":["1","2"]}');
  expect(served.errors()).toContain('"body":"hello"');
  const large = await post(served.url, "x".repeat(1_000_001), { "content-type": "text/plain" });
  expect([large.status, await large.text()]).toEqual([413, '{"message":"Request Too Long"}']);
});

test("K_SINK gets the reply, the caller its status", async () => {
  let status = 200;
  const sink = await startSink(() => status);
  const { received } = sink;
  const environment = { K_SINK: sink.url };
  await using served = await startTool([...SERVE, "--format", "plain", ...SCRIPTED], {
    environment,
  });
  const response = await post(served.url, '{"id":1}');
  expect([response.status, await response.text()]).toEqual([200, ""]);
  expect(received).toEqual([{ type: "application/json", body: '{"id":1,"echo":{"id":1}}' }]);
  // What is not a reply, and a failure, which the caller can send again, are not sent on.
  expect((await post(served.url, '{"do":"empty"}')).status).toBe(200);
  const failed = await post(served.url, '{"do":"error"}');
  expect([failed.status, await failed.json()]).toEqual([
    500,
    { errorType: "Asked", errorMessage: "to fail" },
  ]);
  expect(received.length).toBe(1);
  status = 400;
  expect((await post(served.url, '{"id":2}')).status).toBe(502);
  await served.logged("warning: failed to deliver to ");
  await sink.close();
});

test("--ce-batch: each event's reply goes to the sink on its own; the sender gets 202", async () => {
  const sink = await startSink();
  const args = [...SERVE, "--format", "cloudevents", "--ce-batch", "--require-prefer-reply"];
  await using served = await startTool([...args, "--sink", sink.url, ...SCRIPTED]);
  const event = { specversion: "1.0", source: "/s", type: "t", data: {} };
  const batch = JSON.stringify([
    { ...event, id: "1" },
    { ...event, id: "2" },
  ]);
  const type = { "content-type": "application/cloudevents-batch+json" };
  const response = await post(served.url, batch, type);
  expect([response.status, await response.text()]).toEqual([202, ""]);
  expect(sink.received.map((each) => each.type)).toEqual([CE_JSON, CE_JSON]);
  expect(sink.received.map(({ body }) => JSON.parse(body).data.echo.id)).toEqual(["1", "2"]);
  await sink.close();
});

test("health, readiness, metrics, and an end without loss on SIGTERM", async () => {
  await using served = await startTool([...SERVE, "--format", "plain", ...SCRIPTED]);
  const get = async (path: string) => (await fetch(`${served.url}${path}`)).status;
  expect(await get("/health/liveness")).toBe(200);
  await post(served.url, "{}");
  expect(await get("/health/readiness")).toBe(200);
  const slow = post(served.url, '{"do":"slow-echo","ms":400,"id":8}');
  const metrics = await (await fetch(`${served.url}/_lambda-shell/metrics`)).text();
  expect(metrics).toContain(
    'function_event_processing_success_count{name="",resource_group="functions.extensions.triggermesh.io",namespace_name="",event_type="plain-http",event_source="unknown"} 1\n',
  );
  expect(metrics).toContain("lambda_shell_cold_starts_total 1\n");
  expect(metrics).toContain('lambda_shell_workers{state="ready"}');
  while (!served.errors().includes("START RequestId") || (await get("/health/readiness")) !== 200);
  const stopped = served.stop();
  await Bun.sleep(100);
  expect(await get("/health/readiness")).toBe(503);
  expect((await post(served.url, "{}")).status).toBe(503);
  expect(await (await slow).text()).toContain('"id":8');
  expect(await stopped).toBe(0);
});

test("metrics have a port of their own; one that is taken is a warning", async () => {
  const free = Bun.serve({ port: 0, fetch: () => new Response() });
  const port = free.port ?? 0;
  await free.stop(true);
  const environment = {
    METRICS_PROMETHEUS_PORT: String(port),
    K_COMPONENT: "worker",
    NAME: "greeter",
    NAMESPACE: "team",
    RESOURCE_GROUP: "example.com",
  };
  const args = ["serve", "--port", "0", "--workers", "1", ...SCRIPTED];
  await using served = await startTool(args, { environment });
  await post(served.url, "{}", { "ce-type": "asked", "ce-source": "/s" });
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(await response.text()).toContain(
    'worker_event_processing_success_count{name="greeter",resource_group="example.com",' +
      'namespace_name="team",event_type="asked",event_source="/s"} 1\n',
  );
  await using other = await startTool(args, { environment });
  await other.logged("warning: metrics are at /_lambda-shell/metrics only: ");
  await other.logged(`port ${port} on 127.0.0.1 is in use by pid ${served.pid} (`);
  await other.logged(`\n  use --metrics-port ${port + 1}\n`);
  expect((await post(other.url, "{}")).status).toBe(200);
});

test("a port that is taken, a wrong format, a wrong time: one line and a status", async () => {
  await using served = await startTool([...SERVE, ...SCRIPTED]);
  const port = new URL(served.url).port;
  const taken = await tool(["serve", "--port", port, "--metrics-port", "0", ...SCRIPTED]);
  expect(taken.status).toBe(5);
  expect(taken.errors).toMatch(
    new RegExp(
      `^error: port ${port} on 127\\.0\\.0\\.1 is in use by pid \\d+ \\([\\w.-]+\\)\n  use --port`,
    ),
  );
  for (const name of ["XML", "constructor"]) {
    const format = await tool(SERVE, { environment: { RESPONSE_FORMAT: name } });
    expect(format).toMatchObject({
      status: 2,
      errors: `error: RESPONSE_FORMAT=${name} is not one of API_GATEWAY, CLOUDEVENTS, FUNCTION_URL, HTTP_API_V2, PLAIN\n`,
    });
  }
  const size = await tool(SERVE, { environment: { REQUEST_SIZE_LIMIT: "5M" } });
  expect(size).toMatchObject({
    status: 2,
    errors: "error: REQUEST_SIZE_LIMIT=5M is not a size: set megabytes, such as 5, or unset it\n",
  });
  const time = await tool([...SERVE, "--timeout", "soon"]);
  expect(time).toMatchObject({
    status: 2,
    errors: 'error: --timeout: "soon" is not a duration between 1ms and 30m\n',
  });
  const typo = await tool(["serve", "--prot", "9"]);
  expect(typo.status).toBe(2);
  expect(typo.errors).toContain("(Did you mean --port?)");
});

test.each([
  "http://localhost:3000",
  "https://a.example",
  "http://[::1]:8080",
  "chrome-extension://abcdefgh",
  "null",
])("--cors takes the origin %s as a browser sends it", async (origin) => {
  await using served = await startTool([
    ...SERVE,
    "--cors",
    `https://b.example, ${origin}`,
    ...SCRIPTED,
  ]);
  const response = await post(served.url, "{}", { origin });
  expect(response.headers.get("access-control-allow-origin")).toBe(origin);
});
