import { expect, test } from "bun:test";
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { RESPONSE_BYTES_MAX } from "../../runtime-api/contract.ts";
import { Probe, read } from "../../testing/host/probe.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";
import type { InvocationOutcome } from "../invocation/outcome.ts";

const processEndError = (requestId: string, reason: string) =>
  `[exit] ${JSON.stringify({
    errorType: "Runtime.ExitError",
    errorMessage: `RequestId: ${requestId} Error: ${reason}`,
  })}`;

/** What a faulty runtime's event ends in; each is followed by an event that must succeed. */
const FAULTS: readonly (readonly [event: Record<string, unknown>, outcome: string])[] = [
  [{ do: "echo", id: 1 }, '{"id":1,"echo":{"do":"echo","id":1}}'],
  [{ do: "empty" }, ""],
  [{ do: "error" }, '[reported] {"errorType":"Asked","errorMessage":"to fail"}'],
  [{ do: "error", text: "not JSON" }, "[reported] not JSON"],
  [{ do: "exit", status: 0 }, processEndError("R", "Runtime exited without providing a reason")],
  [{ do: "exit", status: 42 }, processEndError("R", "Runtime exited with error: exit status 42")],
  [{ do: "kill" }, processEndError("R", "Runtime exited with error: signal: killed")],
  [
    { do: "kill", signal: "SIGSEGV" },
    processEndError("R", "Runtime exited with error: signal: segmentation fault"),
  ],
  [{ do: "respond-twice", id: 2 }, '{"id":2,"echo":{"do":"respond-twice","id":2}}'],
  [{ do: "wrong-id", id: 3 }, '{"id":3,"echo":{"do":"wrong-id","id":3}}'],
  [{ do: "wrong-attempt", id: 4 }, '{"id":4,"echo":{"do":"wrong-attempt","id":4}}'],
  [{ do: "garbage", id: 5 }, '{"id":5,"echo":{"do":"garbage","id":5}}'],
  [{ do: "ask-twice", id: 6 }, '{"id":6,"echo":{"do":"ask-twice","id":6}}'],
  [{ do: "respond-and-die", id: 7 }, '{"id":7,"echo":{"do":"respond-and-die","id":7}}'],
  [{ do: "die-while-waiting", id: 8 }, '{"id":8,"echo":{"do":"die-while-waiting","id":8}}'],
  [{ do: "drop-poll", id: 9 }, '{"id":9,"echo":{"do":"drop-poll","id":9}}'],
  [{ do: "bad-mode" }, "[invalid-response] "],
  [
    { do: "truncate" },
    "[invalid-response] " +
      '{"errorType":"Runtime.TruncatedResponse","errorMessage":"RequestId: R Error: The response was truncated"}',
  ],
  [{ do: "truncate-and-die" }, processEndError("R", "Runtime exited with error: exit status 1")],
  [
    { do: "too-large" },
    "[response-too-large] " +
      '{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).",' +
      '"errorType":"Function.ResponseSizeTooLarge"}',
  ],
  [{ do: "stream", lines: 2 }, "line 1\nline 2\n"],
  [
    { do: "stream-error" },
    'one\ntwo\n[Runtime.StreamError] [reported] {"errorType":"Late","errorMessage":"in the middle"}',
  ],
  [
    { do: "stream-break" },
    "one\n[Runtime.TruncatedResponse] [invalid-response] " +
      '{"errorType":"Runtime.TruncatedResponse","errorMessage":"RequestId: R Error: The response was truncated"}',
  ],
  [
    { do: "stream-and-die" },
    `one\n[Runtime.ExitError] ${processEndError("R", "Runtime exited with error: exit status 1")}`,
  ],
];

test.each(FAULTS)(
  "invoke() of %j ends in %s, and the next event succeeds",
  async (event, expected) => {
    await using probe = new Probe();
    const outcome = await probe.run(event, { requestId: "R" });
    expect(await read(outcome)).toBe(expected);
    // Until it has died it may be given another event, which would die with it.
    if (event["do"] === "die-while-waiting") await probe.ended;
    expect(await read(await probe.run({ id: 99 }))).toBe('{"id":99,"echo":{"id":99}}');
  },
);

test("a response of exactly the largest size arrives", async () => {
  await using probe = new Probe();
  const outcome = await probe.run({ do: "size", size: RESPONSE_BYTES_MAX });
  expect(outcome.kind === "response" && outcome.body.byteLength).toBe(RESPONSE_BYTES_MAX);
});

test("a runtime that hangs is killed with its group when its time is up", async () => {
  await using probe = new Probe({ timeoutMs: 400 });
  await probe.run({ do: "child" });
  const outcome = await probe.run({ do: "hang" }, { requestId: "R" });
  expect(await read(outcome)).toBe(
    '[timeout] {"errorType":"Sandbox.Timedout","errorMessage":"RequestId: R Error: Task timed out after 0.40 seconds"}',
  );
  const sleeping = outcome.kind === "function-error" ? outcome.stillRunning : [];
  expect(sleeping.join()).toMatch(/^sleep 300 \(pid \d+\), child of handler$/);
  const pid = /pid (\d+)/.exec(sleeping.join())?.[1];
  await Bun.sleep(50);
  expect(
    existsSync(`/proc/${pid}/stat`) && readFileSync(`/proc/${pid}/stat`, "utf8").includes(" S "),
  ).toBe(false);
  expect(await read(await probe.run({ id: 1 }))).toContain('"id":1');
});

test("a stopped runtime is killed too", async () => {
  await using probe = new Probe({ timeoutMs: 300 });
  expect(await read(await probe.run({ do: "stop" }))).toStartWith("[timeout]");
  expect(await read(await probe.run({ id: 1 }))).toContain('"id":1');
});

test("a response that comes after the deadline is refused and reaches no other event", async () => {
  const late = join(temporaryFolder("host"), "late");
  await using probe = new Probe({ timeoutMs: 400, variables: { LATE_FILE: late } });
  expect(await read(await probe.run({ do: "tell-and-hang" }, { requestId: "same" }))).toStartWith(
    "[timeout]",
  );
  const next = probe.run({ do: "slow-echo", id: 2, ms: 300 }, { requestId: "same" });
  const response = await fetch(readFileSync(late, "utf8"), { method: "POST", body: "late" });
  expect([response.status, await response.text()]).toEqual([
    410,
    '{"errorMessage":"Invoke timeout","errorType":"InvokeTimeout"}\n',
  ]);
  expect(await read(await next)).toContain('"id":2');
});

test("an init error is served to the first event, and tried again", async () => {
  await using probe = new Probe({ handler: "init-error" });
  const expected = '[init] {"errorType":"Runtime.NoSuchHandler","errorMessage":"no such thing"}';
  expect(await read(await probe.run({}))).toBe(expected);
  expect(await read(await probe.run({}))).toBe(expected);
  expect(probe.log).toContain("init/error: 202 403");
});

test("an exit before the first /next is the outcome of the first event", async () => {
  await using probe = new Probe({ handler: "init-exit" });
  const outcome = await probe.run({}, { requestId: "R" });
  expect(await read(outcome)).toBe(
    processEndError("R", "Runtime exited with error: exit status 7").replace("[exit]", "[init]"),
  );
});

test("a start that takes too long is ended", async () => {
  await using probe = new Probe({ handler: "init-hang", initTimeoutMs: 200 });
  expect(await read(await probe.run({}))).toContain("Init timed out after 0.20 seconds");
});

const UNSTARTABLE = temporaryFolder("unstartable");
symlinkSync("loop", join(UNSTARTABLE, "loop"));
writeFileSync(join(UNSTARTABLE, "text"), "echo hi\n", { mode: 0o755 });
writeFileSync(join(UNSTARTABLE, "shell"), "#!/no/such/shell\n", { mode: 0o755 });

test.each([
  ["/no/such/bootstrap", "Couldn't find valid bootstrap(s): [/no/such/bootstrap]"],
  ["/etc/passwd", "fork/exec /etc/passwd: permission denied"],
  ["/etc", "fork/exec /etc: permission denied"],
  ["/etc/passwd/x", "fork/exec /etc/passwd/x: not a directory"],
  ...[
    ["text", "exec format error"],
    ["shell", "no such file or directory"],
    ["loop", "not a file that can be executed"],
  ].map(([name = "", reason]) => {
    const path = join(UNSTARTABLE, name);
    return [path, `fork/exec ${path}: ${reason}`];
  }),
])("a bootstrap that cannot be started (%s) is Runtime.InvalidEntrypoint", async (path, reason) => {
  await using probe = new Probe({ command: [path] });
  const outcome = await probe.run({}, { requestId: "R" });
  expect(await read(outcome)).toBe(
    `[init] {"errorType":"Runtime.InvalidEntrypoint","errorMessage":"RequestId: R Error: ${reason}"}`,
  );
});

test("a runtime that ends again and again while it waits is started with growing pauses", async () => {
  const starts = join(temporaryFolder("host"), "starts");
  const request = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n";
  // It asks for an event, and has gone after some milliseconds.
  const script = `echo >> '${starts}'
exec 3<> "/dev/tcp/\${AWS_LAMBDA_RUNTIME_API/://}"
printf '${request}' >&3
read -t 0.02 <&3`;
  await using probe = new Probe({ command: ["/bin/bash", "-c", script] });
  await Bun.sleep(3_000);
  const count = () => readFileSync(starts, "utf8").length;
  // After 50, 100, 200, 400, 800 and 1600 ms.
  expect(count()).toBeGreaterThan(3);
  expect(count()).toBeLessThanOrEqual(7);
  // An event does not wait for the end of a pause.
  const before = count();
  const startedAtMs = performance.now();
  expect(await read(await probe.run({}))).toStartWith("[exit] ");
  expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  expect(count()).toBeGreaterThan(before);
});

test("events wait in a bounded queue; what does not fit is rejected", async () => {
  await using probe = new Probe({ queueMax: 2, environments: 1 });
  await probe.run({});
  while (probe.pool.counts.ready === 0) await Bun.sleep(1);
  const slow = probe.run({ do: "slow-echo", ms: 200 });
  const waiting = [probe.run({ id: 1 }), probe.run({ id: 2 })];
  expect(await read(await probe.run({ id: 3 }))).toBe("[rejected] queue-full");
  expect((await slow).kind).toBe("response");
  expect(await Promise.all(waiting.map(async (each) => read(await each)))).toEqual([
    '{"id":1,"echo":{"id":1}}',
    '{"id":2,"echo":{"id":2}}',
  ]);
});

test("an event that waits too long, or whose caller has gone, is not run", async () => {
  const folder = temporaryFolder("host");
  const seen = join(folder, "seen");
  await using probe = new Probe({ queueTimeoutMs: 50, variables: { SEEN_FILE: seen } });
  const ready = async () => {
    while (probe.pool.counts.ready === 0) await Bun.sleep(1);
  };
  await ready();
  await probe.run({ id: 1 });
  await ready();
  const gone = new AbortController();
  const slow = probe.run({ do: "slow-echo", ms: 200, id: 2 });
  const late = probe.run({ id: 3 });
  const vanished = probe.run({ id: 4 }, { signal: gone.signal });
  gone.abort();
  expect(await read(await vanished)).toBe("[rejected] caller-gone");
  expect(await read(await late)).toBe("[rejected] queue-timeout");
  await slow;
  expect(readFileSync(seen, "utf8")).toBe("1\n2\n");
});

test("two environments work at the same time", async () => {
  await using probe = new Probe({ environments: 2 });
  const both = [probe.run({ do: "slow-echo", ms: 300 }), probe.run({ do: "slow-echo", ms: 300 })];
  const outcomes = await Promise.all(both);
  const places = outcomes.map((o) => (o.kind === "response" ? o.report.environment : -1));
  expect(places.sort()).toEqual([0, 1]);
});

test("drain() lets open events end and takes no new ones", async () => {
  await using probe = new Probe();
  await probe.run({});
  const open = probe.run({ do: "slow-echo", ms: 200, id: 1 });
  const drained = probe.pool.drain(5_000);
  expect(await read(await probe.run({}))).toBe("[rejected] draining");
  await drained;
  expect(await read(await open)).toContain('"id":1');
});

test("the log tail is that of the event, without those before and after", async () => {
  await using probe = new Probe();
  await probe.run({ do: "log", text: "first" });
  const outcome = await probe.run({ do: "log", text: "second" }, { logTail: true });
  const next = await probe.run({ do: "log", text: "third" }, { logTail: true });
  const logOf = (o: InvocationOutcome) =>
    o.kind === "response" ? Buffer.from(o.report.log).toString() : "";
  expect(logOf(outcome)).toBe("second\n");
  expect(logOf(next)).toBe("third\n");
});

test("only a runtime with an extension is sent SIGTERM before it is killed", async () => {
  const probe = new Probe({ handler: "extension" });
  await probe.run({});
  await probe.pool.stop();
  expect(probe.log).toContain("got SIGTERM");
});

test("memory above the size ends the environment when it is enforced", async () => {
  await using probe = new Probe({ memoryMb: 16, memoryEnforced: true });
  const outcome = await probe.run({ do: "hang" }, { requestId: "R" });
  expect(await read(outcome)).toContain("signal: killed");
});

test("the function sees Lambda's variables and none of the host's", async () => {
  process.env["DEVELOPERS_OWN"] = "secret";
  await using probe = new Probe({ variables: { MINE: "yes", A: "4=4" }, name: "probe" });
  const outcome = await probe.run({ do: "environment" });
  const seen: Record<string, string> = JSON.parse(await read(outcome));
  expect(seen).toMatchObject({
    MINE: "yes",
    A: "4=4",
    _HANDLER: "function.handler",
    AWS_REGION: "us-east-1",
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_LAMBDA_FUNCTION_NAME: "probe",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/probe",
    TZ: ":UTC",
  });
  for (const absent of [
    "HOME",
    "DEVELOPERS_OWN",
    "_X_AMZN_TRACE_ID",
    "AWS_EXECUTION_ENV",
    "HTTP_PROXY",
    "BOOTSTRAP_INDEX",
  ]) {
    expect(seen[absent]).toBeUndefined();
  }
});

test("/next carries the context of the caller, and no header without a value", async () => {
  await using probe = new Probe({ timeoutMs: 3_000 });
  const plain = JSON.parse(await read(await probe.run({ do: "headers" })));
  expect(plain).toMatchObject({
    "content-type": "application/json",
    "lambda-runtime-invoked-function-arn": "arn:aws:lambda:us-east-1:123456789012:function:probe",
    "lambda-runtime-trace-id": expect.stringMatching(
      /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=[01]$/,
    ),
    "lambda-runtime-aws-request-id": expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  for (const absent of ["client-context", "cognito-identity", "aws-tenant-id"]) {
    expect(plain[`lambda-runtime-${absent}`]).toBeUndefined();
  }
  const deadline = Number(plain["lambda-runtime-deadline-ms"]) - Date.now();
  expect(deadline).toBeWithin(1_500, 3_001);
  const clientContext = '{"custom":{"a":"b c: d é"}}';
  const full = JSON.parse(
    await read(
      await probe.run(
        { do: "headers" },
        { clientContext, tenantId: "blue", qualifier: "live", traceId: "Root=1-a-b" },
      ),
    ),
  );
  expect(Buffer.from(full["lambda-runtime-client-context"], "latin1").toString()).toBe(
    clientContext,
  );
  expect(full).toMatchObject({
    "lambda-runtime-aws-tenant-id": "blue",
    "lambda-runtime-trace-id": "Root=1-a-b",
    "lambda-runtime-invoked-function-arn":
      "arn:aws:lambda:us-east-1:123456789012:function:probe:live",
  });
});

test("an event ends when its runtime asks for the next: what is logged after the response is its own", async () => {
  await using probe = new Probe();
  const event = { do: "log-after", ms: 200, text: "after the response" };
  const waited = await probe.run(event, { logTail: true });
  expect(waited.kind === "response" && Buffer.from(waited.report.log).toString()).toBe(
    "after the response\n",
  );
  expect(probe.outcomes[0]?.[1].durationMs).toBeGreaterThan(190);
  // A caller that does not want the log has the response before.
  const startedAtMs = performance.now();
  expect(await read(await probe.run({ ...event, ms: 6_000 }))).toContain('"do":"log-after"');
  expect(performance.now() - startedAtMs).toBeLessThan(5_500);
  expect(probe.outcomes.length).toBe(1);
  await probe.pool.drain(30_000);
  expect(probe.outcomes.length).toBe(2);
});
