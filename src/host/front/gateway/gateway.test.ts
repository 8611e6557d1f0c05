import { expect, test } from "bun:test";

import events from "../../../../fixtures/http/gateway-events.json" with { type: "json" };
import responses from "../../../../fixtures/http/gateway-responses.json" with { type: "json" };
import { serveFunction, TEST_NAMES } from "../../../testing/host/running-host.ts";
import type { HttpRequest } from "../../http/message.ts";
import type { InvocationOutcome } from "../../invocation/outcome.ts";
import { gatewayAdapter } from "./adapter.ts";
import { gatewayEvent } from "./event.ts";
import { malformedHint } from "./fault.ts";
import { GATEWAY_KINDS, type GatewayKind, isTextType, matchesMediaType } from "./kinds.ts";
import { gatewayResult } from "./response.ts";

const KINDS = ["function-url", "http-api-v2", "http-api-v1", "rest"] as const;

function request(overrides: Partial<HttpRequest> = {}): HttpRequest {
  const { method, path, query, headers, body, ...ids } = events.request;
  const headerLines = headers.map(([name = "", value = ""]) => [name, value] as const);
  const byName: Record<string, string> = {};
  for (const [name, value] of headerLines) byName[name.toLowerCase()] ??= value;
  return {
    method,
    rawPath: path,
    rawQuery: query,
    headerLines,
    headers: byName,
    body: Buffer.from(body),
    ...ids,
    ...overrides,
  };
}

test.each(KINDS)("gatewayEvent() of the golden request for %s", (kind) => {
  const event = JSON.parse(JSON.stringify(gatewayEvent(kind, request(), TEST_NAMES)));
  expect(event).toEqual(events.events[kind]);
});

test.each([
  ["http-api-v2", "cn-north-1", "local.execute-api.cn-north-1.amazonaws.com.cn"],
  ["http-api-v1", "cn-northwest-1", "local.execute-api.cn-northwest-1.amazonaws.com.cn"],
  ["rest", "eusc-de-east-1", "local.execute-api.eusc-de-east-1.amazonaws.eu"],
  ["rest", "us-gov-west-1", "local.execute-api.us-gov-west-1.amazonaws.com"],
  ["function-url", "eu-west-1", "local.lambda-url.eu-west-1.on.aws"],
] as const)("the domain of %s in %s is %s", (kind, region, domainName) => {
  const { requestContext } = gatewayEvent(kind, request(), { ...TEST_NAMES, region });
  expect(requestContext).toMatchObject({ domainName });
});

test.each(KINDS)("headers with names that every object has keep them in %s", (kind) => {
  const headerLines = [
    ["constructor", "a"],
    ["__proto__", "b"],
  ] as const;
  const { headers } = gatewayEvent(kind, request({ headerLines }), TEST_NAMES);
  expect(Object.entries(headers as object)).toContainEqual(["constructor", "a"]);
  expect(Object.entries(headers as object)).toContainEqual(["__proto__", "b"]);
});

test("TriggerMesh's API_GATEWAY form is the REST event", () => {
  expect(JSON.stringify(gatewayEvent("api-gateway", request(), TEST_NAMES))).toBe(
    JSON.stringify(gatewayEvent("rest", request(), TEST_NAMES)),
  );
});

const bodyOf = (kind: GatewayKind, body: string, contentType: string | undefined) => {
  const headers = contentType === undefined ? {} : { "content-type": contentType };
  const made = gatewayEvent(kind, request({ body: Buffer.from(body), headers }), TEST_NAMES);
  return { body: made["body"], isBase64Encoded: made["isBase64Encoded"] };
};

test.each([
  ["application/json", true],
  ["application/json; charset=UTF-8", true],
  ["text/csv", true],
  ["TEXT/HTML", true],
  ["application/xml", true],
  ["application/javascript", true],
  ["application/x-www-form-urlencoded", false],
  ["multipart/form-data; boundary=x", false],
  ["application/octet-stream", false],
  ["text/plain; charset=iso-8859-1", false],
  [undefined, false],
])("a body of type %s is text: %p", (type, isText) => {
  expect(isTextType(type)).toBe(isText);
  const expected = isText
    ? { body: "a=1", isBase64Encoded: false }
    : { body: Buffer.from("a=1").toString("base64"), isBase64Encoded: true };
  expect(bodyOf("function-url", "a=1", type)).toEqual(expected);
  expect(bodyOf("http-api-v2", "a=1", type)).toEqual(expected);
  expect(bodyOf("http-api-v1", "a=1", type)).toEqual(expected);
});

test("a REST API encodes only the types that it is told of", () => {
  expect(bodyOf("rest", "a=1", "application/x-www-form-urlencoded")).toEqual({
    body: "a=1",
    isBase64Encoded: false,
  });
  expect(bodyOf("rest", "a=1", "image/png").isBase64Encoded).toBe(true);
  expect(matchesMediaType("anything/at-all", ["*/*"])).toBe(true);
  expect(matchesMediaType("Image/PNG; q=1", ["image/png"])).toBe(true);
  expect(matchesMediaType("image/png", ["Image/*"])).toBe(true);
  expect(matchesMediaType(undefined, ["image/*"])).toBe(false);
});

const forwardedBy = (kind: GatewayKind, lines: readonly (readonly [string, string])[]) => {
  const headers = Object.fromEntries(lines.map(([name, value]) => [name.toLowerCase(), value]));
  const event = gatewayEvent(
    kind,
    request({ headerLines: lines, headers, sourceIp: "192.0.2.7" }),
    TEST_NAMES,
  );
  const made = Object.entries(event["headers"] as Record<string, string>);
  return Object.fromEntries(
    made
      .map(([name, value]) => [name.toLowerCase(), value] as const)
      .filter(([name]) => name.startsWith("x-forwarded-")),
  );
};

test.each(KINDS)("%s: what the sender says of the connection does not count", (kind) => {
  const edge = { "x-forwarded-port": "443", "x-forwarded-proto": "https" };
  expect(forwardedBy(kind, [])).toEqual({ "x-forwarded-for": "192.0.2.7", ...edge });
  const lines = [
    ["X-Forwarded-Proto", "http"],
    ["X-Forwarded-Port", "8080"],
    ["x-forwarded-for", "198.51.100.1"],
    ["X-Forwarded-For", "203.0.113.2, 203.0.113.3"],
    ["X-Forwarded-Host", "kept.example"],
  ] as const;
  expect(forwardedBy(kind, lines)).toEqual({
    "x-forwarded-for": "198.51.100.1, 203.0.113.2, 203.0.113.3, 192.0.2.7",
    "x-forwarded-host": "kept.example",
    ...edge,
  });
});

test("TriggerMesh's form encodes what is not UTF-8, and nothing else", () => {
  expect(bodyOf("api-gateway", "\ufffd", "text/plain")).toEqual({
    body: "\ufffd",
    isBase64Encoded: false,
  });
  const bytes = request({ body: Uint8Array.of(0xff) });
  expect(gatewayEvent("api-gateway", bytes, TEST_NAMES)).toMatchObject({
    body: "/w==",
    isBase64Encoded: true,
  });
});

test("without body, query and cookies their members are absent (2.0) or null (1.0)", () => {
  const bare = request({ body: new Uint8Array(0), rawQuery: "", headerLines: [], headers: {} });
  const url = gatewayEvent("function-url", bare, TEST_NAMES);
  expect(Object.keys(url)).not.toContainAnyValues(["body", "cookies", "queryStringParameters"]);
  expect(url).toMatchObject({ rawQueryString: "", isBase64Encoded: false });
  for (const kind of ["http-api-v1", "rest"] as const) {
    expect(gatewayEvent(kind, bare, TEST_NAMES)).toMatchObject({
      body: null,
      queryStringParameters: null,
      multiValueQueryStringParameters: null,
    });
  }
});

test("an HTTP API cuts its decoded path off at a question mark", () => {
  const event = gatewayEvent("http-api-v2", request({ rawPath: "/a%3Fb/c" }), TEST_NAMES);
  expect(event["rawPath"]).toBe("/a");
});

for (const { name, payload, responses: expected, ...rest } of responses.cases) {
  test.each(KINDS)(`gatewayResult() of ${name} for %s`, (kind) => {
    const accept = "accept" in rest ? rest.accept : undefined;
    const accepted = matchesMediaType(accept, ["image/*"]);
    const result = gatewayResult(kind, Buffer.from(payload), accepted);
    const seen = result.kind === "response" && {
      status: result.status,
      headers: result.headers.map(([header, value]) => [header, value]),
      body: Buffer.from(result.body).toString(),
    };
    const wanted: unknown = expected[kind];
    if (wanted === "malformed") expect(result.kind).toBe("malformed");
    else expect(seen as unknown).toEqual(wanted);
  });
}

test.each(GATEWAY_KINDS)("%s takes the statuses that end a request, and no others", (kind) => {
  for (let status = 0; status <= 700; status += 1) {
    const result = gatewayResult(kind, Buffer.from(`{"statusCode":${status}}`));
    expect(result.kind).toBe(status >= 200 && status <= 599 ? "response" : "malformed");
  }
});

test("a Function URL sends a body that is an object with its digits", () => {
  const body = '{"id": 12345678901234567890, "f": 1.0, "e": 1e400, "text": "a  b"}';
  const result = gatewayResult("function-url", Buffer.from(`{"statusCode":200,"body":${body}}`));
  expect(result.kind === "response" && Buffer.from(result.body).toString()).toBe(
    '{"id":12345678901234567890,"f":1.0,"e":1e400,"text":"a  b"}',
  );
});

/** A value in which a function that calls itself for each level would end the stack. */
const DEEP = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;

test.each([
  ["rest", "Hello", { kind: "not-json" }],
  ["api-gateway", "Hello", { kind: "not-json" }],
  ["rest", '{"id":1}', { kind: "no-envelope" }],
  ["rest", "[]", { kind: "no-envelope" }],
  ["rest", "{}", { kind: "no-envelope" }],
  ["http-api-v1", '{"body":"x"}', { kind: "no-envelope" }],
  ["rest", '{"statusCode":200,"id":1}', { kind: "unknown-member", name: "id" }],
  ["rest", '{"StatusCode":200,"id":1}', { kind: "unknown-member", meant: "statusCode" }],
  ["http-api-v1", '{"StatusCode":200}', { kind: "unknown-member", meant: "statusCode" }],
  ["http-api-v2", '{"statusCode":"200"}', { kind: "status", value: "200", text: false }],
  ["function-url", '{"statusCode":"ok"}', { kind: "status", value: "ok", text: true }],
  ["http-api-v2", '{"statusCode":200,"body":{"id":1}}', { kind: "body", value: { id: 1 } }],
  ["rest", '{"statusCode":200,"body":7}', { kind: "body", value: 7 }],
  ["function-url", '{"statusCode":200,"headers":["a"]}', { kind: "headers", value: ["a"] }],
  ["rest", '{"multiValueHeaders":{"a":"b"}}', { kind: "multi-value-headers" }],
  ["rest", '{"headers":{"a":"b","c":["d"]}}', { kind: "header", name: "c", value: ["d"] }],
  [
    "function-url",
    '{"statusCode":200,"headers":{"a":{"toString":1}}}',
    { kind: "header", name: "a" },
  ],
  ["http-api-v2", '{"statusCode":200,"cookies":["a=b",[]]}', { kind: "header", name: "cookies" }],
  [
    "http-api-v1",
    '{"statusCode":200,"multiValueHeaders":{"a":["b",{}]}}',
    { kind: "header", name: "a" },
  ],
] as const)("gatewayResult() for %s tells what is wrong with %s", (kind, payload, fault) => {
  expect(gatewayResult(kind, Buffer.from(payload))).toMatchObject({ kind: "malformed", fault });
});

test.each([
  ["statusCode", `{"statusCode":${DEEP}}`, "has the statusCode a list and"],
  [
    "headers",
    `{"statusCode":200,"headers":{"a":${DEEP}}}`,
    'has a list in place of text for "a" and',
  ],
  [
    "cookies",
    `{"statusCode":200,"cookies":[${DEEP}]}`,
    'has a list in place of text for "cookies" and',
  ],
])("a value without end of %s is told", (_, payload, words) => {
  const result = gatewayResult("function-url", Buffer.from(payload));
  if (result.kind !== "malformed") throw new Error("it is taken for a response");
  expect(malformedHint("function-url", result.fault, Buffer.from(payload))).toContain(words);
});

test("values of headers that are not text are as they were: numbers, booleans, null", () => {
  const payload = '{"statusCode":200,"headers":{"a":1,"b":true,"c":null},"cookies":[1]}';
  const result = gatewayResult("function-url", Buffer.from(payload));
  expect(result).toMatchObject({
    headers: [
      ["Set-Cookie", "1"],
      ["a", "1"],
      ["b", "true"],
      ["c", "null"],
      ["Content-Type", "application/json"],
    ],
  });
});

test("every kind responds over HTTP, and a function error is each one's own", async () => {
  const errors: Readonly<Record<GatewayKind, readonly [number, string]>> = {
    "function-url": [502, "Internal Server Error"],
    "http-api-v2": [500, '{"message":"Internal Server Error"}'],
    "http-api-v1": [500, '{"message":"Internal Server Error"}'],
    rest: [502, '{"message": "Internal server error"}'],
    "api-gateway": [502, '{"message": "Internal server error"}'],
  };
  for (const kind of GATEWAY_KINDS) {
    await using served = await serveFunction({ gateway: kind });
    // The scripted client takes its orders from the event; an event of HTTP has none, so it echoes.
    const response = await fetch(`${served.url}/x?y=1`, { headers: { "x-probe": "1" } });
    const text = await response.text();
    if (kind === "function-url" || kind === "http-api-v2" || kind === "api-gateway") {
      expect(response.status).toBe(200);
      expect(JSON.parse(text).echo.headers["x-probe"]).toBe("1");
    } else {
      // Its echo has no statusCode, which these two call malformed.
      expect([response.status, text]).toEqual([...errors[kind]]);
      expect(served.messages.join()).toContain("and the front end is");
    }
    const names = [...response.headers.keys()].map((each) => each.toLowerCase());
    expect(names).toContain(kind.startsWith("http-api") ? "apigw-requestid" : "x-amzn-requestid");
  }
});

test.each(KINDS)("%s: of one header in several spellings the last counts, cookies all", (kind) => {
  const headers = {
    "content-type": "text/plain",
    "Content-Type": "text/html",
    "Set-Cookie": "a=1",
    "set-cookie": "b=2",
    "X-A": "1",
  };
  const payload = Buffer.from(JSON.stringify({ statusCode: 200, headers, body: "" }));
  expect(gatewayResult(kind, payload)).toMatchObject({
    headers: [
      ["Content-Type", "text/html"],
      ["Set-Cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["X-A", "1"],
    ],
  });
});

test.each(["function-url", "http-api-v2", "http-api-v1", "rest", "api-gateway"] as const)(
  "a response with very many headers does not keep %s from others",
  (kind) => {
    const names = Array.from({ length: 100_000 }, (_, at) => `x-${at}`);
    const headers = Object.fromEntries(names.map((name) => [name, "1"]));
    const multiValueHeaders = Object.fromEntries(names.map((name) => [name, ["1", "2"]]));
    const event = { statusCode: 200, headers, multiValueHeaders, body: "" };
    const result = gatewayResult(kind, Buffer.from(JSON.stringify(event)));
    const all = result.kind === "response" ? result.headers.length : 0;
    const values = /v2|url/.test(kind) ? 1 : 2;
    expect(all).toBe(values * names.length + 1);
  },
);

const REPORT = {
  ...{ requestId: "a", durationMs: 1, memorySizeMb: 128, maxMemoryUsedMb: 30, environment: 0 },
  ...{ log: new Uint8Array(0), initDurationMs: undefined },
};

/** What a developer is told, by the log, of a response. */
async function told(kind: GatewayKind, outcome: InvocationOutcome) {
  const { log, status } = await gatewayAdapter(kind, TEST_NAMES).toResponse(outcome, request());
  return { log, status };
}

const responseOf = (body: string): InvocationOutcome => ({
  ...{ kind: "response", contentType: undefined, report: REPORT },
  body: Buffer.from(body),
});

test.each([
  ['{"statusCode":200,"body":"a"}\ndone\n', "offset 30: unexpected"],
  ['started\n{"statusCode":200,"body":"a"}', "offset 0: unexpected"],
  ['{"statusCode":200,"body":"a\nb"}', "offset 25: a string without its closing quote"],
  ["{'statusCode': 404}", "offset 1: "],
  ["{statusCode:200}", "offset 1: "],
])("a response that is not JSON is told where it may be plain: %j", async (body, why) => {
  for (const kind of ["function-url", "http-api-v2"] as const) {
    const { log, status } = await told(kind, responseOf(body));
    expect(status).toBe(200);
    expect(log?.level).toBe("warning");
    expect(log?.message).toStartWith(`the response has a statusCode, but is not JSON: ${why}`);
  }
});

test.each(["hello", '{"statusCode":200}', '{"a":{"statusCode":1}}', '"statusCode: 1"', "", "\xff"])(
  "nothing is told of %j, which is as it is",
  async (body) => {
    expect((await told("function-url", responseOf(body))).log).toBeUndefined();
  },
);
