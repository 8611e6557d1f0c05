/**
 * The templates of every road: linted, built, synthesized, validated; applied where a local server
 * stands in for AWS.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";

import { RuntimeApiServer } from "../../src/testing/runtime-api-server.ts";
import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { HOST_ARCHITECTURE } from "../architectures.ts";
import { LAYER_DIST, ROOT } from "./layer-dist.ts";
import { MotoServer, PYTHON_PROGRAMS, pythonProgram } from "./moto-server.ts";
import { renderAll } from "./render-sar.ts";
import { run } from "./run.ts";
import { VERSION } from "./version.ts";

const LIMIT_MS = 180_000;
const SAM = join(ROOT, "layer/sam");
const CDK = join(ROOT, "layer/cdk");
const KNATIVE = join(ROOT, "layer/knative");

/** What SAM needs to leave the network and the user's own settings alone. */
const SAM_ENVIRONMENT = {
  SAM_CLI_TELEMETRY: "0",
  AWS_DEFAULT_REGION: "us-east-1",
  LAYER_DIST,
};

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
  for (const template of yamlFiles(SAM)) {
    const name = template.slice(ROOT.length + 1);
    test(
      `sam validate --lint and cfn-lint accept ${name}`,
      async () => {
        const sam = [pythonProgram("sam"), "validate", "--lint", "--template", template];
        expect((await run(sam, { env: SAM_ENVIRONMENT })).stdout).toContain(
          "is a valid SAM Template",
        );
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
      const build = temporaryFolder("sam");
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
      await answersHelloWorld(join(build, layer), join(build, "Minimal"));
    },
    LIMIT_MS,
  );
});

/** Runs the function minimal of a build on the runtime and with the jq of a built layer. */
async function answersHelloWorld(layer: string, taskRoot: string): Promise<void> {
  const api = await RuntimeApiServer.start();
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
  const post = await api.invoke({ body: "{}" });
  child.kill();
  await api.stop();
  const { statusCode, body } = post.json() as { statusCode: number; body: string };
  expect(statusCode).toBe(200);
  expect(JSON.parse(body)).toEqual({ message: "Hello, World!", event: "{}" });
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

  test(
    "the application of each architecture packages its zip into the bucket",
    async () => {
      const moto = await MotoServer.start();
      const env = { ...moto.environment, HOME: temporaryFolder("home") };
      const aws = pythonProgram("aws");
      await run([aws, "s3", "mb", "s3://lambda-shell-runtime"], { env });
      const sar = renderedSar();
      for (const architecture of ["arm64", "amd64"]) {
        const zip = `lambda-shell-runtime-${architecture}-${VERSION}.zip`;
        symlinkSync(join(LAYER_DIST, zip), join(sar, "..", zip));
        const packaged = join(sar, `${architecture}.packaged.yaml`);
        await run(
          [
            ...[aws, "cloudformation", "package", "--template-file"],
            ...[join(sar, `template-${architecture}.yaml`), "--s3-bucket", "lambda-shell-runtime"],
            ...["--s3-prefix", "sar", "--output-template-file", packaged],
          ],
          { env },
        );
        const text = await Bun.file(packaged).text();
        const uri =
          /ContentUri: (s3:\/\/lambda-shell-runtime\/sar\/[0-9a-f]+)/.exec(text)?.[1] ?? "";
        const copy = join(sar, "copy.zip");
        await run([aws, "s3", "cp", "--quiet", uri, copy], { env });
        expect(await sha256(copy)).toBe(await sha256(join(LAYER_DIST, zip)));
      }
      await moto.stop();
    },
    LIMIT_MS,
  );
});

test(
  "DRY_RUN=1 prints every command that publishing would run, and checks the files",
  async () => {
    const publish = join(import.meta.dir, "publish.sh");
    const env = { DRY_RUN: "1", ENV: "dev", LAYER_DIST, PATH: "/usr/bin:/bin" };
    const { stderr } = await run([publish, "all"], { env });
    const commands = stderr.split("\n").filter((line) => line.startsWith("+ "));
    expect(commands.map((line) => line.split(" ").slice(4, 6).join(" "))).toEqual([
      ...["cloudformation package", "serverlessrepo create-application-version"],
      ...["cloudformation package", "serverlessrepo create-application-version"],
      ...["cloudformation package", "serverlessrepo create-application-version"],
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
    const moto = await MotoServer.start();
    const env = {
      ...moto.environment,
      LAYER_DIST,
      HOME: temporaryFolder("home"),
      PATH: `${PYTHON_PROGRAMS}:/usr/bin:/bin`,
    };
    await run(["aws", "s3", "mb", "s3://lambda-shell-runtime"], { env });
    const { stdout } = await run([join(import.meta.dir, "publish.sh"), "layers"], { env });
    expect(stdout.trim().split("\n")).toEqual([
      expect.stringMatching(/:layer:lambda-shell-runtime-arm64:1$/),
      expect.stringMatching(/:layer:lambda-shell-runtime-amd64:1$/),
    ]);
    await moto.stop();
  },
  LIMIT_MS,
);

async function sha256(path: string): Promise<string> {
  return new Bun.CryptoHasher("sha256").update(await Bun.file(path).bytes()).digest("hex");
}

describe("CDK", () => {
  test(
    "cdk synth makes both stacks with the real layers",
    async () => {
      await run(["npm", "run", "--silent", "build"], { cwd: CDK });
      const output = temporaryFolder("cdk");
      await run(
        ["npx", "cdk", "synth", "--quiet", "--output", output, "--context", `zips=${LAYER_DIST}`],
        { cwd: CDK, env: { CDK_DISABLE_VERSION_CHECK: "1" } },
      );
      const templates = readdirSync(output).filter((name) => name.endsWith(".template.json"));
      expect(templates.sort()).toEqual([
        "CustomRuntimeApp.template.json",
        "CustomRuntimeAppArm64.template.json",
      ]);
      const files = templates.map((name) => join(output, name));
      await run([pythonProgram("cfn-lint"), "--ignore-checks", "W", "--", ...files]);
    },
    LIMIT_MS,
  );

  test(
    "the constructs and the golden templates hold",
    async () => {
      await run([process.execPath, "test", "./test/custom-runtime-app.synth.ts"], { cwd: CDK });
    },
    LIMIT_MS,
  );

  test(
    "npm pack makes a package that another project can use",
    async () => {
      const folder = temporaryFolder("package");
      await run(["npm", "pack", "--silent", "--pack-destination", folder], { cwd: CDK });
      const [tarball = ""] = readdirSync(folder);
      const modules = join(folder, "node_modules");
      mkdirSync(join(modules, "lambda-shell-runtime-cdk"), { recursive: true });
      await run([
        ...["tar", "-xzf", join(folder, tarball), "--strip-components=1"],
        ...["-C", join(modules, "lambda-shell-runtime-cdk")],
      ]);
      for (const peer of ["aws-cdk-lib", "constructs"]) {
        symlinkSync(join(CDK, "node_modules", peer), join(modules, peer));
      }
      const program =
        'console.log(Object.keys(require("lambda-shell-runtime-cdk")).sort().join(" "))';
      const { stdout } = await run(["node", "--preserve-symlinks", "-e", program], { cwd: folder });
      expect(stdout).toBe("ShellFunction ShellRuntimeLayer\n");
    },
    LIMIT_MS,
  );
});

describe("Knative", () => {
  const validator = join(import.meta.dir, "validate_kubernetes.py");

  test(
    "the manifests are valid, with no unknown field",
    async () => {
      const { stdout } = await run([pythonProgram("python"), validator, ...yamlFiles(KNATIVE)]);
      expect(stdout).toContain("build.yaml: Task is valid");
      expect(stdout).toContain("service.yaml: Service is valid");
    },
    LIMIT_MS,
  );

  test(
    "a field that does not exist is found",
    async () => {
      const folder = temporaryFolder("knative");
      for (const [file, from, to] of [
        ["service.yaml", "containerConcurrency", "containerConcurency"],
        ["build.yaml", "mountPath", "mountPat"],
      ] as const) {
        const text = readFileSync(join(KNATIVE, file), "utf8").replace(from, to);
        await Bun.write(join(folder, file), text);
        await run([pythonProgram("python"), validator, join(folder, file)], { status: 1 });
      }
    },
    LIMIT_MS,
  );
});

describe("Terraform", () => {
  const terraform = Bun.which("terraform");
  const mirror = "/opt/tf-plugins";

  test(
    "the files parse, and every variable that is used is declared and described",
    async () => {
      const program = join(import.meta.dir, "check_terraform.py");
      const { stdout } = await run([
        pythonProgram("python"),
        program,
        join(ROOT, "layer/terraform"),
      ]);
      expect(stdout).toContain("14 variables, 4 outputs");
    },
    LIMIT_MS,
  );

  // The binary is no part of what npm and PyPI have: where it is missing, the parser above is all.
  test.if(terraform !== null)(
    "terraform formats, validates and applies the example",
    async () => {
      const folder = join(temporaryFolder("terraform"), "module");
      cpSync(join(ROOT, "layer/terraform"), folder, { recursive: true });
      const example = join(folder, "example");
      const moto = await MotoServer.start({ MOTO_IAM_LOAD_MANAGED_POLICIES: "true" });
      const env = { ...moto.environment, TF_IN_AUTOMATION: "1", HOME: temporaryFolder("home") };
      const command = (...words: string[]) =>
        run([terraform ?? "", ...words], { cwd: example, env });
      const zip = join(folder, "hello.zip");
      await run(["zip", "-q", zip, "function.sh"], { cwd: join(ROOT, "fixtures/functions/hello") });
      cpSync(join(import.meta.dir, "moto-provider.tf"), join(example, "provider_override.tf"));
      await run([terraform ?? "", "fmt", "-check", "-recursive", join(ROOT, "layer/terraform")]);
      const plugins = readdirSync("/opt").includes("tf-plugins") ? [`-plugin-dir=${mirror}`] : [];
      await command("init", "-no-color", "-backend=false", ...plugins);
      await command("validate", "-no-color");
      const layer = join(LAYER_DIST, `lambda-shell-runtime-arm64-${VERSION}.zip`);
      await run([pythonProgram("aws"), "s3", "mb", "s3://layers"], { env });
      const variables = [
        `-var=code_zip=${zip}`,
        `-var=layer_zip=${layer}`,
        "-var=layer_bucket=layers",
      ];
      await command("apply", "-no-color", "-auto-approve", ...variables);
      const aws = [pythonProgram("aws"), "lambda", "get-function-configuration"];
      const { stdout } = await run([...aws, "--function-name", "hello-shell"], { env });
      expect(JSON.parse(stdout)).toMatchObject({
        Runtime: "provided.al2023",
        Handler: "function.handler",
        Architectures: ["arm64"],
        Environment: { Variables: { GREETING: "hello" } },
      });
      await command("destroy", "-no-color", "-auto-approve", ...variables);
      await moto.stop();
    },
    LIMIT_MS,
  );
});

test(
  "the workflows follow their schema",
  async () => {
    const workflows = readdirSync(join(ROOT, ".github/workflows"));
    await run([
      ...[pythonProgram("check-jsonschema"), "--builtin-schema", "vendor.github-workflows"],
      ...workflows.map((name) => join(ROOT, ".github/workflows", name)),
    ]);
  },
  LIMIT_MS,
);
