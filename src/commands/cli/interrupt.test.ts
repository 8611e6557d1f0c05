/** Signals that come before anything is ready. */

import { expect, test } from "bun:test";

import { functionFolder, SCRIPTED, startTool } from "../../testing/running-tool.ts";

test.each([
  ["serve", ["--metrics-port", "0"]],
  ["dev", []],
] as const)("%s ends cleanly while its environments start", async (command, options) => {
  const folder = functionFolder({ "function.sh": "" });
  const args = [command, "--port", "0", ...options, "--handler", "init-hang", folder];
  const served = await startTool([...args, ...SCRIPTED]);
  // The metrics count environments that have been begun.
  const starting = /lambda_shell_workers\{state="starting"\} [1-9]/;
  const metrics = async () => (await fetch(`${served.url}/_lambda-shell/metrics`)).text();
  while (!starting.test(await metrics())) await Bun.sleep(1);
  expect(await served.stop()).toBe(0);
  expect(served.errors()).not.toContain("failed to start");
  expect(served.errors()).not.toContain("ready");
});
