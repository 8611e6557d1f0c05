/**
 * layer/runtime/publish.sh with a real AWS CLI that has AWS's newest models, against a server that
 * refuses what those models refuse, and moto's registry of images.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { ROOT } from "../layer-dist.ts";
import { MotoServer, pythonProgram } from "../moto-server.ts";
import { run } from "../run.ts";
import { LambdaCoreServer } from "./lambda-core-server.ts";

const LIMIT_MS = 300_000;
const RUNTIME = "arn:aws:lambda:us-east-1:123456789012:runtime/shell";

let server: LambdaCoreServer;
let moto: MotoServer;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  [server, moto] = await Promise.all([LambdaCoreServer.start(), MotoServer.start()]);
  const programs = temporaryFolder("programs");
  symlinkSync(pythonProgram("aws"), join(programs, "aws"));
  symlinkSync(join(import.meta.dir, "testing/fake-docker.sh"), join(programs, "docker"));
  env = {
    ...moto.environment,
    ...server.environment,
    HOME: temporaryFolder("home"),
    PATH: `${programs}:/usr/bin:/bin`,
  };
}, LIMIT_MS);

afterAll(() => Promise.all([server.stop(), moto.stop()]));

/** A copy of the script in a repository of this version, with zips. */
function scriptOf(version: string): string {
  const root = temporaryFolder("repository");
  for (const folder of ["layer/runtime", "dist"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(
    join(root, "package.json"),
    `{\n  "version": "${version}",\n  "private": true\n}\n`,
  );
  for (const name of ["arm64", "amd64"]) {
    writeFileSync(join(root, `dist/lambda-shell-runtime-${name}-${version}.zip`), "zip");
  }
  const script = join(root, "layer/runtime/publish.sh");
  writeFileSync(script, readFileSync(join(ROOT, "layer/runtime/publish.sh")));
  chmodSync(script, 0o755);
  return script;
}

/** Runs the script and returns what it printed, and what the server has accepted. */
async function publish(version: string, options: readonly string[] = [], status = 0) {
  const { stdout, stderr } = await run([scriptOf(version), ...options], { env, status });
  const requests = server.takeRequests();
  return { stdout, stderr, requests, operations: requests.map(({ operation }) => operation) };
}

describe("publish.sh with a real AWS CLI", () => {
  test(
    "makes a runtime, a version and an alias in a fresh account",
    async () => {
      const { stdout, requests, operations } = await publish("1.0.0");
      expect(operations).toEqual([
        "GetRuntime",
        "CreateRuntime",
        "GetRuntimeVersion",
        "CreateRuntimeVersion",
        "CreateRuntimeVersion",
        "GetRuntimeVersion",
        "GetRuntimeVersion",
        "GetRuntimeVersion",
        "GetRuntimeAlias",
        "CreateRuntimeAlias",
        "GetRuntimeAlias",
      ]);
      expect(new Set(requests.map(({ scope }) => scope))).toEqual(
        new Set(["us-east-1/lambda/aws4_request"]),
      );
      expect(requests.map(({ params }) => params["RuntimeName"]).filter(Boolean)).toEqual(
        operations.filter((name) => name !== "CreateRuntime").map(() => RUNTIME),
      );
      const [dry, real] = requests.filter(({ operation }) => operation === "CreateRuntimeVersion");
      expect(dry?.params["DryRun"]).toBe(true);
      expect(real?.params["DryRun"]).toBeUndefined();
      expect(real?.params["ImageUri"]).toMatch(/\/lambda-shell-runtime@sha256:[0-9a-f]{64}$/);
      expect(stdout).toBe(
        `Runtime: custom\nRuntimeConfig: {RuntimeArn: "${RUNTIME}", RuntimeAlias: preview}\n`,
      );
    },
    LIMIT_MS,
  );

  test(
    "a second run finds all of it and makes nothing",
    async () => {
      const { operations, stderr } = await publish("1.0.0");
      expect(operations).toEqual(["GetRuntime", "GetRuntimeVersion", "GetRuntimeAlias"]);
      expect(stderr).toContain("it is not built again");
    },
    LIMIT_MS,
  );

  test(
    "the next version moves the alias preview, and stable where it is promoted",
    async () => {
      const { operations, requests } = await publish("1.1.0", [
        ...["--promote", "--share-with", "210987654321", "--share-with", "o-abcdefghij"],
      ]);
      const changes = operations.filter((name) => !name.startsWith("Get"));
      expect(changes).toEqual([
        "CreateRuntimeVersion",
        "CreateRuntimeVersion",
        "UpdateRuntimeAlias",
        "CreateRuntimeAlias",
        "PutResourcePolicy",
      ]);
      const policy = requests.at(-1);
      expect(policy?.params["ResourceArn"]).toBe(RUNTIME);
      expect(JSON.parse(String(policy?.params["Policy"])).Statement).toHaveLength(2);
    },
    LIMIT_MS,
  );

  test(
    "sharing again replaces the policy at its revision",
    async () => {
      const { requests } = await publish("1.1.0", ["--share-with", "111111111111"]);
      const last = requests.at(-1);
      expect(last?.operation).toBe("PutResourcePolicy");
      expect(last?.params["RevisionId"]).toBeString();
    },
    LIMIT_MS,
  );

  test(
    "a version that AWS cannot make stops before any alias is moved",
    async () => {
      const image = `123456789012.dkr.ecr.us-east-1.amazonaws.com/broken@sha256:${"0".repeat(64)}`;
      const { stderr, operations } = await publish("1.2.0", ["--image", image], 1);
      expect(stderr).toContain("version v1.2.0 has the state FAILED");
      expect(operations.filter((name) => name.includes("Alias"))).toEqual([]);
    },
    LIMIT_MS,
  );
});

describe("the server that stands in for AWS", () => {
  test.each([
    ["a name with capitals", ["create-runtime", "--name", "Shell"], "does not match"],
    ["a name of one letter", ["create-runtime", "--name", "s"], "min length"],
    [
      "a version's name with a plus sign",
      [
        ...["create-runtime-version", "--runtime-name", "shell", "--name", "v1+1"],
        ...[
          "--image-uri",
          `123456789012.dkr.ecr.us-east-1.amazonaws.com/a@sha256:${"0".repeat(64)}`,
        ],
      ],
      "does not match",
    ],
    [
      "a life cycle that does not exist",
      ["create-runtime", "--name", "other", "--release-lifecycle", "ReleaseState=BETA"],
      "is none of",
    ],
    [
      "an ARN of something else",
      ["get-runtime", "--runtime-name", "arn:aws:lambda:us-east-1:123456789012:function:x"],
      "does not match",
    ],
  ])(
    "refuses %s",
    async (_, words, message) => {
      const aws = [pythonProgram("aws"), "lambda-core", ...words];
      const error = await run(aws, { env }).then(
        () => "",
        (reason: unknown) => String(reason),
      );
      expect(error).toContain(message);
    },
    LIMIT_MS,
  );
});
