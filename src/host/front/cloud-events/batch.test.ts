import { expect, test } from "bun:test";

import { serveFunction } from "../../../testing/host/running-host.ts";
import { type CloudEventOptions, cloudEventsAdapter } from "./adapter.ts";

const OPTIONS: CloudEventOptions = {
  defaults: { type: "made", source: "/here", subject: undefined },
  input: "data",
  output: "auto",
  responseMode: "data",
  bodyBytesMax: 1_000_000,
  batch: true,
};

const serve = (options: Partial<CloudEventOptions> = {}) =>
  serveFunction({ adapter: cloudEventsAdapter({ ...OPTIONS, ...options }) });

const BATCH = "application/cloudevents-batch+json";

const event = (id: string, data: unknown) =>
  `{"specversion":"1.0","id":"${id}","source":"/s","type":"t","data":${JSON.stringify(data)}}`;

function post(url: string, body: string, headers: Record<string, string> = {}) {
  return fetch(url, { method: "POST", body, headers: { "Content-Type": BATCH, ...headers } });
}

test("a batch is an invocation for each event, in order, and its reply a batch", async () => {
  await using served = await serve();
  const slow = event("a", { do: "slow-echo", ms: 50, id: 1 });
  const response = await post(
    served.url,
    `[ ${slow} ,\n${event("b", { do: "empty" })},${event("c", { id: 3 })}]`,
    { "Content-Type": "Application/CloudEvents-Batch+JSON; charset=UTF-8" },
  );
  expect([response.status, response.headers.get("content-type")]).toEqual([200, BATCH]);
  const responses = (await response.json()) as { data: { id: number }; type: string; id: string }[];
  expect(responses.map(({ data, type }) => [data.id, type])).toEqual([
    [1, "made"],
    [3, "made"],
  ]);
  expect(new Set(responses.map(({ id }) => id)).size).toBe(2);
});

test("each event of a batch has a request id and the attributes of its own", async () => {
  await using served = await serve();
  const both = `[${event("a", { do: "headers" })},${event("b", { do: "headers" })}]`;
  const responses = (await (await post(served.url, both)).json()) as {
    data: Record<string, string>;
  }[];
  const contexts = responses.map(({ data }) =>
    JSON.parse(data["lambda-runtime-cloudevents-context"] ?? ""),
  );
  expect(contexts.map(({ id }) => id)).toEqual(["a", "b"]);
  expect(new Set(responses.map(({ data }) => data["lambda-runtime-aws-request-id"])).size).toBe(2);
});

test("the first event that fails ends the batch, and its failure is the reply", async () => {
  await using served = await serve();
  const bodies = [{ do: "log", text: "one" }, { do: "error" }, { do: "log", text: "three" }];
  const response = await post(
    served.url,
    `[${bodies.map((data, at) => event(String(at), data)).join(",")}]`,
  );
  expect(response.status).toBe(500);
  expect(await response.json()).toEqual({
    message: "event 2 of 3 failed; those before it were run, those after it were not",
    cause: '{"errorType":"Asked","errorMessage":"to fail"}',
  });
  expect(served.log()).toContain("one");
  expect((await post(served.url, `[${event("4", { id: 4 })}]`)).status).toBe(200);
  expect(served.log()).not.toContain("three");
});

test("an empty batch, and one without replies, is 202 without a body", async () => {
  await using served = await serve();
  const empty = await post(served.url, " [ ] ");
  expect([empty.status, await empty.text()]).toEqual([202, ""]);
  const silent = await post(served.url, `[${event("a", { do: "empty" })}]`);
  expect([silent.status, await silent.text()]).toEqual([202, ""]);
  await using mute = await serve({ output: "none" });
  expect((await post(mute.url, `[${event("a", { id: 1 })}]`)).status).toBe(202);
});

test("the JSON form stands in a batch also where binary replies are wanted", async () => {
  await using served = await serve({ output: "binary" });
  const response = await post(served.url, `[${event("a", { id: 1 })}]`);
  expect(response.headers.get("content-type")).toBe(BATCH);
  expect(await response.json()).toMatchObject([{ data: { id: 1 } }]);
});

test.each([
  ["{}", "not a valid batch: the body is not a JSON array"],
  ["[1]", "not a valid batch: event 1: the body is not a JSON object"],
  [
    `[${event("a", { do: "log", text: "begun" })},{"specversion":"1.0"}]`,
    "not a valid batch: event 2: id is missing or empty",
  ],
  ["[{},]", "not a valid batch: the body is not a JSON array"],
])("the batch %s is refused whole: %s", async (body, message) => {
  await using served = await serve();
  const response = await post(served.url, body);
  expect([response.status, await response.json()]).toEqual([400, { message }]);
  expect(served.log()).not.toContain("begun");
});

test("batches are refused with 415 unless they are allowed, and but in JSON", async () => {
  await using served = await serve({ batch: false });
  const refused = await post(served.url, `[${event("a", {})}]`);
  expect(refused.status).toBe(415);
  expect(await refused.json()).toEqual({
    message:
      "batches of CloudEvents are not taken here: send the events one by one, or serve with --ce-batch",
  });
  await using taking = await serve();
  const avro = { "Content-Type": "application/cloudevents-batch+avro" };
  expect((await post(taking.url, "[]", avro)).status).toBe(415);
});

test("a reply goes only to those who prefer one, where that is required", async () => {
  await using served = await serve({ requirePreferReply: true });
  const single = (headers: Record<string, string>) =>
    post(served.url, event("a", { id: 1 }), {
      "Content-Type": "application/cloudevents+json",
      ...headers,
    });
  const untold = await single({});
  expect([untold.status, await untold.text()]).toEqual([202, ""]);
  expect((await single({ Prefer: "respond-async, wait=10" })).status).toBe(202);
  for (const value of ["reply", "wait=10, Reply", "reply; x=1, foo"]) {
    const told = await single({ Prefer: value });
    expect(told.status).toBe(200);
    expect(await told.json()).toMatchObject({ data: { id: 1 } });
  }
  expect((await post(served.url, `[${event("a", { id: 1 })}]`)).status).toBe(202);
  const batch = await post(served.url, `[${event("a", { id: 1 })}]`, { Prefer: "reply" });
  expect(batch.status).toBe(200);
  expect((await single({ Prefer: "reply" })).status).toBe(200);
});

test("the web hook handshake grants any sender, and runs nothing", async () => {
  await using served = await serve();
  const headers = {
    "WebHook-Request-Origin": "eventemitter.example.com",
    "WebHook-Request-Rate": "120",
    "WebHook-Request-Callback": "https://example.com/confirm",
  };
  const response = await fetch(served.url, { method: "OPTIONS", headers });
  expect(response.status).toBe(200);
  expect(response.headers.get("webhook-allowed-origin")).toBe("*");
  expect(response.headers.get("webhook-allowed-rate")).toBe("*");
  expect(response.headers.get("allow")).toBe("POST");
  expect(await response.text()).toBe("");
  expect(served.pool.counts.busy).toBe(0);
});

test("metrics tell events apart by type and source, in every mode", async () => {
  await using served = await serve();
  const structured = { "Content-Type": "application/cloudevents+json" };
  await post(served.url, event("a", { id: 1 }), structured);
  await post(served.url, `[${event("b", { id: 2 })},${event("c", { id: 3 })}]`);
  const metrics = await (await fetch(`${served.url}/_lambda-shell/metrics`)).text();
  expect(metrics).toContain('event_type="t",event_source="/s"} 3\n');
});
