/**
 * The adapter that runs a Lambda handler of Node.js as an executable handler (lambda.handler).
 *
 * Runs it with the real Node.js 16, as the layer brings it, beside handlers of every form.
 *
 * @module
 */

import { beforeAll, expect, test } from "bun:test";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { HOST_ARCHITECTURE } from "../architectures.ts";
import { EXAMPLES } from "./example.ts";
import { nodeExecutable } from "./node-runtime.ts";

const LIMIT_MS = 300_000;
let path = "";

beforeAll(async () => {
  if (HOST_ARCHITECTURE === undefined) throw new Error(`no Node.js for ${process.arch}`);
  path = temporaryFolder("node");
  copyFileSync(await nodeExecutable(HOST_ARCHITECTURE), join(path, "node"));
}, LIMIT_MS);

/** Runs the adapter beside a `lambda.js` of this text. */
async function run(lambda: string, event: unknown = {}) {
  const folder = temporaryFolder("node-handler");
  copyFileSync(join(EXAMPLES, "node16/lambda.handler"), join(folder, "lambda.handler"));
  writeFileSync(join(folder, "lambda.js"), lambda);
  const child = Bun.spawn([join(folder, "lambda.handler")], {
    env: {
      PATH: `${path}:/usr/bin:/bin`,
      AWS_LAMBDA_FUNCTION_NAME: "name",
      AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
      AWS_LAMBDA_LOG_GROUP_NAME: "group",
      AWS_LAMBDA_LOG_STREAM_NAME: "stream",
      LAMBDA_RUNTIME_AWS_REQUEST_ID: "request",
      LAMBDA_RUNTIME_INVOKED_FUNCTION_ARN: "arn",
      LAMBDA_RUNTIME_DEADLINE_MS: String(Date.now() + 60_000),
      LAMBDA_RUNTIME_CLIENT_CONTEXT: '{"custom":{"a":"b"}}',
    },
    stdin: new Blob([JSON.stringify(event)]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { stdout, stderr, status };
}

/** Handlers of every form that return the same. */
const FORMS = {
  "an asynchronous handler": "exports.handler = async (event) => event.name;",
  "a handler that returns a promise": "exports.handler = (e) => Promise.resolve(e.name);",
  "a callback": "exports.handler = (event, context, callback) => callback(null, event.name);",
  "context.succeed": "exports.handler = (event, context) => context.succeed(event.name);",
  "context.done": "exports.handler = (event, context) => context.done(null, event.name);",
};

test.each(Object.entries(FORMS))(
  "lambda.handler responds for %s",
  async (_, lambda) => {
    expect(await run(lambda, { name: "Ada" })).toEqual({ stdout: '"Ada"', stderr: "", status: 0 });
  },
  LIMIT_MS,
);

test(
  "lambda.handler returns null for undefined, and all of a large response",
  async () => {
    expect((await run("exports.handler = async () => undefined;")).stdout).toBe("null");
    const { stdout } = await run('exports.handler = async () => "x".repeat(3_000_000);');
    expect(stdout.length).toBe(3_000_002);
  },
  LIMIT_MS,
);

test(
  "lambda.handler gives the context its members, and the time that is left",
  async () => {
    const { stdout } = await run(
      "exports.handler = async (event, context) => " +
        "({ ...context, left: context.getRemainingTimeInMillis() });",
    );
    const { left, ...context } = JSON.parse(stdout);
    expect(left).toBeWithin(1, 60_001);
    expect(context).toEqual({
      awsRequestId: "request",
      invokedFunctionArn: "arn",
      logGroupName: "group",
      logStreamName: "stream",
      functionName: "name",
      functionVersion: "$LATEST",
      memoryLimitInMB: "128",
      clientContext: { custom: { a: "b" } },
    });
  },
  LIMIT_MS,
);

/** Handlers that fail with the same error. */
const FAILURES = {
  "a rejection": 'exports.handler = async () => { throw new TypeError("no\\nname"); };',
  "a throw": 'exports.handler = () => { throw new TypeError("no\\nname"); };',
  "a callback": 'exports.handler = (e, c, callback) => callback(new TypeError("no\\nname"));',
  "context.fail": 'exports.handler = (e, context) => context.fail(new TypeError("no\\nname"));',
  "a later throw":
    'exports.handler = () => void setTimeout(() => { throw new TypeError("no\\nname"); });',
};

test.each(Object.entries(FAILURES))(
  "lambda.handler names the error of %s",
  async (_, lambda) => {
    const { stdout, stderr, status } = await run(lambda);
    expect(stdout).toBe("");
    expect(status).toBe(1);
    // The runtime takes the type from the last line, so it must be one line.
    expect(stderr.trimEnd().split("\n").at(-1)).toBe("TypeError: no name");
  },
  LIMIT_MS,
);

test(
  "lambda.handler keeps console.log out of the response",
  async () => {
    const lambda = 'exports.handler = async () => { console.log("a log line"); return 1; };';
    expect(await run(lambda)).toEqual({ stdout: "1", stderr: "a log line\n", status: 0 });
  },
  LIMIT_MS,
);
