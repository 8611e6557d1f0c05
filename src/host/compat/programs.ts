/**
 * Commands of the clients and callers that `build/host/compat-clients.ts` prepares.
 *
 * @module
 */

import { join } from "node:path";

import { ROOT } from "../testing/running-host.ts";

const CACHE = join(ROOT, "cache", "compat");
const FIXTURES = join(ROOT, "fixtures");

/** A runtime client with its handler. */
export interface ClientProgram {
  readonly name: string;
  readonly directory: string;
  readonly command: readonly string[];
  /** Handler of buffered responses. */
  readonly handler: string;
  /** Handler of streamed responses, where the client can stream. */
  readonly streamHandler?: string;
  /** What the caller reads when the handler dies. */
  readonly panicType: string;
  readonly errorType: string;
}

const NODE_CLIENT = join(CACHE, "node", "node_modules", "aws-lambda-ric", "index.mjs");

/** Official clients, each with a handler that echoes, fails, dies and streams. */
export const CLIENT_PROGRAMS: readonly ClientProgram[] = [
  {
    name: "awslambdaric (Python)",
    directory: join(FIXTURES, "compat", "python"),
    command: [join(CACHE, "python", "bin", "python"), "-m", "awslambdaric", "app.handler"],
    handler: "app.handler",
    panicType: "Runtime.ExitError",
    errorType: "HandlerError",
  },
  {
    name: "aws-lambda-ric (Node)",
    directory: join(FIXTURES, "compat", "node"),
    command: [Bun.which("node") ?? "node", NODE_CLIENT, "app.handler"],
    handler: "app.handler",
    streamHandler: "app.stream",
    panicType: "Runtime.ExitError",
    errorType: "RangeError",
  },
  {
    name: "aws-lambda-go",
    directory: join(FIXTURES, "compat", "go"),
    command: [join(CACHE, "go", "bootstrap")],
    handler: "bootstrap",
    streamHandler: "bootstrap",
    panicType: "string",
    errorType: "errorString",
  },
  {
    name: "lambda_runtime (Rust)",
    directory: join(FIXTURES, "compat", "rust"),
    command: [join(CACHE, "rust", "debug", "compat")],
    handler: "handle",
    streamHandler: "stream",
    panicType: "Lambda panicked: asked to panic",
    errorType: "asked to fail",
  },
];

/** Python of the environment that has boto3. */
export const PYTHON: string = join(CACHE, "python", "bin", "python");

const AWS_ROOT = join(CACHE, "aws-cli", "root");

/** Debian's `aws` of version 2, from where it is unpacked. */
export const AWS_CLI = {
  command: ["/usr/bin/python3", join(AWS_ROOT, "usr", "bin", "aws")],
  environment: {
    PYTHONPATH: join(AWS_ROOT, "usr", "lib", "python3", "dist-packages"),
    LD_LIBRARY_PATH: join(AWS_ROOT, "usr", "lib", "x86_64-linux-gnu"),
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: "/nonexistent",
    AWS_ACCESS_KEY_ID: "x",
    AWS_SECRET_ACCESS_KEY: "x",
    AWS_REGION: "us-east-1",
    AWS_EC2_METADATA_DISABLED: "true",
  },
} as const;
