/**
 * Runs every example of fixtures/functions through the compiled bootstrap.
 *
 * `aws` is a real AWS CLI that talks to moto's server, and jq, curl and awk are the machine's.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { CONTENT_TYPE, HEADER, RESPONSE_MODE_STREAMING } from "../../src/runtime-api/contract.ts";
import { BootstrapProcess } from "../../src/testing/bootstrap-process.ts";
import type { RecordedRequest } from "../../src/testing/recorded-request.ts";
import { RecordedRuntimeApi } from "../../src/testing/recorded-runtime-api.ts";
import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { HOST_ARCHITECTURE } from "../architectures.ts";
import { type Example, type ExampleEvent, readExamples } from "./example.ts";
import { MotoServer, pythonProgram } from "./moto-server.ts";
import { nodeExecutable } from "./node-runtime.ts";

/** Time limit of one test, in ms: each call of `aws` takes a second of an idle core. */
const LIMIT_MS = 300_000;

const BASE_PATH = "/usr/local/bin:/usr/bin:/bin";

/** Where events name moto's server before its port is known. */
const MOTO_PLACEHOLDER = "http://127.0.0.1:5000";

/** Keys that a response of a proxy integration may have; any other is answered with 502. */
const PROXY_KEYS = ["statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"];

/** Events that break a response that is made by pasting strings. */
const HOSTILE_EVENTS = [
  "{}",
  '"a string with \\"quotes\\", a \\\\ and a \\u0000"',
  '{"a":"$(id)`id`$HOME%s\\n","b":"\u{1f41a} \u2028"}',
  "[1e400, -0, 123456789012345678901234567890]",
  "null",
  '\n {"spread":\n\t"over lines"}\n\n',
  JSON.stringify({ large: "x".repeat(300_000) }),
  "",
];

let moto: MotoServer;
/** PATH of the functions: as in Lambda, with `aws` and python3 where a layer would have them. */
let path: string;

beforeAll(async () => {
  const tools = temporaryFolder("tools");
  symlinkSync(pythonProgram("aws"), join(tools, "aws"));
  symlinkSync(pythonProgram("python3"), join(tools, "python3"));
  path = `${tools}:${BASE_PATH}`;
  moto = await MotoServer.start();
}, LIMIT_MS);

afterAll(() => moto.stop());

for (const example of readExamples()) {
  describe(example.name, () => {
    test(
      "answers every event as expected",
      async () => {
        await runScript(example, "arrange.sh");
        const log = await withBootstrap(example, async (api) => {
          for (const event of example.events) await answersAsExpected(api, example, event);
        });
        for (const text of example.settings.logs) expect(log).toContain(text);
        await runScript(example, "assert.sh");
      },
      LIMIT_MS,
    );

    if (!example.settings.proxy) return;
    test(
      "answers hostile events with a response that an Api event accepts",
      async () => {
        await withBootstrap(example, async (api) => {
          // What no gateway sends is not what an API must stand.
          const events =
            example.name === "api" ? example.events.map(({ event }) => event) : HOSTILE_EVENTS;
          for (const event of events) expectProxyResponse(await api.invoke({ body: event }));
        });
      },
      LIMIT_MS,
    );
  });
}

test(
  "stream answers in the streaming mode of the Runtime API",
  async () => {
    const example = readExamples().find(({ name }) => name === "stream");
    if (example === undefined) throw new Error("failed to find the example stream");
    await withBootstrap(example, async (api) => {
      const post = await api.invoke({ body: "{}" });
      expect(post.header(HEADER.responseMode)).toBe(RESPONSE_MODE_STREAMING);
      expect(post.header("content-type")).toBe(CONTENT_TYPE.httpIntegrationResponse);
      expect(post.chunks.length).toBeGreaterThan(1);
    });
  },
  LIMIT_MS,
);

/** Starts the bootstrap on an example, runs `use`, and returns the log. */
async function withBootstrap(
  example: Example,
  use: (api: RecordedRuntimeApi) => Promise<void>,
): Promise<string> {
  const api = await RecordedRuntimeApi.start();
  const bootstrap = new BootstrapProcess({
    api: api.address,
    taskRoot: example.folder,
    handler: example.settings.handler,
    env: { ...moto.environment, PATH: await pathOf(example), ...example.settings.env },
  });
  try {
    const died = bootstrap.exited.then(({ status }) => {
      throw new Error(`the bootstrap ended with status ${status}:\n${bootstrap.stderr}`);
    });
    await Promise.race([use(api), died]);
  } finally {
    await bootstrap.kill();
    await api.stop();
  }
  const posted = api.requests.map(({ body }) => body.toString("utf8")).join("\n");
  for (const secret of example.settings.secrets) {
    expect(`${posted}\n${bootstrap.stderr}`).not.toContain(secret);
  }
  return bootstrap.stderr;
}

async function pathOf({ settings }: Example): Promise<string> {
  if (!settings.path.includes("node16")) return path;
  if (HOST_ARCHITECTURE === undefined) throw new Error(`no Node.js for ${process.arch}`);
  const layer = temporaryFolder("node-layer");
  cpSync(await nodeExecutable(HOST_ARCHITECTURE), join(layer, "node"));
  return `${layer}:${path}`;
}

async function answersAsExpected(
  api: RecordedRuntimeApi,
  example: Example,
  { name, event, expected }: ExampleEvent,
): Promise<void> {
  const body = Buffer.from(event).toString("utf8").replaceAll(MOTO_PLACEHOLDER, moto.url);
  const post = await api.invoke({ body, headers: example.settings.headers });
  const where = `${example.name}/${name}`;
  expect(`${where} ${basename(post.path)}: ${post.body}`).toStartWith(`${where} response: `);
  if (expected.endsWith(".txt")) {
    expect(post.body.toString("utf8")).toBe(await Bun.file(expected).text());
    return;
  }
  const response = post.json() as Record<string, unknown>;
  for (const [member, pattern] of Object.entries(example.settings.patterns)) {
    expect(String(response[member])).toMatch(new RegExp(pattern));
    delete response[member];
  }
  expect(response).toEqual(await Bun.file(expected).json());
}

function expectProxyResponse(post: RecordedRequest): void {
  expect(basename(post.path)).toBe("response");
  const response = post.json() as Readonly<Record<string, unknown>>;
  expect(PROXY_KEYS).toEqual(expect.arrayContaining(Object.keys(response)));
  expect(response["statusCode"]).toBeInteger();
  expect(response["body"]).toBeString();
  expect(() => JSON.parse(String(response["body"]))).not.toThrow();
}

/** Runs the example's own script, if it has it, with the environment of its function. */
async function runScript(example: Example, name: string): Promise<void> {
  const script = join(example.folder, name);
  if (!(await Bun.file(script).exists())) return;
  const child = Bun.spawn(["sh", script], {
    cwd: dirname(script),
    env: { ...moto.environment, PATH: path, HOME: temporaryFolder("home") },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = await new Response(child.stderr).text();
  expect(`${name} of ${example.name}: ${await child.exited} ${errors}`).toStartWith(
    `${name} of ${example.name}: 0 `,
  );
}
