/**
 * Commands of the clients and callers that `build/tool-checks/compat-clients.ts` prepares.
 *
 * @module
 */

import { join } from "node:path";

import { ROOT } from "../../testing/host/running-host.ts";

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
  {
    name: "aws-lambda-java-runtime-interface-client",
    directory: join(FIXTURES, "compat", "java"),
    command: [
      Bun.which("java") ?? "java",
      "-cp",
      [join(CACHE, "java", "classes"), join(CACHE, "java", "dependency", "*")].join(":"),
      "com.amazonaws.services.lambda.runtime.api.client.AWSLambda",
      "compat.App",
    ],
    handler: "compat.App",
    panicType: "Runtime.ExitError",
    errorType: "java.lang.IllegalStateException",
  },
];

/** A function of `lambda_http`, Rust's client of Function URLs and API Gateways. */
export const RUST_HTTP: string = join(CACHE, "rust", "debug", "http");

/** An extension of `lambda-extension`, Rust's client of the Extensions API. */
export const RUST_EXTENSION: string = join(CACHE, "rust", "debug", "extension");

/** Python of the environment that has boto3. */
export const PYTHON: string = join(CACHE, "python", "bin", "python");

const AWS_ROOT = join(CACHE, "aws-cli", "root");

const AWS_ENVIRONMENT = {
  PATH: process.env["PATH"] ?? "/usr/bin:/bin",
  // The command makes a folder there.
  HOME: CACHE,
  AWS_ACCESS_KEY_ID: "x",
  AWS_SECRET_ACCESS_KEY: "x",
  AWS_REGION: "us-east-1",
  // Version 1 has no other name for it.
  AWS_DEFAULT_REGION: "us-east-1",
  AWS_EC2_METADATA_DISABLED: "true",
} as const;

/** The `aws` command: version 1 from PyPI, and Debian's version 2 from where it is unpacked. */
export const AWS_CLI = {
  v1: { command: join(CACHE, "python", "bin", "aws"), environment: AWS_ENVIRONMENT },
  v2: {
    // This version knows no endpoint variable yet, so the command gets the option.
    command: `/usr/bin/python3 ${AWS_ROOT}/usr/bin/aws --endpoint-url "$AWS_ENDPOINT_URL_LAMBDA"`,
    environment: {
      ...AWS_ENVIRONMENT,
      PYTHONPATH: join(AWS_ROOT, "usr", "lib", "python3", "dist-packages"),
      LD_LIBRARY_PATH: join(AWS_ROOT, "usr", "lib", "x86_64-linux-gnu"),
    },
  },
} as const;
