/**
 * CDK, Knative, Terraform and the workflows: synthesized, validated, and applied where a local
 * server stands in for AWS.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { LAYER_DIST, ROOT } from "../layer-dist.ts";
import { MotoServer, pythonProgram } from "../moto-server.ts";
import { run } from "../run.ts";
import { VERSION } from "../version.ts";
import { TERRAFORM, terraformPlugins } from "./terraform.ts";

const LIMIT_MS = 300_000;
const CDK = join(ROOT, "layer/cdk");
const KNATIVE = join(ROOT, "layer/knative");

const yamlFiles = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => join(folder, name));

describe("CDK", () => {
  test(
    "cdk synth makes both stacks with the real layers",
    async () => {
      await run(["npm", "run", "--silent", "build"], { cwd: CDK });
      const output = temporaryFolder("cdk");
      const zips = temporaryFolder("zips");
      // Node.js is in dist/ also when the layers are those of a release.
      for (const [folder, pattern] of [
        [LAYER_DIST, /^lambda-shell-runtime-.*\.zip$/],
        [join(ROOT, "dist"), /^node-.*\.zip$/],
      ] as const) {
        for (const name of readdirSync(folder).filter((each) => pattern.test(each))) {
          cpSync(join(folder, name), join(zips, name));
        }
      }
      await run(
        ["npx", "cdk", "synth", "--quiet", "--output", output, "--context", `zips=${zips}`],
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
      for (const name of ["LICENSE", "NOTICE", "README.md"]) {
        expect(readdirSync(join(modules, "lambda-shell-runtime-cdk"))).toContain(name);
      }
      const program =
        'console.log(Object.keys(require("lambda-shell-runtime-cdk")).sort().join(" "))';
      const { stdout } = await run(["node", "--preserve-symlinks", "-e", program], { cwd: folder });
      expect(stdout).toBe("ShellFunction ShellRuntime ShellRuntimeLayer\n");
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
  test(
    "the files parse, and every variable that is used is declared and described",
    async () => {
      const program = join(import.meta.dir, "check_terraform.py");
      const { stdout } = await run([
        pythonProgram("python"),
        program,
        join(ROOT, "layer/terraform"),
      ]);
      expect(stdout).toContain("18 variables, 4 outputs");
    },
    LIMIT_MS,
  );

  test.if(TERRAFORM !== null)(
    "terraform formats, validates and applies the example",
    async () => {
      const folder = join(temporaryFolder("terraform"), "module");
      cpSync(join(ROOT, "layer/terraform"), folder, { recursive: true });
      const example = join(folder, "example");
      await using moto = await MotoServer.start({ MOTO_IAM_LOAD_MANAGED_POLICIES: "true" });
      const env = { ...moto.environment, TF_IN_AUTOMATION: "1", HOME: temporaryFolder("home") };
      const command = (...words: string[]) =>
        run([TERRAFORM ?? "", ...words], { cwd: example, env });
      const zip = join(folder, "hello.zip");
      await run(["zip", "-q", zip, "function.sh"], { cwd: join(ROOT, "fixtures/functions/hello") });
      cpSync(join(import.meta.dir, "moto-provider.tf"), join(example, "provider_override.tf"));
      await run([TERRAFORM ?? "", "fmt", "-check", "-recursive", join(ROOT, "layer/terraform")]);
      await command("init", "-no-color", "-backend=false", ...terraformPlugins());
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
        TracingConfig: { Mode: "PassThrough" },
        Environment: { Variables: { GREETING: "hello" } },
      });
      await command("destroy", "-no-color", "-auto-approve", ...variables);
      // What other functions may use is still there.
      const layers = [pythonProgram("aws"), "lambda", "list-layer-versions", "--layer-name"];
      const left = await run([...layers, "lambda-shell-runtime-arm64"], { env });
      expect(JSON.parse(left.stdout).LayerVersions).toHaveLength(1);
    },
    LIMIT_MS,
  );
});

/** A copy of the module where `folder` says, with the zip of a function in it. */
async function moduleCopy(folder: string): Promise<string> {
  cpSync(join(ROOT, "layer/terraform"), folder, { recursive: true });
  const zip = join(folder, "hello.zip");
  await run(["zip", "-q", zip, "function.sh"], { cwd: join(ROOT, "fixtures/functions/hello") });
  return zip;
}

test.if(TERRAFORM !== null)(
  "the module takes a role, a bucket and a layer that are made together with its functions",
  async () => {
    const cwd = temporaryFolder("terraform");
    const zip = await moduleCopy(join(cwd, "module"));
    cpSync(join(import.meta.dir, "moto-provider.tf"), join(cwd, "provider.tf"));
    const common = `source = "./module"\n  code_zip = "${zip}"`;
    const bucket = `layer_zip = "${zip}"\n  layer_bucket = aws_s3_bucket.mine.id\n  use_layer_bucket = true`;
    writeFileSync(
      join(cwd, "main.tf"),
      `data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}
resource "aws_iam_role" "mine" {
  name_prefix        = "mine-"
  assume_role_policy = data.aws_iam_policy_document.assume.json
}
resource "aws_s3_bucket" "mine" {
  bucket_prefix = "mine-"
}
module "first" {
  ${common}
  name = "first"
  ${bucket}
  role_arn = aws_iam_role.mine.arn
  create_role = false
}
module "second" {
  ${common}
  name = "second"
  layer_arn = module.first.layer_version_arn
}
module "third" {
  ${common}
  name = "third"
  ${bucket}
}
output "mine" {
  value = aws_iam_role.mine.arn
}
output "bucket" {
  value = aws_s3_bucket.mine.id
}
`,
    );
    await using moto = await MotoServer.start({ MOTO_IAM_LOAD_MANAGED_POLICIES: "true" });
    const env = { ...moto.environment, TF_IN_AUTOMATION: "1", HOME: temporaryFolder("home") };
    const terraform = (...words: string[]) => run([TERRAFORM ?? "", ...words], { cwd, env });
    const aws = async (...words: string[]) =>
      JSON.parse((await run([pythonProgram("aws"), ...words], { env })).stdout);
    await terraform("init", "-no-color", "-backend=false", ...terraformPlugins());
    await terraform("apply", "-no-color", "-auto-approve");
    const outputs = JSON.parse((await terraform("output", "-json")).stdout);
    const configuration = (name: string) =>
      aws("lambda", "get-function-configuration", "--function-name", name);
    const [first, second] = [await configuration("first"), await configuration("second")];
    expect(first.Role).toBe(outputs.mine.value);
    expect(second.Role).toContain(":role/second-");
    expect(second.Layers).toEqual(first.Layers);
    // What one function goes through is not another one's to delete.
    await terraform("destroy", "-no-color", "-auto-approve", "-target=module.third");
    const { Contents } = await aws("s3api", "list-objects-v2", "--bucket", outputs.bucket.value);
    expect(Contents.map(({ Key }: { Key: string }) => Key)).toEqual(["first/hello.zip"]);
  },
  LIMIT_MS,
);

test.if(TERRAFORM !== null).each([
  ["no layer", [], "Give either layer_zip or layer_arn."],
  ["two layers", ["layer_zip=ZIP", "layer_arn=x"], "Give either layer_zip or layer_arn."],
  ["no role", ["create_role=false"], "Give either role_arn or create_role = true."],
  ["two roles", ["role_arn=x", "create_role=true"], "Give either role_arn or create_role = true."],
  [
    "no bucket",
    ["layer_zip=ZIP", "use_layer_bucket=true"],
    "Give layer_bucket, or use_layer_bucket = false.",
  ],
])(
  "terraform says what to give where the function has %s",
  async (_, given, fault) => {
    const cwd = join(temporaryFolder("terraform"), "module");
    const zip = await moduleCopy(cwd);
    cpSync(join(import.meta.dir, "moto-provider.tf"), join(cwd, "provider_override.tf"));
    await using moto = await MotoServer.start();
    const env = { ...moto.environment, TF_IN_AUTOMATION: "1", HOME: temporaryFolder("home") };
    const terraform = (words: readonly string[], status = 0) =>
      run([TERRAFORM ?? "", ...words], { cwd, env, status });
    await terraform(["init", "-no-color", "-backend=false", ...terraformPlugins()]);
    const variables = [
      ...["-var=name=hello", `-var=code_zip=${zip}`],
      ...given.map((each) => `-var=${each.replace("ZIP", zip)}`),
    ];
    const { stderr } = await terraform(["plan", "-no-color", ...variables], 1);
    expect(stderr).toContain(fault);
  },
  LIMIT_MS,
);

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
