/**
 * What the bench of the host compares: the runtime alone, `serve`, a naive host, AWS's emulator. All run
 * our bootstrap with the hello function.
 *
 * @module
 */

import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";

import { HEADER, PATH } from "../../../src/runtime-api/contract.ts";
import { freePort } from "../../../src/testing/ports.ts";

const ROOT = join(import.meta.dir, "..", "..", "..");
const BOOTSTRAP = join(
  ROOT,
  "dist",
  process.arch === "arm64" ? "bootstrap-arm64" : "bootstrap-amd64",
);
const FUNCTION = join(ROOT, "fixtures", "functions", "hello");
const EVENT = '{"name":"bench"}';
/** Most callers at once. */
export const CALLERS = 8;
/** How often, and how long between, in milliseconds, a server that starts is tried. */
const START_ATTEMPTS_MAX = 100;
const START_CHECK_MS = 20;

/** A host, or a runtime alone. */
export interface Subject extends AsyncDisposable {
  /** Runs one event to its end. */
  readonly call: () => Promise<void>;
}

/** The least host: one bootstrap, events by function call; its time is the bootstrap's own. */
export async function bareRuntime(): Promise<Subject> {
  let poll: ServerResponse | undefined;
  let asked = Promise.withResolvers<void>();
  let responded = Promise.withResolvers<void>();
  let id = 0;
  const server = createServer((request, response) => {
    if (request.method === "GET") {
      poll = response;
      return asked.resolve();
    }
    request.resume();
    request.on("end", () => {
      responded.resolve();
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
    responded = Promise.withResolvers();
    id += 1;
    poll?.writeHead(200, {
      "Content-Type": "application/json",
      "Content-Length": EVENT.length,
      [HEADER.requestId]: `bench-${id}`,
      [HEADER.deadlineMs]: String(Date.now() + 60_000),
    });
    poll?.end(EVENT);
    await responded.promise;
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
export async function naiveHost(): Promise<Subject> {
  const server = createServer((request, response) => {
    request.resume();
    request.on("end", async () => {
      const api = await oneEventApi();
      const runtime = startRuntime(api.port);
      const died = runtime.exited.then(() => undefined);
      const body = await Promise.race([api.response, died]);
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

async function oneEventApi(): Promise<{
  readonly port: number;
  readonly response: Promise<string>;
}> {
  const { promise: posted, resolve } = Promise.withResolvers<string>();
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
  return { port: (server.address() as AddressInfo).port, response: posted };
}

/** The real `serve` in a process of its own. */
export async function serve(workers: number, directory = FUNCTION): Promise<Subject> {
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
  const port = Number(/listening [\d.]+:(\d+)/.exec(text)?.[1]);
  const callers = await Promise.all(Array.from({ length: CALLERS }, () => connectCaller(port)));
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

/**
 * AWS's own emulator, as its SAM CLI carries it; it takes one caller at a time.
 * @throws {Error} When it is not there, or does not start.
 */
export async function emulator(): Promise<Subject> {
  const name = `aws-lambda-rie-${process.arch === "arm64" ? "arm64" : "x86_64"}`;
  const glob = new Bun.Glob(`cache/python/lib/*/site-packages/samcli/local/rapid/${name}`);
  const [program] = [...glob.scanSync(ROOT)];
  if (program === undefined) throw new Error(`failed to find AWS's emulator: run "make python"`);
  const [port, apiPort] = [await freePort(), await freePort()];
  const child = Bun.spawn(
    [
      ...[join(ROOT, program), "--runtime-interface-emulator-address", `127.0.0.1:${port}`],
      ...["--runtime-api-address", `127.0.0.1:${apiPort}`, BOOTSTRAP, "function.handler"],
    ],
    {
      cwd: FUNCTION,
      env: { LAMBDA_TASK_ROOT: FUNCTION, _HANDLER: "function.handler", PATH: "/usr/bin:/bin" },
      stdio: ["ignore", "ignore", "ignore"],
    },
  );
  const caller = await connectWhenReady(port);
  const end = async () => {
    caller.close();
    child.kill("SIGTERM");
    await child.exited;
  };
  return { call: caller.call, [Symbol.asyncDispose]: end };
}

async function connectWhenReady(port: number): Promise<Caller> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connectCaller(port);
    } catch (error) {
      if (attempt === START_ATTEMPTS_MAX) throw error;
      await Bun.sleep(START_CHECK_MS);
    }
  }
}

const REQUEST =
  "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: bench\r\n" +
  `Content-Length: ${EVENT.length}\r\n\r\n${EVENT}`;

interface Caller {
  readonly call: () => Promise<void>;
  readonly close: () => void;
}

/** A caller on a connection of its own, so bare that its own time hardly counts. */
async function connectCaller(port: number): Promise<Caller> {
  let responded = Promise.withResolvers<void>();
  let text = "";
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(port, "127.0.0.1", resolve);
  socket.on("error", reject);
  socket.setNoDelay(true);
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    const head = text.indexOf("\r\n\r\n");
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
    if (head === -1 || text.length < head + 4 + length) return;
    if (!text.startsWith("HTTP/1.1 200 ")) responded.reject(new Error(text.split("\r\n", 1)[0]));
    text = "";
    responded.resolve();
  });
  await promise;
  const call = () => {
    responded = Promise.withResolvers();
    socket.write(REQUEST);
    return responded.promise;
  };
  return { call, close: () => socket.destroy() };
}

async function post(url: string): Promise<void> {
  const response = await fetch(url, { method: "POST", body: EVENT });
  await response.text();
  if (response.status !== 200) throw new Error(`failed to invoke: ${response.status}`);
}
