/**
 * What an event costs in processes and system calls, counted by strace.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { descendants } from "../testing/process-facts.ts";
import { type ShellName, SHELLS } from "../testing/shells.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const STRACE = Bun.which("strace");
if (STRACE === null) throw new Error('failed to find strace: "apt-get install strace"');

const EVENTS = 50;
/** Below strace: the runtime, the loaded shell, and the fork that waits for an event. */
const PROCESSES_AT_REST = 3;
/** Far below one call a byte for an event of this size, far above what blocks of 4 KiB need. */
const LARGE_EVENT_BYTES = 65_536;
const LARGE_EVENT_CALLS_MAX = 1_000;

/** Runs events under strace and returns the traced calls, in order, one a line. */
async function traced(
  shell: ShellName,
  calls: string,
  events: readonly string[],
): Promise<readonly string[]> {
  const output = join(temporaryFolder("strace"), "trace");
  await using environment = await EnvironmentUnderTest.start({
    shell,
    files: { "function.sh": "handler() { printf '%s' \"${#1}\"; }" },
    wrapper: [STRACE ?? "strace", "-f", "-qq", "-o", output, "-e", `trace=${calls}`],
  });
  const { api, bootstrap, exited } = environment;
  for (const body of events) {
    expect((await api.invoke({ body })).latin1).toBe(String(body.length));
  }
  await api.idle();
  // The fork for the next event is made while the runtime asks for it: it must always be counted.
  while (descendants(bootstrap.pid).length !== PROCESSES_AT_REST) await Bun.sleep(1);
  // strace itself takes no signals; it ends when the runtime below it has ended.
  const [runtime = 0] = descendants(bootstrap.pid);
  process.kill(runtime, "SIGTERM");
  await exited;
  return readFileSync(output, "latin1")
    .split("\n")
    .filter((line) => !line.includes("resumed>"));
}

const isFork = (line: string) =>
  /^\d+ +(fork|vfork|clone3?)\(/.test(line) && !line.includes("CLONE_THREAD");
const isExec = (line: string) => /^\d+ +execve(at)?\(/.test(line);

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test("a warm event of a handler that uses builtins is one fork and no exec", async () => {
    const calls = "execve,execveat,fork,vfork,clone,clone3";
    const events = (count: number) => Array.from({ length: count }, () => "x");
    const [few, many] = [
      await traced(shell, calls, events(1)),
      await traced(shell, calls, events(1 + EVENTS)),
    ];
    expect(many.filter(isExec).length).toBe(few.filter(isExec).length);
    expect(many.filter(isFork).length - few.filter(isFork).length).toBe(EVENTS);
  });

  test("a large event is not read byte by byte", async () => {
    const calls = "read,pread64,readv,recvfrom,recvmsg";
    const small = await traced(shell, calls, ["x", "x"]);
    const large = await traced(shell, calls, ["x", "x".repeat(LARGE_EVENT_BYTES)]);
    expect(large.length - small.length).toBeLessThan(LARGE_EVENT_CALLS_MAX);
  });

  test("what loading leaves behind is the runtime's to reap, however late the runtime is", async () => {
    const text = `(sleep 100 >/dev/null 2>&1 & echo $! >orphan)
      sleep 0.1
      handler() { read -r pid <orphan; read -r _ _ _ parent _ <"/proc/$pid/stat"; printf '%s' "$((parent - PPID))"; }`;
    const late = ["-e", "trace=prctl", "-e", "inject=prctl:delay_enter=300000"];
    await using environment = await EnvironmentUnderTest.start({
      shell,
      files: { "function.sh": text },
      wrapper: [STRACE ?? "strace", "-f", "-qq", "-o", "/dev/null", ...late],
    });
    expect((await environment.api.invoke()).latin1).toBe("0");
  });
});
