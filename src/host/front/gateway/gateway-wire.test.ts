/** What functions return, as callers of each front end get it over the wire. */

import { expect, test } from "bun:test";

import { rawExchange, unchunked } from "../../../testing/host/raw-exchange.ts";
import { type RunningHost, serveFunction, TEST_NAMES } from "../../../testing/host/running-host.ts";
import type { Adapter, InvokeMode } from "../adapter.ts";
import { gatewayAdapter } from "./adapter.ts";
import { GATEWAY_KINDS, type GatewayKind } from "./kinds.ts";

/** A front end whose function gets the request's body alone, which tells it what to return. */
function obeying(kind: GatewayKind, mode?: InvokeMode): Adapter {
  const adapter = gatewayAdapter(kind, TEST_NAMES, mode);
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

/** What a function that passes on another server's answer copies. */
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
    const answer = await streams(served, JSON.stringify({ statusCode: 200, headers }));
    expect(unchunked(answer.body)).toBe(LINES);
    expect(answer.headers).toMatchObject({
      "transfer-encoding": "chunked",
      "x-amzn-remapped-content-length": "3",
      "x-kept": "yes",
    });
    expect(answer.headers["content-length"]).toBeUndefined();
  }
  const multiple = { multiValueHeaders: { "Content-Length": ["3"], "Transfer-Encoding": ["x"] } };
  const answer = await streams(served, JSON.stringify(multiple));
  expect([unchunked(answer.body), answer.headers["content-length"]]).toEqual([LINES, undefined]);
});

test.each([100, 101, 103, 99, 600])(
  "statusCode %i is no answer: the caller gets an error",
  async (status) => {
    for (const mode of ["buffered", "response-stream"] as const) {
      await using served = await serveFunction({ adapter: obeying("function-url", mode) });
      const result = JSON.stringify({ statusCode: status });
      const answer =
        mode === "buffered" ? await returns(served, result) : await streams(served, result);
      expect([answer.status, answer.body]).toEqual([502, "Internal Server Error"]);
      expect(served.messages).toEqual([
        `error: response has the statusCode ${status} and the front door is a Function URL; ` +
          `AWS answers 502 here\n  got: ${result}\n  return a whole number from 200 to 599`,
      ]);
      // The environment is free again, also of a stream that nobody read.
      expect((await returns(served, '{"statusCode":299}')).status).toBe(
        mode === "buffered" ? 299 : 200,
      );
    }
  },
);
