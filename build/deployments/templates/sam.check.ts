/**
 * SAM and the Serverless Application Repository: templates linted, built, rendered, packaged, and
 * published to a local server as far as it goes.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { RecordedRuntimeApi } from "../../../src/testing/recorded-runtime-api.ts";
import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { HOST_ARCHITECTURE } from "../../architectures.ts";
import { LAYER_DIST, ROOT } from "../layer-dist.ts";
import { MotoServer, PYTHON_PROGRAMS, pythonProgram, samEnvironment } from "../moto-server.ts";
import { renderAll } from "../release/render-sar.ts";
import { run } from "../run.ts";
import { VERSION } from "../version.ts";
import { readTemplate, resolveResources } from "./cloudformation-template.ts";

const LIMIT_MS = 300_000;
const SAM = join(ROOT, "layer/sam");

const SAM_ENVIRONMENT = { ...samEnvironment(), LAYER_DIST };

const yamlFiles = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => join(folder, name));

function renderedSar(): string {
  const folder = join(temporaryFolder("sar"), "sar");
  renderAll(folder, {});
  return folder;
}

describe("SAM", () => {
  // The last one is the template of each new function.
  for (const template of [...yamlFiles(SAM), join(ROOT, "src/commands/init/files/template.yaml")]) {
    const name = template.slice(ROOT.length + 1);
    test(
      `sam validate --lint and cfn-lint accept ${name}`,
      async () => {
        const sam = [pythonProgram("sam"), "validate", "--lint", "--template", template];
        const home = temporaryFolder("home");
        const { stdout } = await run(sam, { env: { ...SAM_ENVIRONMENT, HOME: home } });
        expect(stdout).toContain("is a valid SAM Template");
        expect(readdirSync(home)).toEqual([]);
        expect((await run([pythonProgram("cfn-lint"), template])).stdout).toBe("");
      },
      LIMIT_MS,
    );
  }

  test(
    "cfn-lint finds a fault that is put into the template",
    async () => {
      const folder = temporaryFolder("lint");
      const template = readFileSync(join(SAM, "template.yaml"), "utf8");
      await Bun.write(join(folder, "template.yaml"), template.replace("MemorySize", "MemmorySize"));
      await run([pythonProgram("cfn-lint"), join(folder, "template.yaml")], { status: 2 });
    },
    LIMIT_MS,
  );

  test(
    "sam build makes the functions and layers that the template names, and they run",
    async () => {
      // SAM writes a file beside it, too.
      const build = join(temporaryFolder("sam"), "build");
      await run(
        [
          ...[pythonProgram("sam"), "build", "--template", "template.yaml"],
          ...["--build-dir", build, "--cache-dir", join(build, "cache")],
        ],
        { cwd: SAM, env: SAM_ENVIRONMENT },
      );
      for (const layer of ["ShellRuntimeArm64", "ShellRuntimeAmd64"]) {
        expect(lstatSync(join(build, layer, "bootstrap")).mode & 0o111).toBe(0o111);
        expect(readdirSync(join(build, layer, "bin")).sort()).toEqual(["aws", "jq"]);
      }
      if (HOST_ARCHITECTURE === undefined) throw new Error(`no layer for ${process.arch}`);
      const layer = HOST_ARCHITECTURE.name === "arm64" ? "ShellRuntimeArm64" : "ShellRuntimeAmd64";
      await expectHelloWorld(join(build, layer), join(build, "Minimal"));
    },
    LIMIT_MS,
  );
});

/** Runs the function minimal of a build on the runtime and with the jq of a built layer. */
async function expectHelloWorld(layer: string, taskRoot: string): Promise<void> {
  const api = await RecordedRuntimeApi.start();
  const child = Bun.spawn([join(layer, "bootstrap")], {
    cwd: taskRoot,
    env: {
      PATH: `${join(layer, "bin")}:/usr/bin:/bin`,
      AWS_LAMBDA_RUNTIME_API: api.address,
      LAMBDA_TASK_ROOT: taskRoot,
      _HANDLER: "function.handler",
    },
    stdin: "ignore",
  });
  try {
    const post = await api.invoke({ body: "{}" });
    const { statusCode, body } = post.json() as { statusCode: number; body: string };
    expect(statusCode).toBe(200);
    expect(JSON.parse(body)).toEqual({ message: "Hello, World!", event: "{}" });
  } finally {
    child.kill();
    await child.exited;
    await api.stop();
  }
}

describe("SAR", () => {
  test(
    "sam validate --lint and cfn-lint accept the rendered templates",
    async () => {
      for (const template of yamlFiles(renderedSar())) {
        expect(readFileSync(template, "utf8")).not.toMatch(/@[A-Z_0-9]+@/);
        await run([pythonProgram("cfn-lint"), template]);
        if (template.endsWith("aws-setup.yaml")) continue;
        const sam = [pythonProgram("sam"), "validate", "--lint", "--template", template];
        await run(sam, { env: SAM_ENVIRONMENT });
      }
    },
    LIMIT_MS,
  );

  test.each([
    [{}, "lambda-shell-runtime-123456789012-us-east-1"],
    [{ CreateBucket: "false" }, "lambda-shell-runtime-123456789012-us-east-1"],
    [{ BucketName: "mine" }, "mine"],
    [{ BucketName: "mine", CreateBucket: "false" }, "mine"],
  ])("with %p the policy is that of the bucket %s", (parameters, bucket) => {
    const text = readFileSync(join(renderedSar(), "aws-setup.yaml"), "utf8");
    const resources = resolveResources(readTemplate(text), parameters);
    const isNew = !("CreateBucket" in parameters);
    const properties = resources.get("Bucket")?.Properties;
    expect(properties?.["BucketName"]).toBe(isNew ? bucket : undefined);
    if (isNew) expect(properties?.["VersioningConfiguration"]).toEqual({ Status: "Enabled" });
    const { Bucket, PolicyDocument } = resources.get("BucketPolicy")?.Properties ?? {};
    expect(Bucket).toBe(isNew ? "the-Bucket" : bucket);
    expect(PolicyDocument).toMatchObject({
      Statement: [
        {
          Effect: "Allow",
          Principal: { Service: "serverlessrepo.amazonaws.com" },
          Resource: `arn:aws:s3:::${bucket}/sar/*`,
          Condition: { StringEquals: { "aws:SourceAccount": "123456789012" } },
        },
        { Effect: "Deny", Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`] },
      ],
    });
  });

  test(
    "the bucket is made in moto, with the account and Region in its name",
    async () => {
      await using moto = await MotoServer.start();
      const env = { ...moto.environment, HOME: temporaryFolder("home") };
      const aws = async (...words: string[]) =>
        (await run([pythonProgram("aws"), ...words], { env })).stdout;
      await aws(
        ...["cloudformation", "deploy", "--stack-name", "setup"],
        ...["--template-file", join(renderedSar(), "aws-setup.yaml")],
      );
      const bucket = "lambda-shell-runtime-123456789012-us-east-1";
      // Moto's CloudFormation makes the bucket alone: its settings are checked above.
      await aws("s3api", "head-bucket", "--bucket", bucket);
    },
    LIMIT_MS,
  );
});

test(
  "DRY_RUN=1 prints every command that publishing would run, and checks the files",
  async () => {
    const publish = join(import.meta.dir, "../release/publish.sh");
    const env = { DRY_RUN: "1", ENV: "dev", LAYER_DIST, PATH: "/usr/bin:/bin" };
    const { stderr } = await run([publish, "all"], { env });
    const commands = stderr.split("\n").filter((line) => line.startsWith("+ "));
    const calls = ["create-application-version", "update-application"];
    const newVersion = calls.map((call) => `serverlessrepo ${call}`);
    expect(commands.map((line) => line.split(" ").slice(4, 6).join(" "))).toEqual([
      ...["s3api put-object", ...newVersion],
      ...["s3api put-object", ...newVersion],
      ...newVersion,
    ]);
    expect(stderr).toContain(
      "applications/lambda-shell-runtime-dev-arm64 --semantic-version 0.0.0",
    );
    await run([publish, "delete"], { env: { ...env, ENV: "prod" }, status: 1 });
    const missing = run([publish, "layers"], {
      env: { ...env, LAYER_DIST: "/nowhere" },
      status: 1,
    });
    expect((await missing).stderr).toContain('run "make dist" first');
  },
  LIMIT_MS,
);

test(
  "plain layer versions are published with the AWS CLI",
  async () => {
    await using moto = await MotoServer.start();
    const env = {
      ...moto.environment,
      LAYER_DIST,
      HOME: temporaryFolder("home"),
      PATH: `${PYTHON_PROGRAMS}:/usr/bin:/bin`,
    };
    const bucket = "lambda-shell-runtime-123456789012-us-east-1";
    await run(["aws", "s3", "mb", `s3://${bucket}`], { env });
    const { stdout } = await run([join(import.meta.dir, "../release/publish.sh"), "layers"], {
      env,
    });
    const copy = join(temporaryFolder("copy"), "layer.zip");
    const zip = `lambda-shell-runtime-arm64-${VERSION}.zip`;
    await run(["aws", "s3", "cp", "--quiet", `s3://${bucket}/sar/${zip}`, copy], { env });
    expect(await sha256(copy)).toBe(await sha256(join(LAYER_DIST, zip)));
    expect(stdout.trim().split("\n")).toEqual([
      // Moto takes the ARN of a layer for its name.
      expect.stringMatching(/:layer:.*lambda-shell-runtime-arm64:1$/),
      expect.stringMatching(/:layer:.*lambda-shell-runtime-amd64:1$/),
    ]);
  },
  LIMIT_MS,
);

async function sha256(path: string): Promise<string> {
  return new Bun.CryptoHasher("sha256").update(await Bun.file(path).bytes()).digest("hex");
}
