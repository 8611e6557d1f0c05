/**
 * What stands in for Lambda in the tests of documents: it must fail where Lambda fails.
 *
 * @module
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { bootstrapExecutable } from "../../../src/testing/bootstrap-process.ts";
import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { ROOT } from "../layer-dist.ts";
import { MotoServer, pythonProgram } from "../moto-server.ts";
import { run } from "../run.ts";
import { LambdaFront } from "./lambda-front.ts";

const LIMIT_MS = 120_000;
const HOST_ARCHITECTURE = process.arch === "arm64" ? "arm64" : "x86_64";
const TRUST = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: "sts:AssumeRole", Principal: { Service: "lambda.amazonaws.com" } },
  ],
});

let moto: MotoServer;
let front: LambdaFront;

beforeAll(async () => {
  moto = await MotoServer.start({ MOTO_IAM_LOAD_MANAGED_POLICIES: "true" });
  front = LambdaFront.start(moto, { role: 0, pending: 0 });
}, LIMIT_MS);

afterAll(async () => {
  await front.stop();
  await moto.stop();
});

/** Another front for the calls of a block, which is as slow as AWS or slower. */
function slowFront(delays: { readonly role: number; readonly pending: number }): AsyncDisposable {
  const fast = front;
  front = LambdaFront.start(moto, delays);
  return {
    async [Symbol.asyncDispose]() {
      await front.stop();
      front = fast;
    },
  };
}

async function aws(...words: string[]): Promise<string> {
  return (await run([pythonProgram("aws"), ...words], { env: front.environment })).stdout;
}

const failure = (...words: string[]) =>
  aws(...words).then(
    () => "no failure",
    (error: unknown) => String(error),
  );

/** A zip with the function and the first page of this machine's runtime, which says for which it is. */
async function zipFile(padding = 0): Promise<string> {
  const folder = temporaryFolder("zip");
  cpSync(join(ROOT, "fixtures/functions/hello/function.sh"), join(folder, "function.sh"));
  const executable = Bun.file(bootstrapExecutable()).slice(0, 4096);
  writeFileSync(join(folder, "bootstrap"), await executable.bytes());
  writeFileSync(join(folder, "padding"), new Uint8Array(padding));
  const zip = join(temporaryFolder("zips"), "function.zip");
  await run(["zip", "-q0", "-r", zip, "."], { cwd: folder });
  return zip;
}

function create(name: string, zip: string, role: string, architecture = HOST_ARCHITECTURE) {
  return [
    ...["lambda", "create-function", "--function-name", name, "--runtime", "provided.al2023"],
    ...["--handler", "function.handler", "--zip-file", `fileb://${zip}`],
    ...["--architectures", architecture, "--role", `arn:aws:iam::123456789012:role/${role}`],
  ];
}

const role = (name: string) =>
  aws("iam", "create-role", "--role-name", name, "--assume-role-policy-document", TRUST);

async function logOf(name: string): Promise<string> {
  const words = ["--log-group-name", `/aws/lambda/${name}`, "--query", "events[].message"];
  return aws("logs", "filter-log-events", ...words, "--output", "text");
}

test(
  "a role that has just been made is not taken",
  async () => {
    await using _ = slowFront({ role: 600_000, pending: 0 });
    await role("new-role");
    expect(await failure(...create("early", await zipFile(), "new-role"))).toContain(
      "The role defined for the function cannot be assumed by Lambda.",
    );
  },
  LIMIT_MS,
);

test(
  "a function that has just been made is invoked only after its waiter has waited",
  async () => {
    await using _ = slowFront({ role: 0, pending: 600_000 });
    await role("pending");
    await aws(...create("pending", await zipFile(), "pending"));
    const output = join(temporaryFolder("output"), "response.json");
    const invoke = ["lambda", "invoke", "--function-name", "pending", "--payload", "{}", output];
    expect(await failure(...invoke)).toContain("in the following state: Pending");
    const words = ["--function-name", "pending", "--query", "Configuration.State"];
    expect(await aws("lambda", "get-function", ...words)).toContain("Pending");
    front.activate("pending");
    await aws("lambda", "wait", "function-active-v2", "--function-name", "pending");
    expect(JSON.parse(await aws(...invoke)).StatusCode).toBe(200);
  },
  LIMIT_MS,
);

test(
  "a function runs, and its log is there only if its role may write it",
  async () => {
    const zip = await zipFile();
    const output = join(temporaryFolder("output"), "response.json");
    await role("quiet");
    await aws(...create("quiet", zip, "quiet"));
    await aws("lambda", "invoke", "--function-name", "quiet", "--payload", "{}", output);
    expect(await Bun.file(output).json()).toEqual({ message: "Hello from the shell", event: {} });
    expect(
      await failure("logs", "filter-log-events", "--log-group-name", "/aws/lambda/quiet"),
    ).toContain("ResourceNotFoundException");

    const policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    await aws("iam", "attach-role-policy", "--role-name", "quiet", "--policy-arn", policy);
    await aws("lambda", "invoke", "--function-name", "quiet", "--payload", "{}", output);
    expect(await logOf("quiet")).toContain("an event of 2 characters");

    await aws("lambda", "delete-function", "--function-name", "quiet");
    const again = ["lambda", "invoke", "--function-name", "quiet", "--payload", "{}", output];
    expect(await failure(...again)).toContain("Function not found");
  },
  LIMIT_MS,
);

test(
  "a runtime for another architecture is found out",
  async () => {
    await role("other");
    const other = HOST_ARCHITECTURE === "arm64" ? "x86_64" : "arm64";
    await aws(...create("other", await zipFile(), "other", other));
    const output = join(temporaryFolder("output"), "response.json");
    const response = await aws(
      ...["lambda", "invoke", "--function-name", "other", "--payload", "{}", output],
    );
    expect(JSON.parse(response).FunctionError).toBe("Unhandled");
    expect((await Bun.file(output).json()).errorType).toBe("Runtime.InvalidEntrypoint");
  },
  LIMIT_MS,
);

test(
  "a zip above the limit of a direct upload is refused",
  async () => {
    await role("large");
    const zip = await zipFile(52_428_800);
    expect(await failure(...create("large", zip, "large"))).toContain(
      "RequestEntityTooLargeException",
    );
  },
  LIMIT_MS,
);
