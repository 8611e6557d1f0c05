import { expect, test } from "bun:test";
import { join } from "node:path";

import { WAIT_MS } from "../testing/ended-children-program.ts";

/** What a program prints whose child ends while it waits. */
function run(wait: "poll" | "sleep"): string {
  const program = join(import.meta.dir, "../testing/ended-children-program.ts");
  const { stdout, stderr } = Bun.spawnSync([process.execPath, program, wait], { timeout: 30_000 });
  expect(stderr.toString()).toBe("");
  return stdout.toString();
}

test("a poller is told when a child ends, while it waits for something else", () => {
  expect(run("poll")).toBe('{"kind":"exited","status":3}\n');
});

test("a sleep does not end when a child does", () => {
  expect(Number(run("sleep"))).toBeGreaterThanOrEqual(WAIT_MS);
});
