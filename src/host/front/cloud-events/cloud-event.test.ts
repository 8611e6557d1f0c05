import { expect, test } from "bun:test";

import { CloudEvent as SdkEvent, HTTP } from "cloudevents";

import type { HttpRequest } from "../../http/message.ts";
import {
  completeEvent,
  formatStructured,
  isCloudEventJson,
  parseStructured,
  wrapData,
} from "./cloud-event.ts";
import { cloudEventResponse, decodeHeader, encodeHeader, readCloudEvent } from "./http.ts";

const BASE = { specversion: "1.0", id: "1", source: "/s", type: "t" };

function http(
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array = "",
): HttpRequest {
  const lower = Object.fromEntries(Object.entries(headers).map(([n, v]) => [n.toLowerCase(), v]));
  return {
    method: "POST",
    rawPath: "/",
    rawQuery: "",
    headerLines: Object.entries(headers),
    headers: lower,
    body: Buffer.from(body),
    sourceIp: "127.0.0.1",
    receivedAtMs: 0,
    requestId: "r",
    traceId: "t",
  };
}

const BINARY = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" };

function structured(event: unknown, type = "application/cloudevents+json") {
  return readCloudEvent(http({ "Content-Type": type }, JSON.stringify(event)));
}

/** An event through its JSON form and back, as JSON. */
function roundTrip(json: string): string {
  const result = parseStructured(Buffer.from(json));
  return result.kind === "event" ? formatStructured(result.event) : `invalid: ${result.reason}`;
}

test.each([
  ["null", "null"],
  ["0", "0"],
  ["false", "false"],
  ['""', '""'],
  ['"a string, not parsed again: {}"', '"a string, not parsed again: {}"'],
  ["9007199254740993", "9007199254740993"],
  ["[1.0, 1e400]", "[1.0, 1e400]"],
  ['{"a":{"b":["}",{}]}}', '{"a":{"b":["}",{}]}}'],
])("JSON data %s stays as it is written", (data, kept) => {
  const json = `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":${data}}`;
  expect(roundTrip(json)).toBe(
    `{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"application/json","data":${kept}}`,
  );
});

test.each([
  [{ ...BASE, specversion: "0.3" }, 'specversion is "0.3", only "1.0" is supported'],
  [{ ...BASE, id: "" }, "id is missing or empty"],
  [{ ...BASE, id: null }, "id is missing or empty"],
  [{ ...BASE, source: undefined }, "source is missing or empty"],
  [{ ...BASE, source: "not a uri" }, "source is not a URI"],
  [{ ...BASE, type: 5 }, "type is missing or empty"],
  [{ ...BASE, time: "yesterday" }, "time is not RFC 3339"],
  ...["2019-02-29", "2100-02-29", "2026-04-31", "2026-11-31", "2026-02-30"].map(
    (day) => [{ ...BASE, time: `${day}T00:00:00Z` }, "time is not RFC 3339"] as const,
  ),
  [{ ...BASE, subject: "" }, "subject is empty"],
  [{ ...BASE, Upper: "x" }, '"Upper" is not an attribute name'],
  ...[2 ** 31, -(2 ** 31) - 1, 0.5].map(
    (number) => [{ ...BASE, number }, "number is not a 32-bit integer"] as const,
  ),
  [{ ...BASE, ext: {} }, "ext is not an attribute value"],
  [{ ...BASE, data: 1, data_base64: "AA==" }, "data and data_base64 are both given"],
  [{ ...BASE, data_base64: "%%" }, "data_base64 is not base64"],
  [{ ...BASE, datacontenttype: "text/plain", data: {} }, "data of type text/plain is not a string"],
])("the event %j is refused: %s", (event, reason) => {
  expect(structured(event)).toEqual({ kind: "invalid", reason });
});

test.each([
  "2026-07-10T19:19:06.123456789Z",
  "2026-07-10t19:19:06z",
  "2026-07-10T19:19:06+05:30",
  "1990-12-31T23:59:60Z",
])("the time %s is kept verbatim", (time) => {
  expect(roundTrip(JSON.stringify({ ...BASE, time }))).toContain(`"time":"${time}"`);
});

test.each([
  ["application/cloudevents+json; charset=UTF-8", "event"],
  ["application/cloudevents+json;charset=utf-8", "event"],
  ["Application/CloudEvents+JSON", "event"],
  ["application/cloudevents-batch+json", "batch"],
  ["application/cloudevents+avro", "unsupported"],
  ["application/json", "plain"],
])("a request of type %s is read as %s", (type, kind) => {
  expect(structured(BASE, type).kind).toBe(kind as "event");
});

test("binary mode needs all four attributes, and takes any extension", () => {
  const { "ce-type": _type, ...three } = BINARY;
  expect(readCloudEvent(http(three, "{}"))).toEqual({ kind: "plain", missing: ["ce-type"] });
  expect(readCloudEvent(http({ "ce-other": "x" }))).toEqual({ kind: "plain", missing: [] });
  const read = readCloudEvent(
    http({ ...BINARY, "Content-Type": "application/json", "ce-Traceparent": "00-x" }, '{"a":1}'),
  );
  expect(read.kind === "event" && formatStructured(read.event)).toBe(
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","traceparent":"00-x",' +
      '"datacontenttype":"application/json","data":{"a":1}}',
  );
});

test.each([
  ["text/plain", "hi", '"data":"hi"'],
  ["Text/Plain; charset=utf-8", "hi", '"data":"hi"'],
  ["application/XML", "<a/>", '"data":"<a/>"'],
  ["image/svg+xml", "<svg/>", '"data":"<svg/>"'],
  ["text/plain", Uint8Array.of(255), '"data_base64":"/w=="'],
  ["image/png", Uint8Array.of(0, 255), '"data_base64":"AP8="'],
  ["application/json", "not json", '"data_base64":"bm90IGpzb24="'],
])("binary data of type %s", (type, body, member) => {
  const read = readCloudEvent(http({ ...BINARY, "Content-Type": type }, body));
  const json = read.kind === "event" ? formatStructured(read.event) : read.kind;
  expect(json).toEndWith(`"datacontenttype":${JSON.stringify(type)},${member}}`);
});

test.each([
  ["Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"],
  ["%2541", "%41"],
  ["100%", "100%"],
  ["100% raw", "100% raw"],
  ['"quoted \\" string"', 'quoted " string'],
])("the header %j is the value %j", (header, value) => {
  expect(decodeHeader(header)).toBe(value);
});

test("a header that is not UTF-8 is refused", () => {
  expect(decodeHeader("%C0%A0")).toBeUndefined();
  expect(readCloudEvent(http({ ...BINARY, "ce-subject": "%C0%A0" })).kind).toBe("invalid");
});

test("header values are encoded as the specification's example", () => {
  expect(encodeHeader("Euro € 😀")).toBe("Euro%20%E2%82%AC%20%F0%9F%98%80");
  expect(encodeHeader('a"b%c~')).toBe("a%22b%25c~");
});

const SAMPLES = [
  { ...BASE, data: { a: [1, "two", null] } },
  { ...BASE, subject: "sub", time: "2026-07-10T19:19:06.000Z", data: { a: 1 } },
  { ...BASE, datacontenttype: "text/plain", data: "plain text" },
  { ...BASE, ext: "x", number: 5, flag: true, data: [1] },
  { ...BASE, dataschema: "https://example.com/schema", data: { deep: { er: true } } },
];

test.each(SAMPLES)("the SDK reads the structured form of %j as we do", (sample) => {
  const ours = roundTrip(JSON.stringify(sample));
  const message = { headers: { "content-type": "application/cloudevents+json" }, body: ours };
  const read = HTTP.toEvent(message) as SdkEvent<unknown>;
  expect({ id: read.id, source: read.source, type: read.type }).toEqual({
    id: "1",
    source: "/s",
    type: "t",
  });
  expect(read.data).toEqual(sample.data);
});

test.each(SAMPLES)("we read what the SDK writes of %j, in both modes", (sample) => {
  const sdk = new SdkEvent(sample as ConstructorParameters<typeof SdkEvent>[0]);
  for (const message of [HTTP.binary(sdk), HTTP.structured(sdk)]) {
    const headers = Object.fromEntries(
      Object.entries(message.headers).map(([name, value]) => [name, String(value)]),
    );
    const read = readCloudEvent(http(headers, String(message.body)));
    expect(read.kind).toBe("event");
    const text = read.kind === "event" ? formatStructured(read.event) : "{}";
    expect(JSON.parse(text)).toMatchObject({ id: "1", source: "/s", type: "t", data: sample.data });
  }
});

test.each(SAMPLES)("the SDK reads our binary form of %j", (sample) => {
  const parsed = parseStructured(Buffer.from(JSON.stringify(sample)));
  if (parsed.kind !== "event") throw new Error(parsed.kind);
  const response = cloudEventResponse(parsed.event, "binary");
  const headers = Object.fromEntries(response.headers.map(([n, v]) => [n.toLowerCase(), v]));
  const body = Buffer.from(response.body as Uint8Array).toString();
  const read = HTTP.toEvent({ headers, body }) as SdkEvent<unknown>;
  expect(read.id).toBe("1");
  expect(read.data).toEqual(sample.data);
});

const DEFAULTS = { type: "made", source: "/here", subject: undefined };

test("wrapData() keeps JSON objects, makes text of all else", () => {
  expect(formatStructured(wrapData(Buffer.from(' {"a":9007199254740993}\n'), DEFAULTS))).toMatch(
    /^\{"specversion":"1\.0","id":"[0-9a-f-]{36}","source":"\/here","type":"made","datacontenttype":"application\/json","time":"[^"]+Z","data":\{"a":9007199254740993\}\}$/,
  );
  const text = JSON.parse(formatStructured(wrapData(Buffer.from('"hello"\n'), DEFAULTS)));
  expect(text).toMatchObject({ datacontenttype: "text/plain", data: "hello" });
  expect(text.subject).toBeUndefined();
});

test("wrapData() leaves bytes that are not UTF-8 as they are", () => {
  const bytes = Uint8Array.of(0x00, 0xff, 0x22, 0x0a);
  const event = wrapData(bytes, DEFAULTS);
  expect(JSON.parse(formatStructured(event))).toMatchObject({
    datacontenttype: "application/octet-stream",
    data_base64: "AP8iCg==",
  });
  const response = cloudEventResponse(event, "binary");
  expect(response.headers).toContainEqual(["Content-Type", "application/octet-stream"]);
  expect(response.body).toEqual(bytes);
  // An event is JSON, which is UTF-8.
  const latin1 = Buffer.from('{"specversion":"1.0","subject":"é"}', "latin1");
  expect(isCloudEventJson(latin1)).toBe(false);
  expect(completeEvent(latin1, DEFAULTS).kind).toBe("invalid");
  expect(isCloudEventJson(Buffer.from('\ufeff{"specversion":"1.0"}'))).toBe(true);
});

test("completeEvent() fills in only what is missing", () => {
  const completed = completeEvent(Buffer.from('{"type":"mine","data":{"b":1}}'), DEFAULTS);
  if (completed.kind !== "event") throw new Error(completed.reason);
  expect(JSON.parse(formatStructured(completed.event))).toMatchObject({
    specversion: "1.0",
    type: "mine",
    source: "/here",
    data: { b: 1 },
  });
  expect(completeEvent(Buffer.from("[1]"), DEFAULTS).kind).toBe("invalid");
});
