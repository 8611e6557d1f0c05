/** `serve` in the place of TriggerMesh's invoker. */

import { expect, test } from "bun:test";

import { SCRIPTED, startTool } from "../testing/running-tool.ts";

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", body, headers });

test("--compat triggermesh responds as TriggerMesh's invoker does", async () => {
  const environment = { FUNCTION_TTL: "1", INVOKER_COUNT: "1", REQUEST_SIZE_LIMIT: "1" };
  const args = [
    "serve",
    "--port",
    "0",
    "--metrics-port",
    "0",
    "--compat",
    "triggermesh",
    ...SCRIPTED,
  ];
  await using served = await startTool(args, { environment });
  const ok = await post(`${served.url}/2015-03-31/functions/x/invocations`, '{"id":1}');
  expect([ok.status, ok.headers.get("content-type")]).toEqual([200, "plain/text"]);
  expect(await ok.text()).toBe('{"id":1,"echo":{"id":1}}');
  const headers = (await (await post(served.url, '{"do":"headers"}')).json()) as Record<
    string,
    string
  >;
  expect(headers["lambda-runtime-trace-id"]).toBe("0");
  const failed = await post(served.url, '{"do":"error"}');
  expect(failed.status).toBe(500);
  const late = await post(served.url, '{"do":"hang"}');
  expect([late.status, await late.text()]).toEqual([
    410,
    'Deadline is reached, data {"do":"hang"}',
  ]);
  const large = await post(served.url, "x".repeat(1_000_001));
  expect([large.status, await large.text()]).toEqual([413, "http: request body too large\n"]);
});

test("--compat triggermesh: environments are numbered, callers wait for their turn until the TTL", async () => {
  const environment = { FUNCTION_TTL: "3", INVOKER_COUNT: "2", MINE: "yes" };
  const args = ["serve", "--port", "0", "--metrics-port", "0", "--compat", "triggermesh"];
  await using served = await startTool([...args, ...SCRIPTED], { environment });
  const seen = async () =>
    JSON.parse(await (await post(served.url, '{"do":"environment"}')).text());
  const [first] = await Promise.all([seen(), post(served.url, '{"do":"slow-echo","ms":200}')]);
  expect(first).toMatchObject({ MINE: "yes", BOOTSTRAP_INDEX: expect.stringMatching(/^[01]$/) });
  // The 101st and later were made to wait, not refused.
  const all = Array.from({ length: 120 }, (_, id) =>
    post(served.url, JSON.stringify({ do: "slow-echo", ms: 5, id })),
  );
  const responses = await Promise.all((await Promise.all(all)).map((each) => each.text()));
  expect(responses.map((text) => JSON.parse(text).id)).toEqual(responses.map((_, id) => id));
  const stuck = ["1", "2", "3"].map((id) => post(served.url, `{"do":"hang","id":${id}}`));
  expect((await Promise.all(stuck)).map(({ status }) => status)).toEqual([410, 410, 410]);
});
