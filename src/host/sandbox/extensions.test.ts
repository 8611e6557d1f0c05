/** Extensions of layers: started before the runtime, told of events and of the end, and ended with it. */

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Probe, read } from "../../testing/host/probe.ts";
import { ROOT } from "../../testing/host/running-host.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

const EXTENSION = join(ROOT, "fixtures/bootstraps/scripted/extension.ts");

/** A layer with an extension for each of the names, which does what its name's action says. */
function layer(actions: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder("layer");
  mkdirSync(join(folder, "extensions"));
  for (const [name, action] of Object.entries(actions)) {
    const path = join(folder, "extensions", name);
    const words = [process.execPath, EXTENSION, action, name].map((word) => `'${word}'`);
    writeFileSync(path, `#!/bin/sh\nexec ${words.join(" ")}\n`);
    chmodSync(path, 0o755);
  }
  return folder;
}

const echo = (id: number) => `{"id":${id},"echo":{"id":${id}}}`;

test("an extension registers, is told of each event, and of the end", async () => {
  const probe = new Probe({ layers: [layer({ watcher: "wait" })], accountId: "210987654321" });
  expect(await read(await probe.run({ id: 1 }, { requestId: "R1" }))).toBe(echo(1));
  expect(await read(await probe.run({ id: 2 }, { requestId: "R2" }))).toBe(echo(2));
  await probe.pool.stop();
  const lines = probe.log.split("\n").filter((line) => line.startsWith("extension"));
  expect(lines[0]).toStartWith("extension registered 200 {");
  expect(JSON.parse(lines[0]?.slice("extension registered 200 ".length) ?? "")).toEqual({
    functionName: "probe",
    functionVersion: "$LATEST",
    handler: "function.handler",
    accountId: "210987654321",
  });
  expect(lines.slice(1)).toEqual([
    "extension INVOKE R1",
    "extension has done R1",
    "extension INVOKE R2",
    "extension has done R2",
    "extension SHUTDOWN spindown",
  ]);
});

test("extensions of several layers run beside each other, the first of a name only", async () => {
  const layers = [layer({ a: "wait", b: "wait" }), layer({ b: "crash-at-start", c: "wait" })];
  await using probe = new Probe({ layers });
  expect(await read(await probe.run({ id: 1 }))).toBe(echo(1));
  expect(probe.log.match(/extension registered 200/g)?.length).toBe(3);
});

test("a layer without extensions starts none", async () => {
  await using probe = new Probe({ layers: [temporaryFolder("layer")] });
  expect(await read(await probe.run({ id: 1 }))).toBe(echo(1));
});

test("the next event waits for a slow extension, its caller does not", async () => {
  const probe = new Probe({ layers: [layer({ slow: "slow" })] });
  await read(await probe.run({ id: 0 }));
  const startedAtMs = performance.now();
  await read(await probe.run({ id: 1 }, { requestId: "first" }));
  const second = probe.run({ id: 2 }, { requestId: "second" });
  await read(await second);
  expect(performance.now() - startedAtMs).toBeGreaterThan(290);
  await probe.pool.stop();
  expect(probe.log.indexOf("has done first")).toBeLessThan(probe.log.indexOf("INVOKE second"));
});

const START_FAILURES: readonly (readonly [action: string, words: string])[] = [
  ["crash-at-start", '"errorType":"Extension.Crash"'],
  ["init-error", '"errorType":"Extension.InitError"'],
];

test.each(START_FAILURES)(
  "an extension that fails at its start (%s) is the caller's error",
  async (action, words) => {
    await using probe = new Probe({ layers: [layer({ broken: action })] });
    const outcome = await read(await probe.run({ id: 1 }));
    expect(outcome).toStartWith("[init] ");
    expect(outcome).toContain(words);
    expect(outcome).toContain("broken");
  },
);

test("an extension that cannot be executed is the caller's error", async () => {
  const folder = layer({ broken: "wait" });
  chmodSync(join(folder, "extensions", "broken"), 0o644);
  await using probe = new Probe({ layers: [folder] });
  const outcome = await read(await probe.run({ id: 1 }));
  expect(outcome).toContain('"errorType":"Extension.LaunchError"');
  expect(outcome).toContain("permission denied");
});

test.each(["never-register", "never-ask"])(
  "an extension that is never ready (%s) is ended with its environment when the time to start is over",
  async (action) => {
    await using probe = new Probe({
      layers: [layer({ broken: action })],
      initTimeoutMs: 1_500,
    });
    expect(await read(await probe.run({ id: 1 }))).toContain(
      'Sandbox.Timedout","errorMessage":"RequestId: ',
    );
  },
);

const EVENT_FAILURES: readonly (readonly [action: string, words: string])[] = [
  ["crash", "Extension.Crash"],
  ["exit-error", "Extension.ExitError"],
];

test.each(EVENT_FAILURES)(
  "an extension that ends in an event (%s) ends the environment, and the event with it",
  async (action, words) => {
    await using probe = new Probe({ layers: [layer({ broken: action })] });
    const outcome = await read(await probe.run({ do: "slow-echo", ms: 5_000 }));
    expect(outcome).toStartWith("[exit] ");
    expect(outcome).toContain(`"errorType":"${words}"`);
    await probe.ended;
  },
);

test("an extension that hangs in an event is ended at the event's deadline", async () => {
  await using probe = new Probe({ layers: [layer({ stuck: "hang" })], timeoutMs: 1_000 });
  expect(await read(await probe.run({ id: 1 }))).toBe(echo(1));
  await probe.ended;
  expect(probe.outcomes.map(([status]) => status)).toEqual(["timeout"]);
});

test("one that does not end is killed, with what it has started", async () => {
  const probe = new Probe({ layers: [layer({ stubborn: "stay" })] });
  await read(await probe.run({ id: 1 }));
  const startedAtMs = performance.now();
  await probe.pool.stop();
  expect(performance.now() - startedAtMs).toBeLessThan(20_000);
  expect(probe.log).toContain("extension SHUTDOWN spindown");
});

test("an extension does not see the runtime's own variables", async () => {
  const folder = temporaryFolder("layer");
  mkdirSync(join(folder, "extensions"));
  const path = join(folder, "extensions", "shown");
  writeFileSync(path, "#!/bin/sh\nenv >&2\nexit 3\n");
  chmodSync(path, 0o755);
  await using probe = new Probe({ layers: [folder], variables: { MINE: "1" } });
  await read(await probe.run({ id: 1 }));
  expect(probe.log).toMatch(/^MINE=1$/m);
  expect(probe.log).toMatch(/^AWS_LAMBDA_RUNTIME_API=/m);
  expect(probe.log).not.toMatch(/^_HANDLER=/m);
});
