/**
 * 200,000 events over 4 environments with faults injected at random, seeded points.
 *
 *     bun build/tool-checks/load.ts [events] [seed]
 *
 * The real `serve` runs as a process of its own; its runtimes are the scripted client, which does
 * the fault that its event names. Checked: every caller gets exactly one response, right or a typed
 * error of the kind that the fault allows; no event is begun twice; descriptors, processes and
 * memory of the host do not grow.
 *
 * @module
 */

import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { reportErrors } from "../plain-errors.ts";

reportErrors();

const ROOT = join(import.meta.dir, "..", "..");
const EVENTS = Number(process.argv[2] ?? 200_000);
const SEED = Number(process.argv[3] ?? 20_261_120);
const WORKERS = 4;
const CALLERS = 24;
const QUEUE = 16;
/** Share of events with a fault. */
const FAULT_SHARE = 0.02;
/** Share of callers that go away before they have their response. */
const VANISH_SHARE = 0.002;
const RESIDENT_GROWTH_MAX_BYTES = 64 * 1024 * 1024;

/** What the caller of a fault may read: the right response, or one of these error types. */
const FAULTS: Readonly<Record<string, readonly string[]>> = {
  error: ["Asked"],
  exit: ["Runtime.ExitError"],
  kill: ["Runtime.ExitError"],
  hang: ["Sandbox.Timedout"],
  stop: ["Sandbox.Timedout"],
  "respond-twice": ["right"],
  "wrong-id": ["right"],
  "wrong-attempt": ["right"],
  garbage: ["right"],
  // One that breaks off and asks again at once may be given the event again, and responds to it then.
  truncate: ["Runtime.TruncatedResponse", "right"],
  "truncate-and-die": ["Runtime.ExitError", "Runtime.TruncatedResponse"],
  "bad-mode": ["empty"],
  "ask-twice": ["right"],
  "respond-and-die": ["right"],
  "die-while-waiting": ["right"],
  "drop-poll": ["right"],
  "die-and-fail-to-start": ["Runtime.ExitError"],
  "die-and-report-start": ["Runtime.ExitError"],
  "stream-error": ["Late"],
  "stream-break": ["Runtime.TruncatedResponse", "right"],
  "stream-and-die": ["Runtime.TruncatedResponse", "Runtime.ExitError"],
  "too-large": ["Function.ResponseSizeTooLarge"],
};

/**
 * Typed errors that may befall any event: the fault of the one before it killed its environment, or
 * the machine is so busy that its time ran out.
 */
const NEIGHBOUR = ["Runtime.ExitError", "Runtime.Asked", "Sandbox.Timedout"];

/** Mulberry32: the same faults at the same events for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Host {
  readonly url: string;
  readonly process: Bun.Subprocess;
}

async function startHost(folder: string): Promise<Host> {
  const command = [
    ...[process.execPath, join(ROOT, "src", "lambda-shell.ts"), "serve", folder, "--quiet"],
    ...["--port", "0", "--metrics-port", "0", "--workers", String(WORKERS), "--timeout", "0.6"],
    ...["--queue", String(QUEUE), "--name", "load", "--handler", "function.handler"],
    ...["--env", `SEEN_FILE=${folder}/seen`, "--env", `START_FILE=${folder}/start`],
    ...["--", process.execPath, join(ROOT, "fixtures/bootstraps/scripted/bootstrap.ts")],
  ];
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
  const reader = child.stderr.getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    text += new TextDecoder().decode(value);
    const port = /listening [\d.]+:(\d+)/.exec(text)?.[1];
    if (port !== undefined) {
      void (async () => {
        while (!(await reader.read()).done);
      })();
      return { url: `http://127.0.0.1:${port}`, process: child };
    }
    if (done) throw new Error(`failed to start the host: ${text}`);
  }
}

const counts = new Map<string, number>();
const problems: string[] = [];
const count = (what: string) => void counts.set(what, (counts.get(what) ?? 0) + 1);

/** What a caller reads: "right", "empty", "throttled", or the type of an error. */
async function call(
  url: string,
  event: Record<string, unknown>,
  vanishMs?: number,
): Promise<string> {
  const gone = vanishMs === undefined ? {} : { signal: AbortSignal.timeout(vanishMs) };
  const response = await fetch(`${url}/2015-03-31/functions/load/invocations`, {
    method: "POST",
    body: JSON.stringify(event),
    ...gone,
  });
  const text = await response.text();
  if (response.status === 429) return "throttled";
  if (response.status === 503) return "draining";
  if (response.status !== 200) return `status ${response.status}`;
  if (response.headers.get("x-amz-function-error") === null) {
    return JSON.parse(text).id === event["id"] ? "right" : `wrong: ${text.slice(0, 200)}`;
  }
  return text === "" ? "empty" : String(JSON.parse(text).errorType);
}

async function runEvent(url: string, id: number, next: () => number): Promise<void> {
  const kinds = Object.keys(FAULTS);
  const fault =
    next() < FAULT_SHARE ? (kinds[Math.floor(next() * kinds.length)] ?? "echo") : "echo";
  const vanishMs = next() < VANISH_SHARE ? 1 + Math.floor(next() * 20) : undefined;
  const event = { do: fault, id, status: Math.floor(next() * 256) };
  for (;;) {
    let outcome: string;
    try {
      outcome = await call(url, event, vanishMs);
    } catch (error) {
      if (vanishMs !== undefined) return count("caller vanished");
      problems.push(`event ${id} (${fault}): no response: ${error}`);
      return;
    }
    // Throttled: it was not run, the caller asks again as SDKs do.
    if (outcome === "throttled") {
      count("throttled");
      await Bun.sleep(1 + next() * 5);
      continue;
    }
    const allowed = fault === "echo" ? ["right"] : (FAULTS[fault] ?? []);
    if (allowed.includes(outcome)) return count(`${fault}: ${outcome}`);
    if (NEIGHBOUR.includes(outcome))
      return count(`${fault}: ${outcome} of its neighbour or a busy machine`);
    problems.push(`event ${id} (${fault}): ${outcome}`);
    return;
  }
}

interface Resources {
  readonly descriptors: number;
  readonly sockets: number;
  readonly residentBytes: number;
  readonly processes: number;
}

function resources(pid: number): Resources {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "";
    }
  });
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  return {
    descriptors: links.length,
    sockets: links.filter((link) => link.startsWith("socket:")).length,
    residentBytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024,
    processes: children.length,
  };
}

async function runAll(url: string, first: number, last: number, next: () => number): Promise<void> {
  let id = first;
  const caller = async () => {
    while (id <= last) {
      const mine = id;
      id += 1;
      await runEvent(url, mine, next);
      if (mine % 20_000 === 0) console.log(`${mine} events, ${problems.length} problems`);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

function check(what: string, holds: boolean): void {
  if (!holds) problems.push(what);
  console.log(`${holds ? "ok  " : "FAIL"} ${what}`);
}

const folder = mkdtempSync(join(tmpdir(), "load-"));
const host = await startHost(folder);
const { pid } = host.process;
const next = random(SEED);
const startedAtMs = performance.now();
const warmUp = Math.max(1, Math.floor(EVENTS / 10));
await runAll(host.url, 1, warmUp, next);
await Bun.sleep(2_500);
const before = resources(pid);
await runAll(host.url, warmUp + 1, EVENTS, next);
const seconds = (performance.now() - startedAtMs) / 1000;
await Bun.sleep(2_500);
const after = resources(pid);

// The end comes under load: a caller that is served gets the right response, the others are told.
const last = Array.from({ length: 200 }, (_, at) =>
  call(host.url, { do: "echo", id: EVENTS + 1 + at }).catch((error) => `refused: ${error.code}`),
);
await Bun.sleep(5);
host.process.kill("SIGTERM");
const endings = await Promise.all(last);
const status = await host.process.exited;

for (const [what, number] of [...counts].sort())
  console.log(`${String(number).padStart(7)}  ${what}`);
console.log(
  `${EVENTS} events, seed ${SEED}, ${seconds.toFixed(0)} s: ${Math.round(EVENTS / seconds)}/s`,
);
const seen = readFileSync(join(folder, "seen"), "utf8").trimEnd().split("\n");
const firstSeen = new Map([...seen.entries()].reverse().map(([at, id]) => [id, at]));
const twice = [...new Set(seen.filter((id, at) => (firstSeen.get(id) ?? at) !== at))];
check(`no event was begun twice (${seen.length} begun) ${twice.slice(0, 5)}`, twice.length === 0);
check(
  `at least 12 kinds of faults (${Object.keys(FAULTS).length})`,
  Object.keys(FAULTS).length >= 12,
);
check(
  `descriptors do not grow: ${before.descriptors} (${before.sockets} sockets) to ${after.descriptors} (${after.sockets})`,
  after.descriptors <= before.descriptors + 8,
);
check(`${after.processes} processes for ${WORKERS} workers`, after.processes === WORKERS);
const grown = after.residentBytes - before.residentBytes;
check(`memory grew by ${Math.round(grown / 1024 / 1024)} MiB`, grown <= RESIDENT_GROWTH_MAX_BYTES);
const known =
  /^(right|draining|throttled|refused: (ConnectionRefused|ECONNREFUSED|ECONNRESET|ConnectionClosed))$/;
check(
  `SIGTERM under load: ${summary(endings)}`,
  endings.every((each) => known.test(each)),
);
check(`the host ended with status ${status}`, status === 0);
rmSync(folder, { recursive: true });
for (const problem of problems.slice(0, 20)) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);

function summary(words: readonly string[]): string {
  const byWord = new Map<string, number>();
  for (const word of words) byWord.set(word, (byWord.get(word) ?? 0) + 1);
  return [...byWord].map(([word, number]) => `${number} ${word}`).join(", ");
}
