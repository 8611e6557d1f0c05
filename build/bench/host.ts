/**
 * What the host costs: `serve` against the runtime's own warm time, a naive host, and itself with
 * more environments.
 *
 *     bun build/bench/host.ts [rounds]
 *
 * All subjects take turns in one run, so that a busy machine slows all of them; what counts are
 * differences and
 * ratios. The runtime is our bootstrap with the hello function.
 *
 * @module
 */

import { mkdirSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { cpus } from "node:os";
import { join } from "node:path";

import { HEADER, PATH } from "../../src/runtime-api/contract.ts";

const ROOT = join(import.meta.dir, "..", "..");
const BOOTSTRAP = join(
  ROOT,
  "dist",
  process.arch === "arm64" ? "bootstrap-arm64" : "bootstrap-amd64",
);
const FUNCTION = join(ROOT, "fixtures", "functions", "hello");
const SPIN = join(import.meta.dir, "host-spin");
const EVENT = '{"name":"bench"}';
const ROUNDS = Number(process.argv[2] ?? 5);
const WARM_EVENTS = 400;
const NAIVE_EVENTS = 30;
const SPIN_EVENTS = 100;
const CALLERS = 8;
/** Longest time of the whole bench, in milliseconds. */
const TIME_MS_MAX = 180_000;

/** Limits of the host, as its specification has them. */
const ADDED_MS_MAX = 0.7;
const NAIVE_RATIO_MIN = 5;

interface Subject extends AsyncDisposable {
  /** Runs one event to its end. */
  readonly call: () => Promise<void>;
}

/** The least host: one bootstrap, events by function call; its time is the bootstrap's own. */
async function bareRuntime(): Promise<Subject> {
  let poll: ServerResponse | undefined;
  let asked = Promise.withResolvers<void>();
  let answered = Promise.withResolvers<void>();
  let id = 0;
  const server = createServer((request, response) => {
    if (request.method === "GET") {
      poll = response;
      return asked.resolve();
    }
    request.resume();
    request.on("end", () => {
      answered.resolve();
      response.writeHead(202, { "Content-Type": "application/json", "Content-Length": 16 });
      response.end('{"status":"OK"}\n');
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const runtime = startRuntime((server.address() as AddressInfo).port);
  const call = async () => {
    await asked.promise;
    asked = Promise.withResolvers();
    answered = Promise.withResolvers();
    id += 1;
    poll?.writeHead(200, {
      "Content-Type": "application/json",
      "Content-Length": EVENT.length,
      [HEADER.requestId]: `bench-${id}`,
      [HEADER.deadlineMs]: String(Date.now() + 60_000),
    });
    poll?.end(EVENT);
    await answered.promise;
  };
  const end = async () => {
    runtime.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
  };
  return { call, [Symbol.asyncDispose]: end };
}

function startRuntime(port: number): Bun.Subprocess {
  return Bun.spawn([BOOTSTRAP], {
    env: {
      AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
      LAMBDA_TASK_ROOT: FUNCTION,
      _HANDLER: "function.handler",
      PATH: "/usr/bin:/bin",
    },
    stdio: ["ignore", "ignore", "ignore"],
  });
}

/** A host as one would write it in an afternoon: a new bootstrap for each request. */
async function naiveHost(): Promise<Subject> {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", async () => {
      const api = await oneEventApi();
      const runtime = startRuntime(api.port);
      const died = runtime.exited.then(() => undefined);
      const body = await Promise.race([api.answer, died]);
      if (body === undefined) response.statusCode = 500;
      runtime.kill("SIGKILL");
      response.end(body);
    });
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  const end = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { call: () => post(`http://127.0.0.1:${port}/`), [Symbol.asyncDispose]: end };
}

async function oneEventApi(): Promise<{ readonly port: number; readonly answer: Promise<string> }> {
  const { promise: answer, resolve } = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    if (request.url === PATH.next) {
      response.writeHead(200, { "Content-Type": "application/json", [HEADER.requestId]: "naive" });
      response.end(EVENT);
      return;
    }
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      response.writeHead(202).end();
      server.close();
      server.closeAllConnections();
      resolve(body);
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  return { port: (server.address() as AddressInfo).port, answer };
}

/** The real `serve` in a process of its own. */
async function serve(workers: number, directory = FUNCTION): Promise<Subject> {
  const command = [
    ...[process.execPath, join(ROOT, "src", "lambda-shell.ts"), "serve", directory, "--quiet"],
    ...[
      "--workers",
      String(workers),
      "--port",
      "0",
      "--metrics-port",
      "0",
      "--bootstrap",
      BOOTSTRAP,
    ],
  ];
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
  const reader = child.stderr.getReader();
  let text = "";
  while (!/listening [\d.]+:(\d+)/.test(text)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`failed to start serve: ${text}`);
    text += new TextDecoder().decode(value);
  }
  void (async () => {
    while (!(await reader.read()).done);
  })();
  const port = /listening [\d.]+:(\d+)/.exec(text)?.[1];
  const callers = await Promise.all(
    Array.from({ length: CALLERS }, () => connectCaller(Number(port))),
  );
  const idle = [...callers];
  const call = async () => {
    const caller = idle.pop();
    if (caller === undefined) throw new Error(`more than ${CALLERS} callers at once`);
    await caller.call();
    idle.push(caller);
  };
  const end = async () => {
    for (const caller of callers) caller.close();
    child.kill("SIGTERM");
    await child.exited;
  };
  return { call, [Symbol.asyncDispose]: end };
}

const REQUEST =
  "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: bench\r\n" +
  `Content-Length: ${EVENT.length}\r\n\r\n${EVENT}`;

/** A caller on a connection of its own, so bare that its own time hardly counts. */
async function connectCaller(port: number): Promise<{ call(): Promise<void>; close(): void }> {
  let answered = Promise.withResolvers<void>();
  let text = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(port, "127.0.0.1", resolve);
  socket.setNoDelay(true);
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    const head = text.indexOf("\r\n\r\n");
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
    if (head === -1 || text.length < head + 4 + length) return;
    if (!text.startsWith("HTTP/1.1 200 ")) answered.reject(new Error(text.split("\r\n", 1)[0]));
    text = "";
    answered.resolve();
  });
  await promise;
  const call = () => {
    answered = Promise.withResolvers();
    socket.write(REQUEST);
    return answered.promise;
  };
  return { call, close: () => socket.destroy() };
}

async function post(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST", body: EVENT });
  await response.text();
  if (response.status !== 200) throw new Error(`failed to invoke: ${response.status}`);
}

/** Times of calls one after another, in milliseconds. */
async function times(call: () => Promise<void>, count: number): Promise<number[]> {
  const all: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const startedAtMs = performance.now();
    await call();
    all.push(performance.now() - startedAtMs);
  }
  return all;
}

/** Requests a second with several callers at once. */
async function throughput(call: () => Promise<void>, count: number): Promise<number> {
  let left = count;
  const startedAtMs = performance.now();
  const caller = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return (count / (performance.now() - startedAtMs)) * 1000;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

const pairs = (of: readonly number[], to: readonly number[]) =>
  of.map((value, at) => value / (to[at] ?? Number.NaN));

const spread = (values: readonly number[], digits: number) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;

// A subject that does not answer must not hold up everything behind the bench.
setTimeout(() => {
  console.error("failed to finish in time");
  process.exit(1);
}, TIME_MS_MAX).unref();

await using bare = await bareRuntime();
await using naive = await naiveHost();
await using one = await serve(1);
await using spin1 = await serve(1, SPIN);
await using spin2 = await serve(2, SPIN);
await using spin4 = await serve(4, SPIN);
for (const subject of [bare, one, spin1, spin2, spin4]) await times(subject.call, 100);

const rows = {
  bareMs: [] as number[],
  serveMs: [] as number[],
  addedMs: [] as number[],
  naiveRate: [] as number[],
  rate1: [] as number[],
  ratio: [] as number[],
  spin1: [] as number[],
  spin2: [] as number[],
  spin4: [] as number[],
};
for (let round = 0; round < ROUNDS; round += 1) {
  const bareMs = median(await times(bare.call, WARM_EVENTS));
  const serveMs = median(await times(one.call, WARM_EVENTS));
  const naiveRate = await throughput(naive.call, NAIVE_EVENTS);
  const rate1 = await throughput(one.call, WARM_EVENTS);
  rows.bareMs.push(bareMs);
  rows.serveMs.push(serveMs);
  rows.addedMs.push(serveMs - bareMs);
  rows.naiveRate.push(naiveRate);
  rows.rate1.push(rate1);
  rows.spin1.push(await throughput(spin1.call, SPIN_EVENTS));
  rows.spin2.push(await throughput(spin2.call, SPIN_EVENTS));
  rows.spin4.push(await throughput(spin4.call, SPIN_EVENTS));
  rows.ratio.push(rate1 / naiveRate);
}

const lines = [
  ["bootstrap alone, warm event, ms", spread(rows.bareMs, 2)],
  ["serve with 1 environment, warm event, ms", spread(rows.serveMs, 2)],
  [`added by the host, ms (at most ${ADDED_MS_MAX})`, spread(rows.addedMs, 2)],
  [`naive host, requests/s, ${CALLERS} callers`, spread(rows.naiveRate, 0)],
  ["serve with 1 environment, requests/s", spread(rows.rate1, 0)],
  [`serve with 1 / naive (at least ${NAIVE_RATIO_MIN})`, spread(rows.ratio, 1)],
  [`work in the shell, requests/s, ${cpus().length} cores: 1 environment`, spread(rows.spin1, 0)],
  ["  2 environments / 1", spread(pairs(rows.spin2, rows.spin1), 2)],
  ["  4 environments / 1", spread(pairs(rows.spin4, rows.spin1), 2)],
];
for (const [what = "", value = ""] of lines) console.log(`${what.padEnd(58)} ${value}`);
const day = new Date().toISOString().slice(0, 10);
const results = join(import.meta.dir, "results");
mkdirSync(results, { recursive: true });
await Bun.write(join(results, `${day}-host.json`), `${JSON.stringify(rows, undefined, 2)}\n`);
const held = median(rows.addedMs) <= ADDED_MS_MAX && median(rows.ratio) >= NAIVE_RATIO_MIN;
if (!held) console.error("the host is slower than its specification allows");
process.exitCode = held ? 0 : 1;
