/** The rules of TriggerMesh's invoker; layer/PRIOR-SYSTEMS.md lists them. */

import { expect, test } from "bun:test";

import { EVENT_BYTES_MAX } from "../runtime-api/contract.ts";
import { startSink } from "../testing/event-sink.ts";
import { serveFunction } from "../testing/host/running-host.ts";
import { triggermesh, triggermeshAdapter, type TriggermeshOptions } from "./triggermesh.ts";

const OPTIONS: TriggermeshOptions = {
  cloudEvents: true,
  defaults: { type: "ce.klr.triggermesh.io", source: "knative-lambda-runtime", subject: "unused" },
  responseMode: "data",
  bodyBytesMax: 1_000,
};

const serve = (options: Partial<TriggermeshOptions> = {}, more: object = {}) =>
  serveFunction({ adapter: triggermeshAdapter({ ...OPTIONS, ...options }), ...more });

const CE_JSON = "application/cloudevents+json";

async function post(url: string, body: unknown, headers: Record<string, string> = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const response = await fetch(url, { method: "POST", body: text, headers });
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    text: await response.text(),
  };
}

const JSON_TYPE = { "Content-Type": "application/json" };

/** The headers of `/next` for a request, as the function got them. */
async function nextHeaders(url: string, body: unknown, headers: Record<string, string>) {
  return JSON.parse((await post(url, body, headers)).text).data as Record<string, string>;
}

test("the headers of /next", async () => {
  await using served = await serve({ cloudEvents: false });
  const headers = JSON.parse((await post(served.url, { do: "headers" })).text);
  expect(headers).toMatchObject({
    "lambda-runtime-aws-request-id": expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4/),
    "lambda-runtime-deadline-ms": expect.stringMatching(/^\d{13}$/),
    "lambda-runtime-trace-id": "0",
  });
});

test("an error is 500 and goes through the same conversion; plain/text without", async () => {
  await using served = await serve();
  const failed = await post(served.url, { do: "error" }, JSON_TYPE);
  expect([failed.status, failed.type]).toEqual([500, CE_JSON]);
  expect(JSON.parse(failed.text).data).toEqual({ errorType: "Asked", errorMessage: "to fail" });
  await using plain = await serve({ cloudEvents: false });
  expect(await post(plain.url, { do: "error" })).toEqual({
    status: 500,
    type: "plain/text",
    text: '{"errorType":"Asked","errorMessage":"to fail"}',
  });
});

test("too large is 413; late is 410, with the converted event, converted", async () => {
  await using served = await serve({}, { settings: { timeoutMs: 300 } });
  expect(await post(served.url, "x".repeat(1_001))).toMatchObject({
    status: 413,
    text: "http: request body too large\n",
  });
  const event = { specversion: "1.0", id: "1", source: "/s", type: "t", data: { do: "hang" } };
  const late = await post(served.url, event, { "Content-Type": CE_JSON });
  expect([late.status, late.type]).toEqual([410, CE_JSON]);
  expect(JSON.parse(late.text)).toMatchObject({
    datacontenttype: "text/plain",
    data: 'Deadline is reached, data {"do":"hang"}',
  });
});

test("a limit above Lambda's own is Lambda's", async () => {
  await using served = await serve({ bodyBytesMax: 10_000_000 });
  const response = await post(served.url, "x".repeat(EVENT_BYTES_MAX + 1));
  expect([response.status, response.text]).toEqual([413, "http: request body too large\n"]);
});

test("an invalid event is 500; an invalid reply keeps the function's status", async () => {
  await using served = await serve({ responseMode: "event" });
  const wrong = await post(served.url, "no JSON", { "Content-Type": CE_JSON });
  expect(wrong.status).toBe(500);
  expect(wrong.text).toMatch(/^structured CloudEvent parse error: .*\n$/);
  const response = await post(served.url, { do: "body", text: "[1]" }, JSON_TYPE);
  expect([response.status, response.type]).toEqual([200, CE_JSON]);
  expect(response.text).toStartWith(
    "Response conversion error: cannot unmarshal function response into binary CE: ",
  );
});

test("the sink gets every reply, empty ones and errors too; its own status is ignored", async () => {
  const sink = await startSink(() => 503);
  const lenient = triggermesh.serve.sink(sink.url, () => {});
  await using served = await serve({}, { server: { sink: lenient } });
  const asked = async (event: unknown) => {
    const { status, text } = await post(served.url, event, JSON_TYPE);
    return [status, text];
  };
  expect(await asked({ id: 1 })).toEqual([200, ""]);
  expect(await asked({ do: "empty" })).toEqual([200, ""]);
  expect(await asked({ do: "error" })).toEqual([500, ""]);
  expect(sink.received.map(({ type }) => type)).toEqual([CE_JSON, CE_JSON, CE_JSON]);
  expect(sink.received.map(({ body }) => (body === "" ? "" : JSON.parse(body).data))).toEqual([
    { id: 1, echo: { id: 1 } },
    "",
    { errorType: "Asked", errorMessage: "to fail" },
  ]);
  await sink.close();
  expect(await asked({ id: 2 })).toEqual([500, ""]);
});

test("the context of an event, from both modes", async () => {
  await using served = await serve();
  const structured = { source: "test", number: 5, data: { do: "headers" } };
  const one = await nextHeaders(served.url, structured, {
    "Content-Type": `${CE_JSON}; charset=utf-8`,
  });
  expect(one["lambda-runtime-cloudevents-context"]).toBe('{"number":"5","source":"test"}');
  expect(one["lambda-runtime-client-context"]).toBe('{"custom":{"number":"5","source":"test"}}');
  const binary = { ...JSON_TYPE, "ce-source": "test", "CE-Type": "t" };
  const two = await nextHeaders(served.url, { do: "headers" }, binary);
  expect(two["lambda-runtime-cloudevents-context"]).toBe('{"source":"test","type":"t"}');
  const none = await nextHeaders(served.url, { do: "headers" }, JSON_TYPE);
  expect(none["lambda-runtime-client-context"]).toBe('{"custom":{}}');
  const text = { "Content-Type": "text/plain", "ce-source": "test" };
  const three = await nextHeaders(served.url, { do: "headers" }, text);
  expect(three["lambda-runtime-cloudevents-context"]).toBeUndefined();
});

test.each([
  ['{"source":"test","data":{"foo":"bar"}}', '{"foo":"bar"}'],
  ['{"source":"test","data": [ 1.0 , "<>" ]}', '[1.0,"<>"]'],
  // The scripted client says of `null` that its text was so.
  ['{"source":"test"}', '{"text":"null"}'],
])("of the structured event %s the function gets %s", async (event, data) => {
  await using served = await serve();
  const response = await post(served.url, event, { "Content-Type": CE_JSON });
  expect(response.text).toContain(`"echo":${JSON.stringify(JSON.parse(data))}`);
});

test("no response, and no type, is an empty reply", async () => {
  await using served = await serve();
  expect(await post(served.url, { do: "empty" }, JSON_TYPE)).toEqual({
    status: 200,
    type: CE_JSON,
    text: "",
  });
  await using silent = await serve({ defaults: { ...OPTIONS.defaults, type: "" } });
  expect((await post(silent.url, { id: 1 }, JSON_TYPE)).text).toBe("");
});

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";

test.each([
  ['{"a":1}', "application/json", '{"a":1}'],
  [" [1, 2]\n", "application/json", "[1, 2]"],
  ['"hello"', "text/plain", '"hello"'],
  [' ""hello""\n', "text/plain", '"hello"'],
  ["{no json}", "text/plain", '"{no json}"'],
  ["5", "text/plain", '"5"'],
])("the response %j becomes an event of type %s with the data %s", async (text, type, data) => {
  await using served = await serve();
  const response = await post(served.url, { do: "body", text }, JSON_TYPE);
  const [, written, kind, sent] =
    new RegExp(
      `^\\{("specversion":"1\\.0","id":"${UUID}","source":"knative-lambda-runtime",` +
        `"type":"ce\\.klr\\.triggermesh\\.io"),"datacontenttype":"([^"]+)","time":"[^"]+Z","data":(.*)\\}$`,
    ).exec(response.text) ?? [];
  expect(written).toBeDefined();
  expect([kind, sent]).toEqual([type, data]);
});

test("bytes that are not text become text", async () => {
  await using served = await serve();
  const response = await post(served.url, { do: "bytes", text: "AP8=" }, JSON_TYPE);
  expect(JSON.parse(response.text)).toMatchObject({
    datacontenttype: "text/plain",
    data: "\0\ufffd",
  });
});

test("a whole event is completed, what it has is kept, members are sorted", async () => {
  await using served = await serve({ responseMode: "event" });
  const text = '{"type": "mine", "data": {"z": 1, "a": 2}, "zone": "x", "specversion": "0.3"}';
  const response = await post(served.url, { do: "body", text }, JSON_TYPE);
  expect(response.text).toMatch(
    new RegExp(
      `^\\{"data":\\{"z":1,"a":2\\},"id":"${UUID}","source":"knative-lambda-runtime",` +
        `"specversion":"0\\.3","time":"[-\\d]+T[:\\d]+Z","type":"mine","zone":"x"\\}$`,
    ),
  );
});

test("an attribute that is a list or an object, which no CloudEvent has, reaches the function as JSON", async () => {
  await using served = await serve();
  const event = {
    source: "test",
    list: [1, [2]],
    object: { toString: 1 },
    data: { do: "headers" },
  };
  const seen = await nextHeaders(served.url, event, { "Content-Type": CE_JSON });
  expect(JSON.parse(seen["lambda-runtime-cloudevents-context"] ?? "")).toMatchObject({
    list: "[1,[2]]",
    object: '{"toString":1}',
  });
});
