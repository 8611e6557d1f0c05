/** What a sender's request becomes, over the wire. */

import { expect, test } from "bun:test";

import { serveFunction } from "../../../testing/host/running-host.ts";
import { cloudEventsAdapter } from "./adapter.ts";

const ADAPTER = cloudEventsAdapter({
  defaults: { type: "made", source: "/here", subject: undefined },
  input: "data",
  output: "auto",
  responseMode: "data",
  bodyBytesMax: 1_000_000,
});

test("a request that has some headers of an event is its body alone, and what is missing is told", async () => {
  await using served = await serveFunction({ adapter: ADAPTER });
  const post = (body: string, headers: Readonly<Record<string, string>>) =>
    fetch(served.url, {
      method: "POST",
      body,
      headers: { "Content-Type": "application/json", ...headers },
    });
  const some = { "ce-id": "1", "ce-source": "/s" };
  const response = await post('{"do":"body","text":"heard"}', some);
  expect(await response.json()).toMatchObject({ data: "heard" });
  await post("{}", {});
  await post("{}", { ...some, "ce-type": "t", "ce-specversion": "1.0" });
  expect(served.messages).toEqual([
    "warning: a request has headers of a CloudEvent and not ce-specversion, ce-type: the function gets its " +
      "body alone\n  send ce-specversion, ce-type too",
  ]);
});
