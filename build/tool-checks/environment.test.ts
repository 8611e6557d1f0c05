/**
 * The compiled tool: variables that configure Bun are for the functions that it runs, not for itself.
 *
 * @module
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { HOST_ARCHITECTURE } from "../architectures.ts";
import { compile, TOOL } from "../compile.ts";

const BOOTSTRAP = join(import.meta.dir, "../../dist", `bootstrap-${HOST_ARCHITECTURE?.name}`);
const COMPILE_MS_MAX = 120_000;

/** Each with what it does to an executable that is left as Bun makes it. */
const CONFIGURING_BUN: Readonly<Record<string, string>> = {
  BUN_OPTIONS: "--preload=./spoil.ts", // runs that file in the tool
  BUN_BE_BUN: "1", // makes it the command `bun`
  BUN_INSPECT: "ws://127.0.0.1:0/x?wait=1", // waits for a debugger
  BUN_JSC_nosuch: "1", // refused
  BUN_JSC_dumpOptions: "1", // prints
  BUN_CONFIG_VERBOSE_FETCH: "curl", // prints
  MIMALLOC_VERBOSE: "1", // prints
  mimalloc_show_stats: "1", // prints
  NODE_CHANNEL_FD: "1", // taken for a channel to a parent
  NODE_UNIQUE_ID: "1",
};

const folder = temporaryFolder("tool");
let tool = "";

beforeAll(async () => {
  if (HOST_ARCHITECTURE === undefined) throw new Error(`there is no tool for ${process.arch}`);
  tool = await compile(TOOL, HOST_ARCHITECTURE, folder);
  writeFileSync(join(folder, "function.sh"), "handler() { env; }\n");
  writeFileSync(join(folder, "spoil.ts"), "process.exit(99);\n");
}, COMPILE_MS_MAX);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(variables: Readonly<Record<string, string>>, ...options: string[]) {
  const words = [tool, "run", "--bootstrap", BOOTSTRAP, ...options, folder];
  const { stdout, stderr, exitCode } = Bun.spawnSync(words, {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1", ...variables },
    stdin: Buffer.from("{}"),
    timeout: COMPILE_MS_MAX / 2,
  });
  return { out: stdout.toString(), errors: stderr.toString(), exitCode };
}

test.each([
  ...Object.entries(CONFIGURING_BUN).map(
    (entry) => [entry[0], Object.fromEntries([entry])] as const,
  ),
  ["all of them", CONFIGURING_BUN] as const,
])("a variable that configures Bun is the function's: %s", (_, variables) => {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const inherited = run(variables, "--inherit-env");
  expect([inherited.exitCode, inherited.errors]).toEqual([0, ""]);
  expect(inherited.out.split("\n").filter((line) => lines.includes(line))).toHaveLength(
    lines.length,
  );
  const named = run(variables, ...Object.keys(variables).flatMap((name) => ["--env", name]));
  expect(named.out.split("\n").filter((line) => lines.includes(line))).toHaveLength(lines.length);
  // Those of the developer's computer do not leak.
  const plain = run(variables);
  expect([plain.exitCode, plain.errors]).toEqual([0, ""]);
  expect(plain.out.split("\n").filter((line) => lines.includes(line))).toEqual([]);
});
