/** What functions return, as callers of each front end get it over the wire. */

import { expect, test } from "bun:test";

import { rawExchange, unchunked } from "../../../testing/host/raw-exchange.ts";
import { type RunningHost, serveFunction, TEST_NAMES } from "../../../testing/host/running-host.ts";
import type { Adapter, InvokeMode } from "../adapter.ts";
import { gatewayAdapter } from "./adapter.ts";
import { GATEWAY_KINDS, type GatewayKind, type GatewayNames } from "./kinds.ts";

/** A front end whose function gets the request's body alone, which tells it what to return. */
function obeying(kind: GatewayKind, mode?: InvokeMode, names: GatewayNames = TEST_NAMES): Adapter {
  const adapter = gatewayAdapter(kind, names, mode);
  return {
    ...adapter,
    toRequest: (request) => {
      const adapted = adapter.toRequest(request);
      if (adapted.kind !== "invoke") return adapted;
      return { ...adapted, request: { ...adapted.request, event: request.body } };
    },
  };
}

/** The function returns this text. */
const returns = (served: RunningHost, text: string, method = "POST") =>
  rawExchange(served.url, `${method} /`, [], JSON.stringify({ do: "body", text }));

/** The function streams a prelude and three lines. */
const streams = (served: RunningHost, prelude: string) =>
  rawExchange(
    served.url,
    "POST /",
    [],
    JSON.stringify({ do: "stream", prelude: true, head: prelude }),
  );

const LINES = "line 1\nline 2\nline 3\n";

/** What a function that passes on another server's response copies. */
const COPIED = {
  "transfer-encoding": "chunked",
  Connection: "keep-alive, X-Hop",
  "X-Hop": "1",
  "Keep-Alive": "timeout=5",
  Trailer: "x",
  Upgrade: "h2c",
  TE: "trailers",
  "Proxy-Connection": "close",
  "Content-Length": "3",
  "X-Kept": "yes",
};

const HOPS = [
  "transfer-encoding",
  "x-hop",
  "keep-alive",
  "trailer",
  "upgrade",
  "te",
  "proxy-connection",
];

test.each(GATEWAY_KINDS)(
  "%s: headers of the function's own connection stay behind",
  async (kind) => {
    await using served = await serveFunction({ adapter: obeying(kind) });
    const copied = await returns(
      served,
      JSON.stringify({ statusCode: 200, headers: COPIED, body: "hello" }),
    );
    expect([copied.status, copied.body]).toEqual([200, "hello"]);
    expect(copied.headers).toMatchObject({ "content-length": "5", "x-kept": "yes" });
    expect(Object.keys(copied.headers)).not.toContainAnyValues(HOPS);
    expect(copied.headers["connection"]).toBe("close");
    const empty = await returns(served, JSON.stringify({ statusCode: 204, headers: COPIED }));
    expect([empty.status, empty.body, empty.headers["content-length"]]).toEqual([
      204,
      "",
      undefined,
    ]);
  },
);

test("a prelude's headers do not change how the stream is framed", async () => {
  const adapter = obeying("function-url", "response-stream");
  await using served = await serveFunction({ adapter });
  for (const encoding of ["identity", "chunked", "gzip, chunked"]) {
    const headers = { ...COPIED, "transfer-encoding": encoding };
    const response = await streams(served, JSON.stringify({ statusCode: 200, headers }));
    expect(unchunked(response.body)).toBe(LINES);
    expect(response.headers).toMatchObject({
      "transfer-encoding": "chunked",
      "x-amzn-remapped-content-length": "3",
      "x-kept": "yes",
    });
    expect(response.headers["content-length"]).toBeUndefined();
  }
  const multiple = { multiValueHeaders: { "Content-Length": ["3"], "Transfer-Encoding": ["x"] } };
  const response = await streams(served, JSON.stringify(multiple));
  expect([unchunked(response.body), response.headers["content-length"]]).toEqual([
    LINES,
    undefined,
  ]);
});

test.each([100, 101, 103, 99, 600])(
  "statusCode %i is not a response: the caller gets an error",
  async (status) => {
    for (const mode of ["buffered", "response-stream"] as const) {
      await using served = await serveFunction({ adapter: obeying("function-url", mode) });
      const result = JSON.stringify({ statusCode: status });
      const response =
        mode === "buffered" ? await returns(served, result) : await streams(served, result);
      expect([response.status, response.body]).toEqual([502, "Internal Server Error"]);
      expect(served.messages).toEqual([
        `error: response has the statusCode ${status} and the front end is a Function URL; ` +
          `AWS responds with 502 here\n  got: ${result}\n  return a whole number from 200 to 599`,
      ]);
      // The environment is free again, also of a stream that nobody read.
      expect((await returns(served, '{"statusCode":299}')).status).toBe(
        mode === "buffered" ? 299 : 200,
      );
    }
  },
);

const INTEGRATION = "application/vnd.awslambda.http-integration-response";

test.each([
  ["stream-error", "one that says so"],
  ["stream-break", "one that breaks off"],
  ["stream-and-die", "one whose runtime dies"],
  ["stream-and-hang", "one that takes too long"],
])("a stream that fails before its prelude is whole is an error: %s, %s", async (action) => {
  const adapter = obeying("function-url", "response-stream");
  await using served = await serveFunction({ adapter, settings: { timeoutMs: 1_000 } });
  for (const chunks of [['{"statusCode":'], ["{", `"x":"${"y".repeat(5_000)}"}`]]) {
    const event = JSON.stringify({ do: action, type: INTEGRATION, chunks });
    const response = await rawExchange(served.url, "POST /", [], event);
    expect([response.status, response.body]).toEqual([502, "Internal Server Error"]);
    expect(response.headers["x-amzn-requestid"]).toMatch(/^[0-9a-f-]{36}$/);
  }
  expect((await returns(served, "x")).status).toBe(200);
});

test.each([
  ["error", {}, "Function.Asked: to fail"],
  ["exit", {}, "Runtime.ExitError: Runtime exited without providing a reason"],
  ["hang", {}, "Sandbox.Timedout: Task timed out after 1.00 seconds"],
  ["stream-error", { type: INTEGRATION, chunks: ["{"] }, ""],
  ["stream-and-die", { type: INTEGRATION, chunks: ["{"] }, "Runtime.ExitError: "],
  ["stream-and-hang", { type: INTEGRATION, chunks: ["{"] }, "Sandbox.Timedout: Task timed out"],
])(
  "why the function failed is in the log where its caller is not told: %s",
  async (action, more, why) => {
    for (const kind of ["function-url", "http-api-v2", "rest"] as const) {
      const adapter = obeying(kind, "response-stream");
      await using served = await serveFunction({ adapter, settings: { timeoutMs: 1_000 } });
      const event = JSON.stringify({ do: action, ...more });
      const response = await rawExchange(served.url, "POST /", [], event);
      expect(response.status).toBeGreaterThanOrEqual(500);
      expect(response.body.toLowerCase()).toContain("internal server error");
      expect(served.messages).toEqual([
        expect.stringContaining(`error: the function failed: ${why}`),
      ]);
    }
  },
);

test.each([
  ["stream-error", ""],
  ["stream-break", "Runtime.TruncatedResponse: The response was truncated"],
  ["stream-and-die", "Runtime.ExitError: "],
  ["stream-and-hang", "Sandbox.Timedout: Task timed out after 1.00 seconds"],
])("why a response broke off after its beginning is in the log: %s", async (action, why) => {
  const adapter = obeying("function-url", "response-stream");
  await using served = await serveFunction({ adapter, settings: { timeoutMs: 1_000 } });
  const event = JSON.stringify({ do: action, type: "text/plain", chunks: ["begun"] });
  const request = fetch(`${served.url}/a?b`, { method: "POST", body: event });
  await expect(request.then((response) => response.text())).rejects.toThrow();
  while (served.messages.length === 0) await Bun.sleep(1);
  expect(served.messages).toEqual([
    expect.stringContaining(`error: the response to POST /a broke off: ${why}`),
  ]);
});

test("a stream without a prelude reaches the caller as it is written", async () => {
  const adapter = obeying("function-url", "response-stream");
  await using served = await serveFunction({ adapter, settings: { timeoutMs: 60_000 } });
  for (const type of ["text/event-stream", "application/json"]) {
    const event = { do: "stream-and-hang", type, chunks: ["{", "first"] };
    const gone = new AbortController();
    const request = { method: "POST", body: JSON.stringify(event), signal: gone.signal };
    const response = await fetch(served.url, request);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
    // It has no end: what is written comes in one piece or in two.
    const reader = response.body?.getReader();
    let text = "";
    while (text.length < "{first".length) {
      const { value, done = true } = (await reader?.read()) ?? {};
      if (done) break;
      text += Buffer.from(value ?? []).toString();
    }
    expect(text).toBe("{first");
    gone.abort();
    served.pool.reload();
  }
});

const MIB = 1024 * 1024;

/** Invokes the function by Lambda's API. */
const invoked = (served: RunningHost, event: object) =>
  fetch(`${served.url}/2015-03-31/functions/probe/invocations`, {
    method: "POST",
    body: JSON.stringify(event),
  });

test.each(GATEWAY_KINDS)("%s, buffered: a streamed response comes whole", async (kind) => {
  await using served = await serveFunction({ adapter: obeying(kind) });
  const head = JSON.stringify({ statusCode: 201, headers: { "x-a": "b" }, cookies: ["c=d"] });
  const response = await streams(served, head);
  expect([response.status, response.body, response.headers["x-a"]]).toEqual([201, LINES, "b"]);
  expect(response.headers["content-length"]).toBe(String(LINES.length));
  expect(response.headers["transfer-encoding"]).toBeUndefined();
});

test("a Function URL, buffered, reads a streamed response without a prelude as any other", async () => {
  await using served = await serveFunction({ adapter: obeying("function-url") });
  const event = { do: "stream-chunks", chunks: ['{"statusCode":', '203,"body":"x"}'] };
  const response = await rawExchange(served.url, "POST /", [], JSON.stringify(event));
  expect([response.status, response.body]).toEqual([203, "x"]);
});

test.each([
  ["just as much as a response may have", 6 * MIB + 100, false],
  ["one byte more", 6 * MIB + 101, true],
  ["7 MB", 7 * MIB, true],
  ["20 MB", 20 * MIB, true],
])("what is not streamed to the caller has a limit: %s", async (_what, size, isTooLarge) => {
  await using served = await serveFunction({ adapter: obeying("function-url") });
  const event = { do: "stream", lines: 1, size: size - 1 };
  const direct = await invoked(served, event);
  const body = await direct.text();
  expect(direct.headers.get("x-amz-function-error")).toBe(isTooLarge ? "Unhandled" : null);
  if (isTooLarge) {
    expect(JSON.parse(body)).toEqual({
      errorMessage: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
      errorType: "Function.ResponseSizeTooLarge",
    });
  } else {
    expect(body.length).toBe(size);
  }
  const url = await fetch(served.url, { method: "POST", body: JSON.stringify(event) });
  expect(url.status).toBe(isTooLarge ? 502 : 200);
  expect((await url.text()).length).toBe(isTooLarge ? 21 : size);
  // The environment is free again.
  expect((await returns(served, '{"statusCode":204}')).status).toBe(204);
});

test("a Function URL that streams lets more through", async () => {
  await using served = await serveFunction({
    adapter: obeying("function-url", "response-stream"),
  });
  const event = { do: "stream", lines: 7, size: MIB };
  const response = await fetch(served.url, { method: "POST", body: JSON.stringify(event) });
  expect((await response.text()).length).toBe(7 * (MIB + 1));
});

const LATIN = Buffer.from("caf\u00e9", "latin1");

test.each([
  ["function-url", "application/json", LATIN, "such as application/octet-stream"],
  [
    "http-api-v2",
    "text/plain",
    Bun.gzipSync(Buffer.from("{}")),
    "such as application/octet-stream",
  ],
  ["http-api-v1", "application/xml", LATIN, "such as application/octet-stream"],
  ["rest", "application/octet-stream", LATIN, "--binary-media-types"],
] as const)("%s says that a body of %s is damaged, as on AWS", async (kind, type, body, fix) => {
  await using served = await serveFunction({ gateway: kind });
  await fetch(served.url, { method: "POST", body, headers: { "Content-Type": type } });
  expect(served.messages[0]).toStartWith(
    `warning: the body of type ${type} is not UTF-8: it reaches the function damaged, with U+FFFD `,
  );
  expect(served.messages[0]).toContain(fix);
});

test.each([
  ["function-url", "application/octet-stream"],
  ["function-url", "text/plain; charset=iso-8859-1"],
  ["rest", "image/png"],
  ["api-gateway", "text/plain"],
] as const)("%s says nothing of a body of %s, which arrives whole", async (kind, type) => {
  await using served = await serveFunction({ gateway: kind });
  await fetch(served.url, { method: "POST", body: LATIN, headers: { "Content-Type": type } });
  expect(served.messages.filter((each) => each.includes("UTF-8"))).toEqual([]);
});

const UNDECODABLE =
  "warning: the response has isBase64Encoded true and a body that is not base64: what cannot be decoded " +
  "is left out here\n  encode all of it, without line ends: base64 -w0";
const notBoolean = (value: string) =>
  `warning: the response has isBase64Encoded ${value}, which is not true: the caller gets the base64\n` +
  '  return it without quotes: {"isBase64Encoded":true}';

test.each([
  ["function-url", '"aGk=","isBase64Encoded":true', "hi", undefined],
  ["function-url", '"aGk","isBase64Encoded":true', "hi", undefined],
  ["function-url", '"","isBase64Encoded":true', "", undefined],
  ["function-url", '"a b","isBase64Encoded":false', "a b", undefined],
  ["function-url", '"a b","isBase64Encoded":"false"', "a b", undefined],
  ["function-url", '"aG\\nk=","isBase64Encoded":true', "hi", UNDECODABLE],
  ["http-api-v2", '"hello world","isBase64Encoded":true', undefined, UNDECODABLE],
  ["http-api-v1", '"aGk=aGk=","isBase64Encoded":true', undefined, UNDECODABLE],
  ["api-gateway", '"{}","isBase64Encoded":true', "", UNDECODABLE],
  ["function-url", '"aGk=","isBase64Encoded":"true"', "aGk=", notBoolean('"true"')],
  ["rest", '"aGk=","isBase64Encoded":1', "aGk=", notBoolean("1")],
] as const)("%s with the body %s sends %j, and says %j", async (kind, members, body, said) => {
  await using served = await serveFunction({ adapter: obeying(kind) });
  const response = await returns(served, `{"statusCode":200,"body":${members}}`);
  if (body !== undefined) expect(response.body).toBe(body);
  expect(response.status).toBe(200);
  expect(served.messages).toEqual(said === undefined ? [] : [said]);
});

test.each([
  [[], "*/*", "  name them: --binary-media-types 'image/*', in a template BinaryMediaTypes"],
  [
    ["image/*", "font/woff"],
    "text/html",
    "  a caller gets the bytes whose Accept begins with one of: image/*, font/woff",
  ],
])(
  "a REST API with the binary types %j sends base64 to a caller that accepts %s, and says why",
  async (binaryMediaTypes, accept, fix) => {
    await using served = await serveFunction({
      adapter: obeying("rest", "buffered", { ...TEST_NAMES, binaryMediaTypes }),
    });
    const text = '{"body":"aGk=","isBase64Encoded":true}';
    const body = JSON.stringify({ do: "body", text });
    const response = await rawExchange(served.url, "POST /", [`Accept: ${accept}`], body);
    expect(response.body).toBe("aGk=");
    expect(served.messages).toEqual([
      "hint: the caller gets the body as base64: its Accept is not one of the binary media types, " +
        `as on AWS\n${fix}`,
    ]);
  },
);

test("a REST API says nothing where the caller accepts a binary type, and decodes", async () => {
  await using served = await serveFunction({ adapter: obeying("rest") });
  const text = '{"body":"aGk=","isBase64Encoded":true}';
  const body = JSON.stringify({ do: "body", text });
  const response = await rawExchange(served.url, "POST /", ["Accept: image/png"], body);
  expect(response.body).toBe("hi");
  expect(served.messages).toEqual([]);
});

const NO_EFFECT = "of the response has no effect behind this front end, as on AWS\n  return ";
const LOST_HEADERS = `hint: multiValueHeaders ${NO_EFFECT}{"headers":{"X-Name":"a, b"},"cookies":["a=1","b=2"]}`;
const LOST_COOKIES = `hint: cookies ${NO_EFFECT}{"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]}}`;

test.each([
  ["function-url", '"multiValueHeaders":{"Set-Cookie":["a=1"]}', LOST_HEADERS],
  ["http-api-v2", '"headers":{"a":"1"},"multiValueHeaders":{"A":["1"],"b":["2"]}', LOST_HEADERS],
  ["http-api-v1", '"cookies":["a=1"]', LOST_COOKIES],
  ["rest", '"cookies":["a=1"],"multiValueHeaders":{"a":["1"]}', LOST_COOKIES],
  // Both forms at once are for both front ends.
  ["function-url", '"headers":{"a":"1"},"multiValueHeaders":{"A":["1","2"]}', undefined],
  ["http-api-v2", '"cookies":["a=1"],"multiValueHeaders":{"set-cookie":["a=1"]}', undefined],
  ["http-api-v1", '"cookies":["a=1"],"multiValueHeaders":{"set-cookie":["a=1"]}', undefined],
  ["function-url", '"multiValueHeaders":{}', undefined],
  ["function-url", '"multiValueHeaders":null', undefined],
  ["rest", '"cookies":[]', undefined],
  ["api-gateway", '"cookies":["a=1"],"multiValueHeaders":{"a":["1"]}', undefined],
] as const)("%s with the members %s says %j", async (kind, members, said) => {
  await using served = await serveFunction({ adapter: obeying(kind) });
  expect((await returns(served, `{"statusCode":200,"body":"x",${members}}`)).status).toBe(200);
  expect(served.messages).toEqual(said === undefined ? [] : [said]);
});
