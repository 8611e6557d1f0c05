import { expect, test } from "bun:test";
import { connect } from "node:net";

import { freePort, takenPort } from "../../testing/ports.ts";
import { functionFolder, SCRIPTED, startTool, tool } from "../../testing/running-tool.ts";

const FOLDER = functionFolder({ "function.sh": "" });

/** Fulfilled when somebody listens. */
async function listening(port: number): Promise<void> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect(port, "127.0.0.1", () => resolve(true));
    socket.once("error", () => resolve(false));
    const connected = await promise;
    socket.destroy();
    if (connected) return;
    await Bun.sleep(20);
  }
}

/** The variables of the export lines, as a shell takes them. */
function exported(log: string): Record<string, string> {
  const lines = log.split("\n").filter((line) => line.startsWith("export "));
  const script = `${lines.join("\n")}\nenv -0`;
  const environment = Bun.spawnSync(["sh", "-c", script], { env: { PATH: "/usr/bin:/bin" } });
  const pairs = environment.stdout.toString().split("\0").filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
}

test("dev --attach serves a runtime that somebody else starts, stops and starts again", async () => {
  const port = String(await freePort());
  const options = ["--attach", port, "--env", "GREETING=it's", "--timeout", "2"];
  await using dev = await startTool(["dev", "--port", "0", FOLDER, ...options]);
  await dev.logged(
    "start your runtime with these variables; events wait for it · Ctrl-C to stop\n",
  );
  const environment = exported(dev.errors());
  expect(environment).toMatchObject({
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
    AWS_LAMBDA_FUNCTION_NAME: "probe",
    LAMBDA_TASK_ROOT: FOLDER,
    _HANDLER: "function.handler",
    GREETING: "it's",
  });
  expect(environment).not.toHaveProperty("LD_LIBRARY_PATH");
  const [, ...bootstrap] = SCRIPTED;
  const attach = (variables: Record<string, string> = {}) =>
    Bun.spawn(bootstrap, {
      env: { ...environment, ...variables },
      stdio: ["ignore", "ignore", "ignore"],
    });
  const invoke = async (event: string) => {
    const url = `${dev.url}/2015-03-31/functions/probe/invocations`;
    return (await fetch(url, { method: "POST", body: event })).text();
  };

  // The event waits for the runtime.
  const first = invoke('{"id":1}');
  let runtime = attach();
  expect(await first).toBe('{"id":1,"echo":{"id":1}}');
  // One that ends in the midst of an event gets it again when it is started again.
  const second = invoke('{"id":2,"do":"slow-echo","ms":400}');
  await dev.logged("START");
  await Bun.sleep(150);
  runtime.kill("SIGKILL");
  await runtime.exited;
  runtime = attach();
  expect(JSON.parse(await second)).toMatchObject({ id: 2 });
  // One that stands still too long loses its event, and attaches again to the same port.
  expect(await invoke('{"do":"hang"}')).toContain("Task timed out after 2.00 seconds");
  runtime.kill("SIGKILL");
  await runtime.exited;
  // So does one that could not begin.
  const failing = attach({ _HANDLER: "init-error" });
  await failing.exited;
  await dev.logged("error: worker 1 failed to start");
  await listening(Number(port));
  runtime = attach();
  expect(await invoke('{"id":3}')).toBe('{"id":3,"echo":{"id":3}}');
  expect(await dev.stop()).toBe(0);
  runtime.kill("SIGKILL");
});

test.each([
  [
    ["--attach", "http"],
    '--attach: invalid port "http" (1-65535)\n' +
      "  put the folder before it: lambda-shell dev DIR --attach",
  ],
  [[FOLDER, FOLDER, "--attach"], "--attach: one folder at a time"],
  [
    ["--attach", "--workers", "2"],
    "--attach and --workers exclude each other: one runtime attaches",
  ],
  [["--attach", ...SCRIPTED], "--attach starts no runtime: leave out --bootstrap and -- CMD"],
  [
    ["--bootstrap", "x", "--attach"],
    "--attach starts no runtime: leave out --bootstrap and -- CMD",
  ],
])("dev %j is refused with the fix", async (options, message) => {
  const result = await tool(["dev", "--port", "0", ...options], { cwd: FOLDER });
  expect(result).toEqual({ status: 2, out: "", errors: `error: ${message}\n` });
});

test("the port of the Runtime API is taken", async () => {
  await using taken = await takenPort();
  const { port } = taken;
  const result = await tool(["dev", "--port", "0", "--attach", String(port)], { cwd: FOLDER });
  expect(result.status).toBe(5);
  expect(result.errors).toMatch(
    new RegExp(
      `^error: port ${port} on 127.0.0.1 is in use by pid ${process.pid} \\(.+\\)\\n` +
        `  use --attach ${port + 1}\\n$`,
    ),
  );
});
