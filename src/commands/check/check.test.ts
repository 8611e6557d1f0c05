/** `check` finds what the runtime would refuse, in the runtime's own words. */

import { expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { join } from "node:path";

import { functionFolder, tool } from "../../testing/running-tool.ts";

const HANDLER = "handler() { :; }\n";

test("a folder where nothing is wrong has exit status 0, and says so", async () => {
  const folder = functionFolder({ "function.sh": HANDLER });
  const { status, errors } = await tool(["check", folder]);
  expect(errors).toBe(`${folder}: nothing to complain of\n`);
  expect(status).toBe(0);
});

const MISTAKES: readonly (readonly [handler: string, script: string, finding: string])[] = [
  ["function", HANDLER, "names no function part: write FILE.FUNCTION"],
  ["function.a;b", HANDLER, "names no shell function: write FILE.FUNCTION"],
  ["other.handler", HANDLER, "no file for the handler other.handler: tried other.handler and"],
  ["function.handler", `#!/bin/sh -c python3\n${HANDLER}`, ""],
  ["function.handler", `#!/no/such/shell\n${HANDLER}`, "missing or not executable: /no/such/shell"],
  ["function.handler", `#!/usr/bin/env\n${HANDLER}`, "env finds no  in PATH"],
  ["function.handler", `#!/bin/cat\n${HANDLER}`, "names /bin/cat, which is no shell"],
];

test.each(MISTAKES)("--handler %s with the script %j: %s", async (handler, script, finding) => {
  const folder = functionFolder({ "function.sh": script });
  const { status, errors } = await tool(["check", folder, "--handler", handler]);
  if (finding === "") return expect([status, errors]).toEqual([0, expect.any(String)]);
  expect(errors).toContain(finding);
  expect(errors).toMatch(/\n {2}on AWS this fails with: Runtime\.\w+\n/);
  expect(status).toBe(1);
});

test("a folder with a bootstrap of its own may mean anything by its handler", async () => {
  const folder = functionFolder({ bootstrap: "#!/bin/sh\n" });
  chmodSync(join(folder, "bootstrap"), 0o755);
  const { status } = await tool(["check", folder, "--handler", "app.main"]);
  expect(status).toBe(0);
});
