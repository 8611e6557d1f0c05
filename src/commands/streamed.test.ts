/** Commands and responses that are still written: what breaks off is not a success, what runs may end. */

import { expect, test } from "bun:test";
import { chmodSync } from "node:fs";

import { functionFolder, SCRIPTED, startTool, tool } from "../testing/running-tool.ts";

const STUCK = '{"do":"stream","lines":2,"ms":600000}';
/** The client may have logged, before it is killed, that its connection has gone. */
const TIMED_OUT = "error: function timed out after 1.00 s (Sandbox.Timedout)\n";
const REPORTED = "error: Late after ";

/** A folder whose own bootstrap is the scripted client. */
const scriptedFolder = () => {
  const [, program = "", script = ""] = SCRIPTED;
  const folder = functionFolder({ bootstrap: `#!/bin/sh\nexec '${program}' '${script}'\n` });
  chmodSync(`${folder}/bootstrap`, 0o755);
  return folder;
};

test("invoke without a server: a stream that breaks off has the status of its error", async () => {
  const folder = scriptedFolder();
  const once = (event: string, ...options: readonly string[]) =>
    tool(["invoke", "--dir", folder, "--timeout", "1", "-d", event, ...options]);
  const late = await once(STUCK);
  expect([late.status, late.out]).toEqual([3, "line 1\n"]);
  expect(late.errors).toContain(TIMED_OUT);
  const failed = await once('{"do":"stream-error"}');
  expect([failed.status, failed.out]).toEqual([1, "one\ntwo\n"]);
  expect(failed.errors).toStartWith(REPORTED);
  expect((await once('{"do":"stream-error"}', "--no-fail")).status).toBe(0);
  const whole = await once('{"do":"stream","lines":2,"text":"told"}', "--tail");
  expect([whole.status, whole.out]).toEqual([0, "line 1\nline 2\n"]);
  expect(whole.errors).toMatch(/^told\n200 · [\d.]+ ms · init \d+ ms · \d+ MB\n$/);
});

test("run: a stream that breaks off is its error, with its status", async () => {
  const late = await tool(["run", "--timeout", "1", ...SCRIPTED], { input: STUCK });
  expect(late.status).toBe(3);
  expect(JSON.parse(late.out)).toMatchObject({ errorType: "Sandbox.Timedout" });
  expect(late.errors).toContain(TIMED_OUT);
  const failed = await tool(["run", ...SCRIPTED], { input: '{"do":"stream-error"}' });
  expect([failed.status, failed.out]).toEqual([
    1,
    '{"errorType":"Late","errorMessage":"in the middle"}\n',
  ]);
  expect(failed.errors).toStartWith(REPORTED);
});

test("invoke of a server: a stream past its deadline has the status of a time-out", async () => {
  await using served = await startTool([
    ...["serve", "--port", "0", "--metrics-port", "0", "--timeout", "1"],
    ...SCRIPTED,
  ]);
  const late = await tool(["invoke", "--url", served.url, "-d", STUCK]);
  expect(late.status).toBe(3);
  expect(late.errors).toContain(TIMED_OUT);
  await served.logged("Status: timeout");
});

test("SIGTERM lets a stream run to its last byte", async () => {
  await using served = await startTool([
    ...["serve", "--port", "0", "--metrics-port", "0", "--workers", "1"],
    ...SCRIPTED,
  ]);
  const body = '{"do":"stream","lines":4,"ms":100}';
  const response = await fetch(served.url, { method: "POST", body });
  const stopped = served.stop();
  expect(await response.text()).toBe("line 1\nline 2\nline 3\nline 4\n");
  expect(await stopped).toBe(0);
});
