/** Replies that go to a sink: each arrives there whole, or its caller learns that it has not. */

import { expect, test } from "bun:test";

import { startSink } from "../../testing/event-sink.ts";
import { serveFunction } from "../../testing/host/running-host.ts";
import { plainAdapter } from "./adapter.ts";
import { Sink } from "./sink.ts";

/** A function behind a sink, with what the sink's failures are reported as. */
async function serveToSink(url: string, timeoutMs = 10_000) {
  const messages: string[] = [];
  const served = await serveFunction({
    adapter: plainAdapter(),
    settings: { timeoutMs },
    server: { sink: new Sink(url, (level, message) => messages.push(`${level}: ${message}`)) },
  });
  const post = (event: unknown) =>
    fetch(served.url, { method: "POST", body: JSON.stringify(event) });
  return { ...served, messages, post };
}

test.each([301, 302, 303, 307, 308])(
  "a sink that redirects with %i has no reply",
  async (status) => {
    const elsewhere = await startSink();
    const sink = await startSink(() => status, { Location: `${elsewhere.url}/moved` });
    await using served = await serveToSink(sink.url);
    expect((await served.post({ id: 1 })).status).toBe(502);
    expect(served.messages).toEqual([
      `warning: failed to deliver to ${sink.url}: status ${status}, a redirect\n` +
        `  set the sink to where it leads: ${elsewhere.url}/moved`,
    ]);
    expect([sink.received.length, elsewhere.received.length]).toEqual([1, 0]);
    await Promise.all([sink.close(), elsewhere.close()]);
  },
);

test.each([
  ["stream-error", 500, '{"errorType":"Late","errorMessage":"in the middle"}'],
  ["stream-break", 500, '{"errorType":"Runtime.TruncatedResponse",'],
  ["stream-and-die", 500, '{"errorType":"Runtime.ExitError",'],
  ["stream-and-hang", 504, '{"errorType":"Sandbox.Timedout",'],
])(
  "a stream that fails (%s) goes to its caller, not to the sink",
  async (action, status, error) => {
    const sink = await startSink();
    await using served = await serveToSink(sink.url, 1_000);
    const response = await served.post({ do: action });
    expect(response.status).toBe(status);
    expect(await response.text()).toStartWith(error);
    expect(sink.received).toEqual([]);
    expect((await served.post({ do: "stream", lines: 2 })).status).toBe(200);
    expect(sink.received.map(({ body }) => body)).toEqual(["line 1\nline 2\n"]);
    await sink.close();
  },
);
