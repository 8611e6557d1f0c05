/** One signal ends a command, also when nobody reads what it prints. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { freePort } from "../../testing/ports.ts";
import { CURL_LOOP, functionFolder, toolCommand } from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

/** More lines than any pipe holds. */
const FILL = `yes "$(printf %0999d 0)" | head -n 2000 >&2`;

/** Longest time in which a command may end that is told to, in milliseconds. */
const ENDED_MS = 9_000;

/** Standard output or standard error that nobody reads, or that takes nothing. */
const UNREAD = {
  "standard error that nobody reads": "2> >(exec sleep 1000)",
  "standard error that is closed": "2>&-",
  "standard error and output that nobody reads": "> >(exec sleep 1000) 2>&1",
  "standard error that is full": "2> /dev/full",
} as const;

/** Starts the tool so, without a shell in between. */
function start(args: readonly string[], redirection: string) {
  const script = `exec "$@" ${redirection}`;
  // Of a group of its own, so that the readers that never read are ended with the test.
  return Bun.spawn(["setsid", "bash", "-c", script, "sh", ...toolCommand(args)], {
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
    stdin: new Blob(["{}"]),
    stdout: "ignore",
    stderr: "ignore",
  });
}

function endReaders(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // None of them is left.
  }
}

/** A handler that leaves a daemon, and does more; with the file that has their numbers. */
function loggingFunction(more: string): { readonly folder: string; readonly pids: string } {
  const folder = functionFolder({ "function.sh": "" });
  const pids = join(temporaryFolder("unread"), "pids");
  const daemon = `env -i setsid -f sh -c 'echo $$ >> ${pids}; exec sleep 1000' > /dev/null 2>&1`;
  writeFileSync(join(folder, "function.sh"), `handler() { ${daemon}; ${more} }\n`);
  return { folder, pids };
}

async function daemonOf(pids: string): Promise<number> {
  while (!existsSync(pids) || !readFileSync(pids, "utf8").endsWith("\n")) await Bun.sleep(5);
  return Number(readFileSync(pids, "utf8"));
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function listening(url: string): Promise<void> {
  const responds = () =>
    fetch(`${url}/_lambda-shell/health`).then(
      () => true,
      () => false,
    );
  while (!(await responds())) await Bun.sleep(20);
}

/** A command that does not end is ended with its test, in milliseconds. */
const TEST_MS = 30_000;

const invoke = (url: string) =>
  fetch(`${url}/2015-03-31/functions/probe/invocations`, { method: "POST", body: "{}" });

const SERVERS = [
  ["serve", ["--metrics-port", "0"]],
  ["serve", ["--metrics-port", "0", "--log", "json"]],
  ["dev", []],
] as const;

const CASES = SERVERS.flatMap(([command, options]) =>
  Object.entries(UNREAD).map(
    ([name, redirection]) => [command, options, name, redirection] as const,
  ),
);

// Most of what they do is wait.
test.concurrent.each(CASES)(
  "%s %j ends at one SIGTERM with all that it has started: %s",
  async (command, options, _name, redirection) => {
    const { folder, pids } = loggingFunction(`${FILL}; printf 1;`);
    const port = await freePort();
    const args = [command, ...options, "--port", String(port), "--timeout", "600", folder];
    const child = start([...args, ...CURL_LOOP], redirection);
    const url = `http://127.0.0.1:${port}`;
    await listening(url);
    const response = invoke(url).catch(() => undefined);
    const daemon = await daemonOf(pids);
    await Bun.sleep(1_000);
    const startedAtMs = performance.now();
    child.kill("SIGTERM");
    const status = await child.exited;
    expect(performance.now() - startedAtMs).toBeLessThan(ENDED_MS);
    expect(status).toBe(0);
    // The log is in nobody's way any more: the event that waited for it has its response.
    expect(await (await response)?.text()).toBe("1");
    while (isAlive(daemon)) await Bun.sleep(5);
    endReaders(child.pid);
  },
  TEST_MS,
);

test.concurrent.each([...SERVERS])(
  "%s %j ends by itself, with its first line, when the reader of its log has gone",
  async (command, options) => {
    const folder = functionFolder({ "function.sh": "handler() { :; }\n" });
    const args = [command, ...options, "--port", "0", folder, ...CURL_LOOP];
    expect(await start(args, "2> >(exec true)").exited).toBe(141);
  },
  TEST_MS,
);

test.concurrent.each([...SERVERS])(
  "%s %j ends at one SIGTERM when its log is full of what an event still writes",
  async (command, options) => {
    const { folder, pids } = loggingFunction("while :; do echo line >&2; done;");
    const port = await freePort();
    const args = [command, ...options, "--port", String(port), "--timeout", "600", "--grace", "1"];
    const child = start([...args, folder, ...CURL_LOOP], "2> >(exec sleep 1000)");
    const url = `http://127.0.0.1:${port}`;
    await listening(url);
    const response = invoke(url).catch(() => undefined);
    const daemon = await daemonOf(pids);
    await Bun.sleep(1_000);
    const startedAtMs = performance.now();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(performance.now() - startedAtMs).toBeLessThan(ENDED_MS);
    while (isAlive(daemon)) await Bun.sleep(5);
    await response;
    endReaders(child.pid);
  },
  TEST_MS,
);

test.concurrent.each([
  ["run", "2> >(exec sleep 1000)", FILL],
  ["run", "> >(exec sleep 1000)", "yes abcdefg | head -c 120000"],
  ["invoke", "> >(exec sleep 1000)", "yes abcdefg | head -c 120000"],
  ["invoke", "2> >(exec sleep 1000) > >(exec sleep 1000)", "yes abcdefg | head -c 120000"],
])(
  "%s ends at one SIGTERM when nobody reads its output (%s)",
  async (command, redirection, work) => {
    const { folder, pids } = loggingFunction(`${work};`);
    const bootstrap = ["--bootstrap", CURL_LOOP[1] ?? "", "--timeout", "600"];
    const words = command === "run" ? ["run", folder] : ["invoke", "--dir", folder];
    const child = start([...words, ...bootstrap], redirection);
    const daemon = await daemonOf(pids);
    await Bun.sleep(1_000);
    const startedAtMs = performance.now();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
    expect(performance.now() - startedAtMs).toBeLessThan(ENDED_MS);
    while (isAlive(daemon)) await Bun.sleep(5);
    endReaders(child.pid);
  },
  TEST_MS,
);

/** Starts the tool at a terminal that is stopped; a line on standard input lets that go on. */
async function atStoppedTerminal(args: readonly string[]) {
  const driver = join(import.meta.dir, "..", "..", "testing", "stopped-terminal.py");
  const child = Bun.spawn(["python3", driver, ...toolCommand(args)], {
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1" },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const { value } = await child.stderr.getReader().read();
  return { child, pid: Number(new TextDecoder().decode(value)) };
}

test.concurrent.each([...SERVERS])(
  "%s %j responds and ends while its terminal is stopped",
  async (command, options) => {
    const folder = functionFolder({ "function.sh": "handler() { echo logged >&2; printf 1; }\n" });
    const port = await freePort();
    const args = [command, ...options, "--port", String(port), folder];
    const { child, pid } = await atStoppedTerminal([...args, ...CURL_LOOP]);
    const url = `http://127.0.0.1:${port}`;
    await listening(url);
    expect(await (await invoke(url)).text()).toBe("1");
    const startedAtMs = performance.now();
    process.kill(pid, "SIGTERM");
    expect(await child.exited).toBe(0);
    expect(performance.now() - startedAtMs).toBeLessThan(ENDED_MS);
  },
  TEST_MS,
);

test.concurrent(
  "all that is printed while a terminal is stopped stands there when it goes on",
  async () => {
    const length = 100_000;
    const folder = functionFolder({
      "function.sh": `handler() { printf '%0${length}d' 0; echo logged >&2; }\n`,
      "event.json": "{}",
    });
    const args = ["run", "--event-file", join(folder, "event.json"), folder, ...CURL_LOOP];
    const { child } = await atStoppedTerminal(args);
    await Bun.sleep(2_000);
    expect(child.exitCode).toBeNull();
    child.stdin.write("\n");
    void child.stdin.flush();
    const shown = await new Response(child.stdout).text();
    expect(await child.exited).toBe(0);
    expect(shown).toContain("0".repeat(length));
    expect(shown).toContain("logged");
  },
  TEST_MS,
);
