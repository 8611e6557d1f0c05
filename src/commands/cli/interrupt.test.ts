/** Signals, before anything is ready and while a handler runs. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import {
  CURL_LOOP,
  functionFolder,
  SCRIPTED,
  startTool,
  toolCommand,
} from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

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

const SIGNALS = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
  ["SIGQUIT", 131],
  ["SIGUSR1", 138],
  ["SIGUSR2", 140],
] as const;

/** A function whose handler spins, and has a daemon that has left it; with the file that tells of both. */
function spinningFunction(): { readonly folder: string; readonly pids: string } {
  const folder = functionFolder({ "function.sh": "" });
  const pids = join(temporaryFolder("spinning"), "pids");
  const daemon = `env -i setsid -f sh -c 'echo $$ >> ${pids}; exec sleep 1000'`;
  const spin = `sh -c 'echo $$ >> ${pids}; while :; do :; done'`;
  writeFileSync(join(folder, "function.sh"), `handler() { ${daemon}; ${spin}; }\n`);
  return { folder, pids };
}

/** The numbers of both processes, once they have begun. */
async function spinning(pids: string): Promise<readonly number[]> {
  for (;;) {
    const lines = existsSync(pids) ? readFileSync(pids, "utf8").trim().split("\n") : [];
    if (lines.length === 2) return lines.map(Number);
    await Bun.sleep(5);
  }
}

/** Waits until processes have gone, or are only names in the table. */
async function gone(pids: readonly number[]): Promise<void> {
  const lives = (pid: number) => {
    try {
      return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    } catch {
      return false;
    }
  };
  while (pids.some(lives)) await Bun.sleep(5);
}

const LONG = ["--timeout", "600", ...CURL_LOOP];

test.each([...SIGNALS, ["SIGKILL", 137] as const])(
  "%s ends serve and dev with all that a handler runs, when the time of --grace is over",
  async (signal, killed) => {
    for (const command of ["serve", "dev"]) {
      const { folder, pids } = spinningFunction();
      const metrics = command === "serve" ? ["--metrics-port", "0"] : [];
      const options = ["--port", "0", ...metrics, "--grace", "100ms"];
      const served = await startTool([command, folder, ...options, ...LONG]);
      const response = fetch(served.url, { method: "POST", body: "{}" }).catch(() => undefined);
      const processes = await spinning(pids);
      expect(await served.stop(signal)).toBe(signal === "SIGKILL" ? killed : 0);
      await gone(processes);
      await response;
    }
  },
);

test.each([...SIGNALS, ["SIGKILL", 137] as const])(
  "%s ends run and invoke with all that a handler runs, and is their exit status",
  async (signal, status) => {
    const bootstrap = ["--bootstrap", CURL_LOOP[1] ?? "", "--timeout", "600"];
    for (const words of [["run"], ["invoke", "--dir"]]) {
      const { folder, pids } = spinningFunction();
      const child = Bun.spawn([...toolCommand([...words, folder, ...bootstrap])], {
        env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
        stdin: new Blob(["{}"]),
        stdout: "ignore",
        stderr: "ignore",
      });
      const processes = await spinning(pids);
      child.kill(signal);
      expect(await child.exited).toBe(status);
      await gone(processes);
    }
  },
);

test("a command that was started with nohup outlives the terminal", async () => {
  const { folder, pids } = spinningFunction();
  const args = toolCommand(["run", folder, "--timeout", "600", ...CURL_LOOP]);
  const child = Bun.spawn(["/bin/sh", "-c", 'trap "" HUP; exec "$@"', "sh", ...args], {
    env: { PATH: process.env["PATH"] ?? "" },
    stdin: new Blob(["{}"]),
    stdout: "ignore",
    stderr: "ignore",
  });
  const processes = await spinning(pids);
  child.kill("SIGHUP");
  await Bun.sleep(300);
  expect(child.exitCode).toBeNull();
  child.kill("SIGTERM");
  expect(await child.exited).toBe(143);
  await gone(processes);
});
