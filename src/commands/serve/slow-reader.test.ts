/** A log that is read slowly, as at a terminal that is stopped: the function waits, and nothing is lost. */

import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { freePort } from "../../testing/ports.ts";
import { CURL_LOOP, functionFolder, toolCommand } from "../../testing/running-tool.ts";
import { temporaryFolder } from "../../testing/temporary-folder.ts";

const LOG_BYTES = 600_000_000;

/** Writes lines of a thousand characters. */
const HANDLER = `handler() {
  yes "$(printf %0999d 0)" | head -c ${LOG_BYTES} >&2
  printf 1
}
`;

/** Most memory that a process has had, in bytes; 0 when it has gone. */
function peakBytes(pid: number): number {
  const path = `/proc/${pid}/status`;
  const status = existsSync(path) ? readFileSync(path, "utf8") : "";
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

test.each([
  ["run", []],
  ["serve", ["--metrics-port", "0"]],
  ["serve", ["--metrics-port", "0", "--log", "json"]],
  ["dev", []],
] as const)(
  "%s %j does not keep a log that nobody reads yet, and loses nothing of it",
  async (command, options) => {
    const folder = functionFolder({ "function.sh": HANDLER });
    const results = temporaryFolder("log");
    const [pid = "", bytes = ""] = ["pid", "bytes"].map((name) => join(results, name));
    const script = `echo $$ > ${pid}; exec "$@" 2> >(sleep 4; exec wc -c > ${bytes})`;
    const port = await freePort();
    const address = command === "run" ? [] : ["--port", String(port)];
    const args = [command, ...options, ...address, "--timeout", "100", folder, ...CURL_LOOP];
    const child = Bun.spawn(["bash", "-c", script, "sh", ...toolCommand(args)], {
      stdin: new Blob(["{}"]),
      stdout: "ignore",
    });
    let peak = 0;
    const watch = setInterval(() => {
      if (existsSync(pid)) peak = Math.max(peak, peakBytes(Number(readFileSync(pid, "utf8"))));
    }, 20);
    if (command !== "run") {
      expect(await invoked(`http://127.0.0.1:${port}`)).toBe("1");
      child.kill();
    }
    expect(await child.exited).toBe(0);
    clearInterval(watch);
    while (!existsSync(bytes) || readFileSync(bytes, "utf8") === "") await Bun.sleep(20);
    expect(Number(readFileSync(bytes, "utf8"))).toBeGreaterThanOrEqual(LOG_BYTES);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(LOG_BYTES / 2);
  },
);

/** The response of a server as soon as it is there. */
async function invoked(url: string): Promise<string> {
  while (
    !(await fetch(url).then(
      () => true,
      () => false,
    ))
  )
    await Bun.sleep(20);
  const path = "/2015-03-31/functions/probe/invocations";
  return (await fetch(url + path, { method: "POST", body: "{}" })).text();
}
