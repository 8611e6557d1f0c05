import { expect, test } from "bun:test";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..", "..");

/** What make would do to package a function for an architecture. */
function dryRun(architecture: string) {
  const command = ["make", "--dry-run", "package", `ARCH=${architecture}`];
  const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: ROOT });
  return { status: exitCode, out: stdout.toString(), errors: stderr.toString() };
}

test.each([
  ["amd64", "amd64"],
  ["x86_64", "amd64"],
  ["arm64", "arm64"],
  ["aarch64", "arm64"],
])("make package ARCH=%s packages for %s", (given, meant) => {
  const { status, out } = dryRun(given);
  expect(status).toBe(0);
  expect(out).toContain(`--arch ${meant} `);
});

test("make package says what is wrong with another ARCH", () => {
  const { status, errors } = dryRun("mips");
  expect(status).toBe(2);
  expect(errors).toContain("ARCH=mips is neither amd64 nor arm64");
});
