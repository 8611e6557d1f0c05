import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { testSettings } from "../../testing/host/running-host.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";
import { FunctionPool } from "../function/function-pool.ts";
import { processTree } from "./process.ts";

/** What the scripted client starts: a child, one without its variables, one without a parent. */
const DAEMONS = ["child", "bare", "orphan"];

/** Runs an event that starts daemons in sessions of their own, and returns their process ids. */
async function daemons(pool: FunctionPool, folder: string, then: string): Promise<number[]> {
  await pool.invoke({ event: Buffer.from(JSON.stringify({ do: "daemons", then })) });
  return DAEMONS.map((name) => Number(readFileSync(join(folder, `pid.${name}`), "utf8")));
}

/** Waits until a process has gone, or is only a name in the table. */
async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(status(pid))) await Bun.sleep(5);
}

function status(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "State:\tZ";
  }
}

test("nothing of an event that timed out runs on, in whatever session it is", async () => {
  const folder = temporaryFolder("daemons");
  const pool = new FunctionPool(
    testSettings({ timeoutMs: 3_000, variables: { PIDS_FOLDER: folder } }),
  );
  pool.start();
  const pids = await daemons(pool, folder, "hang");
  for (const pid of pids) await gone(pid);
  const next = await pool.invoke({ event: Buffer.from('{"id":2}') });
  expect(next.kind).toBe("response");
  await pool.stop();
});

test("a runtime that ends takes along all that it started; other environments live", async () => {
  const folder = temporaryFolder("daemons");
  const pool = new FunctionPool(testSettings({ variables: { PIDS_FOLDER: folder } }));
  const other = new FunctionPool(testSettings());
  pool.start();
  other.start();
  const alive = await other.invoke({ event: Buffer.from('{"do":"pid"}') });
  const pid = alive.kind === "response" ? Number(Buffer.from(alive.body).toString()) : 0;
  for (const daemon of await daemons(pool, folder, "kill")) await gone(daemon);
  expect(status(pid)).not.toMatch(/^State:\tZ/m);
  await pool.stop();
  await other.stop();
});

test("daemons of an event that went well live until the environment is stopped", async () => {
  const folder = temporaryFolder("daemons");
  const pool = new FunctionPool(testSettings({ variables: { PIDS_FOLDER: folder } }));
  pool.start();
  const pids = await daemons(pool, folder, "echo");
  await pool.invoke({ event: Buffer.from("{}") });
  for (const pid of pids) expect(status(pid)).toMatch(/^State:\t[SR]/m);
  await pool.stop();
  for (const pid of pids) await gone(pid);
});

/** Starts programs from several threads, some of which have ended. */
const THREADS = `
import subprocess, threading, time
def start(seconds):
    subprocess.Popen(["sleep", seconds])
def stay(seconds, started):
    start(seconds)
    started.set()
    time.sleep(60)
for seconds in ["61", "62"]:
    thread = threading.Thread(target=start, args=[seconds])
    thread.start()
    thread.join()
for seconds in ["63", "64"]:
    started = threading.Event()
    threading.Thread(target=stay, args=[seconds, started]).start()
    started.wait()
start("65")
print("started", flush=True)
time.sleep(60)
`;

test("what any thread of a process has started is below it", async () => {
  const child = Bun.spawn(["python3", "-c", THREADS], { stdout: "pipe", stderr: "inherit" });
  const below = () => processTree(child.pid).slice(1);
  try {
    const { value } = await child.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toStartWith("started");
    // A program has no command line in the moment in which it is executed.
    while (below().length < 5) await Bun.sleep(5);
    const commands = below().map(({ command }) => command);
    expect(commands.sort()).toEqual([61, 62, 63, 64, 65].map((seconds) => `sleep ${seconds}`));
    expect(below().every(({ parentPid }) => parentPid === child.pid)).toBeTrue();
  } finally {
    for (const { pid } of below()) process.kill(pid, "SIGKILL");
    child.kill("SIGKILL");
    await child.exited;
  }
});
