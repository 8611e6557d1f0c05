/**
 * Tests the preloaded `aws` of the finished layer beside its plain one: the process that the first call
 * inside Lambda leaves behind, and the calls that forks of it handle. Needs root, and moto's server.
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";

import { architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { MotoServer } from "../deployments/moto-server.ts";
import { stagedPython } from "./aws-cli-debian.ts";
import { outcomeOf, run } from "./command.ts";
import { FinishedLayer } from "./testing/finished-layer.ts";

/** Calls amid killed, stopped and frozen processes; fewer for a quick look. */
const UNREST_CALLS = process.env["UNREST_CALLS"] ?? "2000";

interface Result {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
  readonly files: Readonly<Record<string, string>>;
}

interface Compared {
  readonly name: string;
  readonly plain: Result;
  readonly preloaded: Result;
  readonly way: "fork" | "plain";
  readonly must: "plain" | null;
}

const HOST = HOST_ARCHITECTURE ?? architecture("amd64");

let layer: FinishedLayer;
let moto: MotoServer;

beforeAll(async () => {
  [layer, moto] = await Promise.all([FinishedLayer.unzip(HOST), MotoServer.start()]);
});

afterAll(() => moto.stop());

/** Runs a Python program of testing/ as the leader of a session without a terminal; parses its output. */
async function runInSession<T>(script: string, ...words: readonly string[]): Promise<T> {
  const child = Bun.spawn(
    ["python3", join(import.meta.dir, "testing", script), layer.opt, moto.url, ...words],
    {
      env: { PATH: "/usr/bin:/bin", PYTHONDONTWRITEBYTECODE: "1" },
      detached: true,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const { output, errors, status } = await outcomeOf(child);
  if (status !== 0) throw new Error(`failed to run ${script}: ${errors}`);
  return JSON.parse(output) as T;
}

const check = <T>(name: string) => runInSession<T>("server.py", name);

test("a preloaded call prints, does and ends with what a plain one does", async () => {
  const compared = await runInSession<readonly Compared[]>("calls.py");
  expect(compared.length).toBeGreaterThan(150);
  const preloaded = Object.fromEntries(compared.map((each) => [each.name, each.preloaded]));
  const plain = Object.fromEntries(compared.map((each) => [each.name, each.plain]));
  expect(preloaded).toEqual(plain);
  // Each model that is loaded is logged, also one that the server has kept.
  expect(plain["what is logged"]?.errors).toMatch(/Loading JSON file: \S+\.json\.zst\n/);
  const forked = compared.filter(({ way }) => way === "fork").map(({ name }) => name);
  const plainOnly = compared.filter(({ must }) => must === "plain").map(({ name }) => name);
  expect(forked.filter((name) => plainOnly.includes(name))).toEqual([]);
  // The others are not a proof if they have not been preloaded; on a loaded machine some take too long.
  expect(forked.length).toBeGreaterThan(compared.length / 2);
});

test("calls give what plain ones give while processes are killed, stopped and frozen", async () => {
  const { calls, faults, left } = await runInSession<{
    readonly calls: number;
    readonly faults: readonly string[];
    readonly left: readonly unknown[];
  }>("unrest.py", UNREST_CALLS, "7");
  expect({ calls, faults, left }).toEqual({ calls: Number(UNREST_CALLS), faults: [], left: [] });
});

test("neither secrets nor descriptors nor threads of a call stay behind", async () => {
  const found = await check<readonly unknown[]>("secrets");
  const nothing = { secrets: 0, threads: 1, descriptors: [], folder: "/" };
  expect(found).toEqual([nothing, nothing]);
});

test("a server is left in Lambda only, with 256 MB or more, in a session that goes on", async () => {
  expect(await check<unknown>("places")).toEqual({
    "in Lambda": 1,
    "with 256 MB": 1,
    "with 128 MB": 0,
    "without a Runtime API": 0,
    "without a function": 0,
    "with a variable of Python": 0,
    "with a library to preload": 0,
    "in a session of its own": 0,
  });
});

test("what a first call leaves only waits until it ends, or until somebody else calls", async () => {
  expect(await check<unknown>("waiting")).toEqual({
    score: 1000,
    few: true,
    held: [],
    folder: "/",
    meanwhile: 0,
    spare: true,
    same: true,
  });
});

test("a signal ends a preloaded call as it ends a plain one, and nothing stays", async () => {
  const { left, ...ends } = await check<Record<string, unknown> & { left: number }>("ends");
  for (const [signal, results] of Object.entries(ends)) {
    const [plain, preloaded] = results as readonly unknown[];
    expect({ signal, result: preloaded }).toEqual({ signal, result: plain });
  }
  expect(Object.keys(ends)).toHaveLength(8);
  expect(left).toBe(0);
});

test("timeout ends a preloaded call", async () => {
  expect(await check<unknown>("timeout")).toEqual([
    [124, true],
    [124, true],
  ]);
});

test("calls work when the server is stopped or killed, or when a stranger listens", async () => {
  expect(await check<unknown>("damage")).toEqual({
    stopped: [0, 0, 0],
    "spare stopped": [0, 0],
    killed: 0,
    stranger: 0,
  });
});

test("calls give what plain ones give to a user who can have no further process", async () => {
  const same = await check<readonly unknown[]>("processes");
  expect(same).toEqual(same.map(() => [true, true]));
  expect(same.length).toBeGreaterThan(10);
});

test("calls give what plain ones give to a user who can have no thread", async () => {
  const found = await check<readonly (readonly [number, string, string])[]>("threads");
  const [plain, preloaded, plainCopy, preloadedCopy] = found;
  expect(plain?.[0]).toBe(0);
  expect(preloaded).toEqual(plain);
  expect(plainCopy?.[2]).toContain("INSUFFICIENT_RESOURCE");
  expect(preloadedCopy).toEqual(plainCopy);
});

test("a server that can have no further process waits until it can", async () => {
  expect(await check<unknown>("full_table")).toEqual({ asleep: true, call: 0, spare: true });
});

test("a server whose spares die at once waits before it makes the next", async () => {
  expect(await check<unknown>("dying")).toEqual({ few: true, call: true, spare: true });
});

test("a call whose files may not be large does not end the server, nor what it learns of pages", async () => {
  expect(await check<unknown>("reports")).toEqual([true, [false, false, true]]);
});

test("a server that cannot have pages copied goes on", async () => {
  expect(await check<unknown>("ctypes")).toEqual([[0, 0, 0, 0], 1]);
});

test("a call goes on when one of another session has ended the server", async () => {
  expect(await check<unknown>("others")).toEqual([0, true]);
});

test("a system without locales has the same calls", async () => {
  expect(await check<unknown>("locales")).toEqual([3, 1, "", 1]);
});

test("the server ends with the session", async () => {
  expect(await check<unknown>("session")).toEqual([1, 0]);
});

test("in 256 MB the kernel takes the server rather than the function", async () => {
  const [status, output, errors] = await check<readonly [number, string, string]>("memory");
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  expect(output).toMatch(/^235929600\naws-cli\/2\.\S+ .*\n$/);
});

test("a waiting fork has the pages to which calls write, and no more than 32 MB", async () => {
  const [before, after] = await check<readonly [number, number]>("pages");
  expect(before).toBeLessThan(4_000);
  expect(after).toBeGreaterThan(8_000);
  expect(after).toBeLessThan(32_000);
});

test("copying pages leaves their content as it is", async () => {
  const script = join(import.meta.dir, "testing/copied-pages.py");
  const output = await run([...stagedPython(layer.opt, HOST), script, join(layer.opt, "aws-cli")], {
    env: {},
  });
  const found = JSON.parse(output) as { pages: number; first: number; later: [number, boolean] };
  const { pages, first, later, ...others } = found;
  expect(others).toEqual({ told: true, same: true, "same in server": true } as typeof others);
  expect(first).toBeGreaterThanOrEqual(pages);
  expect(later[0]).toBeLessThan(pages / 4);
  expect(later[1]).toBe(false);
});
