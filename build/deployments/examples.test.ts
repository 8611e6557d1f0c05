/**
 * Runs the tests of every example of fixtures/functions with `lambda-shell test`, through the compiled
 * bootstrap.
 *
 * `aws` is a real AWS CLI that talks to moto's server, and jq, curl and awk are the machine's.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { CONTENT_TYPE, HEADER, RESPONSE_MODE_STREAMING } from "../../src/runtime-api/contract.ts";
import { bootstrapExecutable, BootstrapProcess } from "../../src/testing/bootstrap-process.ts";
import type { RecordedRequest } from "../../src/testing/recorded-request.ts";
import { RecordedRuntimeApi } from "../../src/testing/recorded-runtime-api.ts";
import { tool } from "../../src/testing/running-tool.ts";
import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { HOST_ARCHITECTURE } from "../architectures.ts";
import { type Example, readExample, readExamples } from "./example.ts";
import { MotoServer, pythonProgram } from "./moto-server.ts";
import { nodeExecutable } from "./node-runtime.ts";

/** Time limit of one test, in ms: each call of `aws` takes a second of an idle core. */
const LIMIT_MS = 300_000;

const BASE_PATH = "/usr/local/bin:/usr/bin:/bin";

/** Where events name moto's server before its port is known. */
const MOTO_PLACEHOLDER = "http://127.0.0.1:5000";

/** Keys that a response of a proxy integration may have; any other gets status 502. */
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

/** Examples whose responses a gateway must take. */
const BEHIND_AN_API = ["api", "environment", "minimal", "secrets"];

/** Texts of secrets, which neither a response nor the log may contain. */
const SECRETS: Readonly<Record<string, readonly string[]>> = {
  environment: ["hunter2"],
  secrets: ["hunter2", "an-admin"],
};

let moto: MotoServer;
/** A layer with `aws` and python3. */
let tools: string;

beforeAll(async () => {
  tools = temporaryFolder("tools");
  mkdirSync(join(tools, "bin"));
  symlinkSync(pythonProgram("aws"), join(tools, "bin/aws"));
  symlinkSync(pythonProgram("python3"), join(tools, "bin/python3"));
  moto = await MotoServer.start();
}, LIMIT_MS);

afterAll(() => moto.stop());

for (const example of readExamples()) {
  describe(example.name, () => {
    test("passes its tests", () => passesItsTests(example), LIMIT_MS);

    if (!BEHIND_AN_API.includes(example.name)) return;
    test(
      "responds to hostile events in a form that an Api event accepts",
      async () => {
        await withBootstrap(example, async (api) => {
          // What no gateway sends is not what an API must stand.
          const events =
            example.name === "api" ? example.tests.map(({ event }) => event) : HOSTILE_EVENTS;
          for (const event of events) expectProxyResponse(await api.invoke({ body: event }));
        });
      },
      LIMIT_MS,
    );
  });
}

test(
  "stream responds in the streaming mode of the Runtime API",
  async () => {
    await withBootstrap(readExample("stream"), async (api) => {
      const post = await api.invoke({ body: "{}" });
      expect(post.header(HEADER.responseMode)).toBe(RESPONSE_MODE_STREAMING);
      expect(post.header("content-type")).toBe(CONTENT_TYPE.httpIntegrationResponse);
      expect(post.chunks.length).toBeGreaterThan(1);
    });
  },
  LIMIT_MS,
);

/** Runs the tests of a copy of an example, in which the services are those of moto's server. */
async function passesItsTests(example: Example): Promise<void> {
  const copy = join(temporaryFolder("example"), example.name);
  cpSync(example.folder, copy, { recursive: true });
  for (const file of new Bun.Glob("tests/*.json").scanSync({ cwd: copy, absolute: true })) {
    const text = readFileSync(file, "utf8");
    writeFileSync(file, text.replaceAll(MOTO_PLACEHOLDER, moto.url));
  }
  await runScript(example, "arrange.sh");
  const env = Object.entries(moto.environment).map(([name, value]) => `--env=${name}=${value}`);
  const layers = (await layersOf(example)).map((folder) => `--layer=${folder}`);
  // `aws` takes a second of an idle core, also while a function is loaded.
  const times = ["--timeout", "60", "--init-timeout", "60"];
  const bootstrap = ["--bootstrap", bootstrapExecutable()];
  const { status, out, errors } = await tool(
    ["test", "--tail", ...bootstrap, ...times, ...env, ...layers, "."],
    { cwd: copy },
  );
  expect(`${status}\n${out}${errors}`).toStartWith("0\n");
  expect(out).toContain(`\n${example.tests.length} passed, 0 failed `);
  expectNoSecret(example, out + errors);
  await runScript(example, "assert.sh");
}

/** Starts the bootstrap on an example and runs `use`. */
async function withBootstrap(
  example: Example,
  use: (api: RecordedRuntimeApi) => Promise<void>,
): Promise<void> {
  const api = await RecordedRuntimeApi.start();
  const [first] = example.tests;
  const bootstrap = new BootstrapProcess({
    api: api.address,
    taskRoot: example.folder,
    handler: first?.handler ?? "",
    env: { ...moto.environment, PATH: `${tools}/bin:${BASE_PATH}`, ...first?.env },
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
  expectNoSecret(example, `${posted}\n${bootstrap.stderr}`);
}

function expectNoSecret({ name }: Example, said: string): void {
  for (const secret of SECRETS[name] ?? []) expect(said).not.toContain(secret);
}

/** Folders whose bin/ has the programs that the example's layers would bring. */
async function layersOf({ name }: Example): Promise<readonly string[]> {
  if (name !== "node16") return [tools];
  if (HOST_ARCHITECTURE === undefined) throw new Error(`no Node.js for ${process.arch}`);
  const layer = temporaryFolder("node-layer");
  mkdirSync(join(layer, "bin"));
  cpSync(await nodeExecutable(HOST_ARCHITECTURE), join(layer, "bin/node"));
  return [layer, tools];
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
    env: { ...moto.environment, PATH: `${tools}/bin:${BASE_PATH}`, HOME: temporaryFolder("home") },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = await new Response(child.stderr).text();
  expect(`${name} of ${example.name}: ${await child.exited} ${errors}`).toStartWith(
    `${name} of ${example.name}: 0 `,
  );
}
