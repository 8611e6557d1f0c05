/** Environments that Lambda starts otherwise: from snapshots, on Managed Instances; and what tells where they run. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { Probe, read } from "../testing/host/probe.ts";
import { serveFunction } from "../testing/host/running-host.ts";
import { functionFolder, tool } from "../testing/running-tool.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { zoneId } from "./sandbox/platform-endpoints.ts";

const echo = (id: number) => `{"id":${id},"echo":{"id":${id}}}`;

const environment = async (probe: Probe): Promise<Readonly<Record<string, string>>> =>
  JSON.parse(await read(await probe.run({ do: "environment" })));

const KEYS = {
  AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
  AWS_SECRET_ACCESS_KEY: "secret",
  AWS_SESSION_TOKEN: "token",
};

test("a runtime that waits for the restore of its snapshot is restored, and serves", async () => {
  await using probe = new Probe({ snapStart: true, handler: "restore" });
  expect(await read(await probe.run({ id: 1 }))).toBe(echo(1));
  expect(await read(await probe.run({ id: 2 }))).toBe(echo(2));
  expect(probe.log).toBe("restore/next: 200\n");
  // Its start was before the snapshot, and belongs to no event.
  expect(probe.outcomes.map(([, { initDurationMs }]) => initDurationMs)).not.toContainEqual(
    expect.any(Number),
  );
});

test("a runtime that knows nothing of snapshots serves all the same", async () => {
  await using probe = new Probe({ snapStart: true });
  expect(await read(await probe.run({ id: 1 }))).toBe(echo(1));
});

test("the restore is asked for once", async () => {
  await using probe = new Probe({ snapStart: true, handler: "restore-twice" });
  expect(await read(await probe.run({ id: 1 }))).toBe(echo(1));
  expect(probe.log).toContain("again: 403 ");
  expect(probe.log).toContain("State transition from Restoring to RestoreReady failed");
});

test("without a snapshot there is no such path", async () => {
  await using probe = new Probe({ handler: "restore" });
  expect(await read(await probe.run({ id: 1 }))).toBe(echo(1));
  expect(probe.log).toBe("restore/next: 404\n");
});

test("a runtime that fails after the restore is ended, and the caller gets its error", async () => {
  await using probe = new Probe({ snapStart: true, handler: "restore-error" });
  expect(await read(await probe.run({ id: 1 }))).toBe(
    '[init] {"errorType":"Runtime.AfterRestoreError","errorMessage":"no connection"}',
  );
  expect(probe.log).toContain("restore/error: 202\n");
});

test.each(["keep-alive", "as it is"])(
  "a runtime that goes on with the connection of its restore is found out (%s)",
  async (kept) => {
    const variables = { RESTORE_CONNECTION: kept === "keep-alive" ? "Connection: keep-alive" : "" };
    await using probe = new Probe({ snapStart: true, handler: "restore-keep", variables });
    expect(await read(await probe.run({ id: 1 }))).toContain("exit status 6");
    expect(probe.log).toContain("restored on a connection that ends\n");
  },
);

test("what takes longer than ten seconds after the restore is ended, whatever a start may take", async () => {
  const startedAtMs = performance.now();
  const probes = [{}, { initTimeoutMs: 1_000 }, { initTimeoutMs: 130_000 }].map(
    (limits) => new Probe({ snapStart: true, handler: "restore-hang", ...limits }),
  );
  const outcomes = await Promise.all(probes.map(async (probe) => read(await probe.run({}))));
  for (const outcome of outcomes) {
    expect(outcome).toStartWith('[init] {"errorType":"Sandbox.Timedout",');
    expect(outcome).toContain("Error: Restore timed out after 10.00 seconds");
  }
  expect(performance.now() - startedAtMs).toBeGreaterThan(9_900);
  await Promise.all(probes.map((probe) => probe[Symbol.asyncDispose]()));
});

test("what takes too long before the snapshot is ended by the time to start", async () => {
  await using probe = new Probe({ snapStart: true, handler: "init-hang", initTimeoutMs: 300 });
  expect(await read(await probe.run({}))).toContain("Error: Init timed out after 0.30 seconds");
});

test("a runtime that ends after the restore is an error of the start", async () => {
  await using probe = new Probe({ snapStart: true, handler: "restore-exit" });
  expect(await read(await probe.run({ id: 1 }))).toContain("exit status 4");
});

test("an environment of a snapshot has its keys by the way of containers, and not as variables", async () => {
  await using probe = new Probe({ snapStart: true, handler: "restore", variables: KEYS });
  const variables = await environment(probe);
  expect(variables["AWS_LAMBDA_INITIALIZATION_TYPE"]).toBe("snap-start");
  for (const name of [...Object.keys(KEYS), "AWS_LAMBDA_LOG_STREAM_NAME"]) {
    expect(variables).not.toHaveProperty(name);
  }
  const url = variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] ?? "";
  const token = variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] ?? "";
  const response = await fetch(url, { headers: { Authorization: token } });
  expect(await response.json()).toEqual({
    AccessKeyId: "AKIDEXAMPLE",
    SecretAccessKey: "secret",
    Token: "token",
    Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  });
  for (const wrong of ["", "x", `Bearer ${token}`]) {
    expect((await fetch(url, { headers: { Authorization: wrong } })).status).toBe(401);
  }
});

test("an environment learns where it runs, with the token that it was given", async () => {
  await using probe = new Probe({ region: "eu-west-1" });
  const variables = await environment(probe);
  const { AWS_LAMBDA_METADATA_API, AWS_LAMBDA_METADATA_TOKEN, AWS_LAMBDA_RUNTIME_API } = variables;
  expect(AWS_LAMBDA_METADATA_API).toBe(AWS_LAMBDA_RUNTIME_API);
  const url = `http://${AWS_LAMBDA_METADATA_API}/2026-01-15/metadata/execution-environment`;
  const Authorization = `Bearer ${AWS_LAMBDA_METADATA_TOKEN}`;
  const response = await fetch(url, { headers: { Authorization } });
  expect([response.status, await response.json()]).toEqual([
    200,
    { AvailabilityZoneID: "euw1-az1" },
  ]);
  expect(response.headers.get("cache-control")).toBe("private, max-age=43200, immutable");
  expect((await fetch(url)).status).toBe(401);
  expect((await fetch(url, { headers: { Authorization: "Bearer x" } })).status).toBe(401);
  expect((await fetch(url, { method: "POST", headers: { Authorization } })).status).toBe(405);
});

test.each([
  ["us-east-1", "use1-az1"],
  ["eu-central-1", "euc1-az1"],
  ["ap-southeast-2", "apse2-az1"],
  ["us-gov-west-1", "usgw1-az1"],
  ["cn-north-1", "cnn1-az1"],
  ["me-south-1", "mes1-az1"],
])("the first zone of %s is %s", (region, zone) => {
  expect(zoneId(region)).toBe(zone);
});

const MANAGED = { managedInstances: true, concurrency: 2, variables: { LOOPS: "2" } };

test("on Managed Instances an environment has several events at a time", async () => {
  await using probe = new Probe(MANAGED);
  const startedAtMs = performance.now();
  const both = await Promise.all([1, 2].map((id) => probe.run({ id, do: "slow-echo", ms: 400 })));
  expect((await Promise.all(both.map(read))).map((text) => JSON.parse(text).id)).toEqual([1, 2]);
  expect(performance.now() - startedAtMs).toBeLessThan(30_000);
  const variables = await environment(probe);
  expect(variables).toMatchObject({
    AWS_LAMBDA_INITIALIZATION_TYPE: "lambda-managed-instances",
    AWS_LAMBDA_MAX_CONCURRENCY: "2",
    AWS_LAMBDA_LOG_FORMAT: "JSON",
  });
});

test.each([
  ["all others are late", { LOOPS: "3", LOOP_DELAY_MS: "60000" }, 3],
  ["it has one loop of two", { LOOPS: "1" }, 2],
  ["it has one loop of many", { LOOPS: "1" }, 1_600],
] as const)(
  "on Managed Instances the start is over with the first loop that asks, where %s",
  async (_which, variables, concurrency) => {
    const settings = { ...MANAGED, variables, concurrency, initTimeoutMs: 4_000 };
    await using probe = new Probe(settings);
    const startedAtMs = performance.now();
    expect(await read(await probe.run({ id: 1 }))).toBe(echo(1));
    const elapsedMs = performance.now() - startedAtMs;
    // The time to start does not end what serves, however many loops are not there.
    await Bun.sleep(settings.initTimeoutMs + 300 - elapsedMs);
    expect(await read(await probe.run({ id: 2 }))).toBe(echo(2));
    const initMs = probe.outcomes[0]?.[1].initDurationMs ?? 0;
    expect(initMs).toBeGreaterThan(0);
    expect(initMs).toBeLessThan(settings.initTimeoutMs);
  },
);

test("on Managed Instances a loop that comes later gets events too", async () => {
  const variables = { LOOPS: "2", LOOP_DELAY_MS: "1500" };
  await using probe = new Probe({ ...MANAGED, variables });
  const one = async () => (await probe.run({ do: "slow-echo", ms: 300 })).kind;
  const [first] = await Promise.all([one()]);
  expect(first).toBe("response");
  // Two at a time are served as soon as both loops are there.
  for (let round = 0; ; round += 1) {
    const kinds = await Promise.all([one(), one()]);
    if (kinds.join() === "response,response") break;
    expect(round).toBeLessThan(20);
  }
});

test("on Managed Instances our own runtime serves before its other loops have loaded the file", async () => {
  const folder = functionFolder({
    // The first process that loads the file is quick, the others are not.
    "function.sh": `mkdir "$LAMBDA_TASK_ROOT/first" 2> /dev/null || sleep 8
handler() { printf '%s' "$1"; }
`,
  });
  const options = ["--managed-instances", "--concurrency", "3", "--init-timeout", "4"];
  const startedAtMs = performance.now();
  const ran = await tool(["invoke", "--dir", folder, ...options, "-d", "[1]"]);
  expect(ran).toMatchObject({ status: 0, out: "[1]" });
  expect(performance.now() - startedAtMs).toBeLessThan(8_000);
});

test("on Managed Instances what finds no loop that waits is refused", async () => {
  await using probe = new Probe(MANAGED);
  await read(await probe.run({ id: 0 }));
  const hold = () => probe.run({ do: "slow-echo", ms: 600 });
  const outcomes = await Promise.all([hold(), hold(), hold()]);
  const kinds = outcomes.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === "response").length).toBe(2);
  expect(kinds.filter((kind) => kind === "rejected").length).toBe(1);
});

test("on Managed Instances a time-out leaves the environment alone", async () => {
  await using probe = new Probe({ ...MANAGED, timeoutMs: 500 });
  const pid = await read(await probe.run({ do: "pid" }));
  const late = read(await probe.run({ do: "slow-echo", ms: 900, id: 1 }));
  expect(await late).toContain("Task timed out after 0.50 seconds");
  expect(await read(await probe.run({ do: "pid" }))).toBe(pid);
  // The loop of it comes back once its handler has ended.
  const both = () => Promise.all([1, 2].map(async () => read(await probe.run({ do: "pid" }))));
  while ((await both()).join() !== `${pid},${pid}`) await Bun.sleep(50);
  expect(probe.outcomes.map(([status]) => status)).toContain("timeout");
});

test.each([
  ["a response", "response", "late"],
  ["a large response", "response", "x".repeat(6_000_000)],
  ["an error", "error", '{"errorType":"Function.Late"}'],
])(
  "on Managed Instances %s that comes too late is refused, once as late",
  async (_what, end, body) => {
    const file = join(temporaryFolder("late"), "url");
    const variables = { ...MANAGED.variables, LATE_FILE: file };
    await using probe = new Probe({ ...MANAGED, variables, timeoutMs: 500 });
    expect(await read(await probe.run({ do: "tell-and-hang" }))).toContain("Sandbox.Timedout");
    const url = readFileSync(file, "utf8").replace(/response$/, end);
    const post = async () => {
      const response = await fetch(url, { method: "POST", body });
      return [response.status, await response.json()] as const;
    };
    expect(await post()).toEqual([
      410,
      { errorMessage: "Invoke timeout", errorType: "InvokeTimeout" },
    ]);
    const [status, refusal] = await post();
    expect([status, refusal]).toMatchObject([400, { errorType: "InvalidRequestID" }]);
    // The other loop is not disturbed.
    expect(await read(await probe.run({ id: 9 }))).toBe(echo(9));
  },
);

test.each([
  ["Invoke", "/2015-03-31/functions/probe/invocations", {}],
  ["the Function URL", "/", { "Content-Type": "application/json" }],
] as const)(
  "on Managed Instances a caller by %s gets 429 where no loop waits",
  async (_by, path, headers) => {
    await using served = await serveFunction({ settings: MANAGED });
    const send = async (body: string) =>
      fetch(served.url + path, { method: "POST", body, headers });
    await (await send("{}")).text();
    const body = path === "/" ? "{}" : '{"do":"slow-echo","ms":600}';
    const busy = Array.from({ length: 2 }, () =>
      fetch(`${served.url}/2015-03-31/functions/probe/invocations`, {
        method: "POST",
        body: '{"do":"slow-echo","ms":900}',
      }),
    );
    await Bun.sleep(300);
    const refused = await Promise.all([1, 2, 3].map(() => send(body)));
    expect(refused.map(({ status }) => status)).toEqual([429, 429, 429]);
    expect((await Promise.all(busy)).map(({ status }) => status)).toEqual([200, 200]);
  },
);

test("what a runtime asks for beyond its loops gets no event twice", async () => {
  await using probe = new Probe({ variables: { LOOPS: "3" } });
  for (let id = 1; id <= 20; id += 1) expect(await read(await probe.run({ id }))).toBe(echo(id));
  const asked = { ...KEYS, AWS_LAMBDA_MAX_CONCURRENCY: "3" };
  await using misled = new Probe({ variables: asked, inherited: asked });
  expect(await environment(misled)).not.toHaveProperty("AWS_LAMBDA_MAX_CONCURRENCY");
});
