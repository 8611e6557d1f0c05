import { expect, test } from "bun:test";

import {
  CURL_LOOP,
  functionFolder,
  SCRIPTED,
  startTool,
  tool,
} from "../../testing/running-tool.ts";

const FUNCTION = `handler() {
  echo plain >&2
  echo '{"n":12345678901234567890}' >&2
  printf 'no line end' >&2
  printf '%s' "$1"
  [ "$1" != bad ]
}
`;

const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

test.each([
  { command: ["serve", "--metrics-port", "0", "--workers", "1"] },
  { command: ["dev", "--no-watch"] },
])("$command.0 --log json writes an object a line, as the Telemetry API has it", async (row) => {
  const folder = functionFolder({ "function.sh": FUNCTION });
  const options = ["--port", "0", "--log", "json", folder, ...CURL_LOOP];
  await using served = await startTool([...row.command, ...options]);
  const url = `${served.url}/2015-03-31/functions/probe/invocations`;
  const response = await fetch(url, {
    method: "POST",
    body: '{"a":1}',
    // So that the response waits for the log.
    headers: { "x-amz-log-type": "Tail" },
  });
  const requestId = response.headers.get("x-amzn-requestid");
  expect(await response.text()).toBe('{"a":1}');
  await served.logged('"type":"platform.report"');
  expect(await served.stop()).toBe(0);
  const lines = served.errors().trimEnd().split("\n");
  const events = lines.map((line) => JSON.parse(line));
  const head = { time: ISO, functionName: "probe", environment: 0 };
  expect(events.filter(({ type }) => type !== "tool")).toEqual([
    {
      ...head,
      type: "platform.initReport",
      record: {
        initializationType: "on-demand",
        phase: "init",
        status: "success",
        metrics: { durationMs: expect.any(Number) },
      },
    },
    { ...head, type: "platform.start", record: { requestId, version: "$LATEST" } },
    { ...head, type: "function", record: "plain" },
    { ...head, type: "function", record: { n: expect.anything() } },
    { ...head, type: "function", record: "no line end" },
    {
      ...head,
      type: "platform.report",
      record: {
        requestId,
        metrics: {
          durationMs: expect.any(Number),
          billedDurationMs: expect.any(Number),
          memorySizeMB: 128,
          maxMemoryUsedMB: expect.any(Number),
          initDurationMs: expect.any(Number),
        },
        status: "success",
      },
    },
  ]);
  expect(served.errors()).toContain('"record":{"n":12345678901234567890}}\n');
  const told = events.filter(({ type }) => type === "tool");
  expect(told[0]).toEqual({
    time: ISO,
    type: "tool",
    record: { level: "info", message: expect.stringMatching(/^(listening|lambda-shell)/) },
  });
});

test("serve and dev show the restore of a snapshot, or that a runtime does not wait for it", async () => {
  // Not the folder of the project, of which `dev` would watch everything.
  const options = ["--port", "0", "--snap-start", "--workers", "1", functionFolder({ README: "" })];
  const serve = ["serve", "--metrics-port", "0", ...options];
  await using restored = await startTool([...serve, "--handler", "restore", ...SCRIPTED]);
  await restored.logged("RESTORE_START\n");
  await restored.logged("RESTORE_REPORT Restore Duration: ");
  await using dev = await startTool(["dev", ...options, "--handler", "restore", ...SCRIPTED]);
  await dev.logged("RESTORED worker 1 ");
  for (const command of [serve, ["dev", ...options]]) {
    await using straight = await startTool([...command, "--workers", "3", ...SCRIPTED]);
    const url = `${straight.url}/2015-03-31/functions/function/invocations`;
    const event = { method: "POST", body: '{"do":"slow-echo","ms":300}' };
    await Promise.all([1, 2, 3].map(async () => (await fetch(url, event)).text()));
    const said = straight.errors().split("without GET /restore/next");
    expect(said.length).toBe(2);
    expect(straight.errors()).not.toMatch(/RESTORE/);
  }
});

test("--log json has the restore of a snapshot, as the Telemetry API has it", async () => {
  const options = ["--port", "0", "--metrics-port", "0", "--workers", "1", "--log", "json"];
  const started = ["serve", "--snap-start", "--handler", "restore", ...options];
  await using served = await startTool([...started, ...SCRIPTED]);
  await served.logged('"type":"platform.restoreReport"');
  const lines = served.errors().trimEnd().split("\n");
  const events = lines.map((line) => JSON.parse(line));
  const metrics = { durationMs: expect.any(Number) };
  const told = events.filter(({ type }) => /^platform/.test(type));
  expect(told.map(({ type, record }) => [type, record])).toEqual([
    ["platform.restoreStart", {}],
    [
      "platform.initReport",
      { initializationType: "snap-start", phase: "init", status: "success", metrics },
    ],
    ["platform.restoreReport", { status: "success", metrics }],
  ]);
});

test.each([
  ["serve", ["--metrics-port", "0", "--workers", "1"], "environment 0 failed to start: "],
  ["dev", [], "error: worker 1 failed to start: "],
  [
    "serve",
    ["--metrics-port", "0", "--workers", "1", "--log", "json"],
    '"message":"environment 0 failed to start: ',
  ],
])(
  "%s with %j says of a start that takes too long what its caller gets",
  async (command, options, said) => {
    const words = "Init timed out after 0.40 seconds";
    const folder = functionFolder({ README: "" });
    const started = [command, folder, "--port", "0", ...options, "--init-timeout", "400ms"];
    await using served = await startTool([...started, "--handler", "init-hang", ...SCRIPTED]);
    await served.logged(said + words);
    const url = `${served.url}/2015-03-31/functions/function/invocations`;
    const response = await fetch(url, { method: "POST", body: "{}" });
    expect(await response.text()).toContain(`Error: ${words}"`);
    expect(served.errors()).not.toContain("signal: killed");
  },
);

test("run and invoke say of a start that takes too long that it does", async () => {
  const error = "error: Sandbox.Timedout: Init timed out after 0.40 seconds\n";
  const options = ["--init-timeout", "400ms", "--handler", "init-hang"];
  const ran = await tool(["run", ...options, ...SCRIPTED], { input: "{}" });
  expect(ran).toMatchObject({ status: 4, errors: error });
  const folder = functionFolder({ "function.sh": "sleep 60\nhandler() { :; }\n" });
  const once = ["invoke", "--dir", folder, "--init-timeout", "400ms", "-d", "{}"];
  expect(await tool(once)).toMatchObject({ status: 4, errors: error });
});
