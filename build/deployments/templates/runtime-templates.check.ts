/**
 * The templates of the customer-managed runtime. No tool knows its resources yet: their properties
 * are checked here, against schemas that agree with AWS's newest model; a tool that learns them is
 * told by a failing test, so that the exceptions for it can go.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { ROOT } from "../layer-dist.ts";
import { MotoServer, pythonProgram, samEnvironment } from "../moto-server.ts";
import { run } from "../run.ts";
import {
  readTemplate,
  resolveResources,
  type Resource,
  type Template,
} from "./cloudformation-template.ts";
import { TERRAFORM, terraformPlugins } from "./terraform.ts";

const LIMIT_MS = 300_000;
const FOLDER = join(ROOT, "layer/runtime");
const SCHEMAS = join(import.meta.dir, "schemas");
const REGISTRY = join(SCHEMAS, "cloudformation");
const MODEL = join(ROOT, "cache/botocore/botocore/data/lambda-core/2026-04-30/service-2.json.gz");

const RUNTIME = "arn:aws:lambda:us-east-1:123456789012:runtime/shell";
const IMAGE = `123456789012.dkr.ecr.us-east-1.amazonaws.com/x@sha256:${"0".repeat(64)}`;
const PUBLISHER = { VersionName: "v1.0.0", ImageUri: IMAGE };
const CONSUMER = { RuntimeArn: RUNTIME, CodeBucket: "bucket", CodeKey: "hello.zip" };

interface RegistrySchema {
  readonly typeName: string;
  readonly required: readonly string[];
  readonly properties: Readonly<Record<string, { readonly pattern?: string }>>;
}

const read = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const registry: readonly RegistrySchema[] = readdirSync(REGISTRY).map((name) =>
  read(join(REGISTRY, name)),
);

const ajv = new Ajv2020({ strict: false, allErrors: true });
const validators = new Map<string, ValidateFunction>(
  registry.map((schema) => {
    return [schema.typeName, ajv.compile({ ...schema, type: "object" })];
  }),
);
const functionValidator = ajv.compile(read(join(SCHEMAS, "function-runtime-config.json")));
for (const type of ["AWS::Lambda::Function", "AWS::Serverless::Function"]) {
  validators.set(type, functionValidator);
}

const template = (name: string): Template => readTemplate(readFileSync(join(FOLDER, name), "utf8"));

/** What is wrong with the resources, one line a fault. */
function faults(resources: ReadonlyMap<string, Resource>): readonly string[] {
  return [...resources].flatMap(([name, { Type, Properties }]) => {
    const validate = validators.get(Type);
    if (validate === undefined || validate(Properties)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${name}${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  });
}

describe("the schemas", () => {
  interface Shape {
    readonly type: string;
    readonly pattern?: string;
    readonly required?: readonly string[];
    readonly members?: Readonly<Record<string, { readonly shape: string }>>;
  }
  const shapes: Readonly<Record<string, Shape>> = JSON.parse(
    Buffer.from(Bun.gunzipSync(readFileSync(MODEL))).toString(),
  ).shapes;

  test.each(registry.map((schema) => [schema.typeName, schema] as const))(
    "%s has the members, the required ones and the patterns of AWS's model",
    (typeName, { required, properties }) => {
      const request = shapes[`Create${typeName.split("::")[2]}Request`];
      const { DryRun: _, ...members } = request?.members ?? {};
      expect(Object.keys(properties).sort()).toEqual(Object.keys(members).sort());
      expect([...required].sort()).toEqual([...(request?.required ?? [])].sort());
      for (const [name, { shape }] of Object.entries(members)) {
        const pattern = shapes[shape]?.pattern;
        expect(`${name} ${properties[name]?.pattern}`).toBe(
          `${name} ${pattern === undefined ? undefined : `^${pattern}$`}`,
        );
      }
    },
  );
});

describe("publisher.yaml", () => {
  const stable = { ...PUBLISHER, StableVersionName: "v0.9.0" };

  test("makes a runtime, a version and its alias, and the second alias where it is wanted", () => {
    const first = resolveResources(template("publisher.yaml"), PUBLISHER);
    expect([...first.keys()]).toEqual(["Runtime", "Version", "Preview"]);
    expect(faults(first)).toEqual([]);
    const second = resolveResources(template("publisher.yaml"), stable);
    expect([...second.keys()]).toEqual(["Runtime", "Version", "Preview", "Stable"]);
    expect(faults(second)).toEqual([]);
    expect(second.get("Stable")?.Properties["RuntimeVersion"]).toBe("v0.9.0");
  });

  test("never takes a runtime, version or alias from the functions that use it", () => {
    for (const [name, resource] of resolveResources(template("publisher.yaml"), stable)) {
      expect(`${name} ${resource.DeletionPolicy} ${resource.UpdateReplacePolicy}`).toBe(
        `${name} Retain Retain`,
      );
    }
  });

  test.each([
    ["RuntimeName", "Shell", "Runtime/Name must match pattern"],
    ["RuntimeName", "s", "Runtime/Name must NOT have fewer than 2 characters"],
    ["VersionName", "v1+1", "Version/Name must match pattern"],
    ["StableVersionName", "-v1", "Stable/RuntimeVersion must match pattern"],
  ])("the check finds that %s is %p", (parameter, value, fault) => {
    const resources = resolveResources(template("publisher.yaml"), {
      ...stable,
      [parameter]: value,
    });
    expect(faults(resources).join("\n")).toContain(fault);
  });

  test.each([
    ["ImageUri: !Ref ImageUri", "", "Version must have required property 'ImageUri'"],
    ["ReleaseState: GA", "ReleaseState: BETA", "/ReleaseState must be equal to one of"],
    ["LicenseInfo:", "Licence:", "Runtime must NOT have additional properties"],
    ["RuntimeName: !Ref RuntimeName\n", "\n", "must have required property 'RuntimeName'"],
    ["ReleaseState: PREVIEW", "DeprecationDate: tomorrow", "/DeprecationDate must match pattern"],
  ])("the check finds %p replaced by %p", (from, to, fault) => {
    const text = readFileSync(join(FOLDER, "publisher.yaml"), "utf8");
    expect(text).toContain(from);
    const resources = resolveResources(readTemplate(text.replace(from, to)), stable);
    expect(faults(resources).join("\n")).toContain(fault);
  });

  test(
    "cfn-lint accepts all of it but the properties that it does not know",
    async () => {
      const file = join(FOLDER, "publisher.yaml");
      await run([pythonProgram("cfn-lint"), "--registry-schemas", REGISTRY, "--", file]);
      const { stdout } = await run([pythonProgram("cfn-lint"), "--format", "parseable", file], {
        status: 2,
      });
      // When this fails, cfn-lint knows the types: leave --registry-schemas out.
      expect(codes(stdout)).toEqual(["E3006"]);
    },
    LIMIT_MS,
  );
});

/** The different codes of cfn-lint's findings. */
const codes = (output: string) => [...new Set(output.match(/\b[EW]\d{4}\b/g))].sort();

describe("consumer.yaml", () => {
  const resolved = resolveResources(template("consumer.yaml"), CONSUMER);

  test("names runtime and alias as AWS's model has them", () => {
    expect(faults(resolved)).toEqual([]);
    expect(resolved.get("Function")?.Properties).toMatchObject({
      Runtime: "custom",
      RuntimeConfig: { RuntimeArn: RUNTIME, RuntimeAlias: "stable" },
      Architectures: ["arm64"],
      TracingConfig: { Mode: "PassThrough" },
    });
    expect(resolved.get("Log")?.Properties["RetentionInDays"]).toBe(14);
  });

  test.each([
    [{ RuntimeArn: `${RUNTIME}/alias/stable` }, "/RuntimeArn must match pattern"],
    [{ RuntimeArn: `${RUNTIME}/version/v1` }, "/RuntimeArn must match pattern"],
    [{ RuntimeArn: "shell" }, "/RuntimeArn must NOT have fewer than 48 characters"],
    [{ RuntimeAlias: "my alias" }, "/RuntimeAlias must match pattern"],
  ])("the check finds %p", (parameters, fault) => {
    const resources = resolveResources(template("consumer.yaml"), { ...CONSUMER, ...parameters });
    expect(faults(resources).join("\n")).toContain(fault);
  });

  test.each([
    ["Runtime: custom", "Runtime: provided.al2023", "/Runtime must be equal to constant"],
    ["RuntimeAlias: !Ref RuntimeAlias", "Alias: stable", "must NOT have additional properties"],
    ["Handler: function.handler", "PackageType: Image", "/PackageType must be equal to constant"],
    ["Runtime: custom", "", "must have required property 'Runtime'"],
  ])("the check finds %p replaced by %p", (from, to, fault) => {
    const text = readFileSync(join(FOLDER, "consumer.yaml"), "utf8");
    expect(text).toContain(from);
    const resources = resolveResources(readTemplate(text.replace(from, to)), CONSUMER);
    expect(faults(resources).join("\n")).toContain(fault);
  });

  test("leaves the function's name to CloudFormation unless one is said, so that two stacks fit beside each other", () => {
    expect(resolved.get("Log")?.Properties).not.toHaveProperty("LogGroupName");
    expect(resolved.get("Function")?.Properties).not.toHaveProperty("FunctionName");
    const named = resolveResources(template("consumer.yaml"), { ...CONSUMER, FunctionName: "x_y" });
    expect(named.get("Log")?.Properties["LogGroupName"]).toBe("/aws/lambda/x_y");
    expect(named.get("Function")?.Properties["FunctionName"]).toBe("x_y");
  });

  test("traces, and may trace from its role's beginning, only where that is switched on", () => {
    const traced = resolveResources(template("consumer.yaml"), { ...CONSUMER, Tracing: "Active" });
    expect(resolved.get("Role")?.Properties).not.toHaveProperty("ManagedPolicyArns");
    expect(traced.get("Role")?.Properties["ManagedPolicyArns"]).toEqual([
      "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess",
    ]);
    // Lambda refuses a traced function whose role gets its permission later, from another resource.
    expect([...traced.keys()]).toEqual(["Log", "Role", "Function"]);
  });

  test(
    "cfn-lint needs its two exceptions",
    async () => {
      await run([pythonProgram("cfn-lint"), join(FOLDER, "consumer.yaml")]);
      const text = readFileSync(join(FOLDER, "consumer.yaml"), "utf8");
      const bare = join(temporaryFolder("bare"), "consumer.yaml");
      writeFileSync(bare, text.replace(/ {4}Metadata:\n.*\n/, ""));
      const { stdout } = await run([pythonProgram("cfn-lint"), "--format", "parseable", bare], {
        status: 2,
      });
      // When this fails, cfn-lint knows customer-managed runtimes: take the exceptions out.
      expect(codes(stdout)).toEqual(["E3002", "E3030"]);
    },
    LIMIT_MS,
  );
});

describe("sam.yaml", () => {
  test("names runtime and alias as AWS's model has them", () => {
    expect(faults(resolveResources(template("sam.yaml"), CONSUMER))).toEqual([]);
  });

  test(
    "SAM accepts all of it but the runtime, which it does not know yet",
    async () => {
      const text = readFileSync(join(FOLDER, "sam.yaml"), "utf8");
      const folder = temporaryFolder("sam");
      mkdirSync(join(folder, "runtime"));
      const known = text
        .replace("Runtime: custom", "Runtime: provided.al2023")
        .replace(/ {6}RuntimeConfig:\n.*\n.*\n/, "")
        .replace(/ {2}Runtime(Arn|Alias):\n( {4}.*\n)+/g, "");
      writeFileSync(join(folder, "known.yaml"), known);
      const env = samEnvironment();
      const sam = [pythonProgram("sam"), "validate", "--lint", "--template"];
      await run([...sam, join(folder, "known.yaml")], { env });
      const whole = [...sam.filter((word) => word !== "--lint"), join(FOLDER, "sam.yaml")];
      // When this fails, SAM knows customer-managed runtimes: validate the whole template.
      const { stdout, stderr } = await run(whole, { env, status: 1 });
      expect(stdout + stderr).toContain("RuntimeConfig");
    },
    LIMIT_MS,
  );
});

test("CDK does not know customer-managed runtimes yet", async () => {
  const modules = process.env["CDK_MODULES"] ?? join(ROOT, "layer/cdk/node_modules");
  const program = 'console.log(typeof require("aws-cdk-lib/aws-lambda").CfnRuntime)';
  const { stdout } = await run(["node", "-e", program], { cwd: join(modules, "..") });
  // When this fails, it does: make the resources of ShellRuntime with CDK's own types.
  expect(stdout).toBe("undefined\n");
});

test(
  "the CDK construct makes the resources of publisher.yaml",
  async () => {
    const cdk = join(ROOT, "layer/cdk");
    await run(["npm", "run", "--silent", "build"], { cwd: cdk });
    const program = `
      const { App, Stack } = require("aws-cdk-lib");
      const { Template } = require("aws-cdk-lib/assertions");
      const { ShellRuntime } = require("./build/lib/index.js");
      const stack = new Stack(new App(), "Stack");
      new ShellRuntime(stack, "Shell", JSON.parse(process.argv[1]));
      console.log("\\n" + JSON.stringify(Template.fromStack(stack).toJSON()));`;
    const props = {
      imageUri: IMAGE,
      versionName: PUBLISHER.VersionName,
      stableVersionName: "v0.9.0",
    };
    const { stdout } = await run(["node", "-e", program, JSON.stringify(props)], { cwd: cdk });
    const made = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
    const propertiesOf = (resources: ReadonlyMap<string, Resource>) =>
      [...resources.values()].map(({ Type, Properties, DeletionPolicy, UpdateReplacePolicy }) => ({
        ...{ Type, Properties, DeletionPolicy, UpdateReplacePolicy },
      }));
    const written = resolveResources(template("publisher.yaml"), {
      ...PUBLISHER,
      StableVersionName: props.stableVersionName,
    });
    expect(propertiesOf(resolveResources({ Resources: made.Resources }))).toEqual(
      propertiesOf(written),
    );
  },
  LIMIT_MS,
);

describe("terraform", () => {
  test(
    "the files parse, and every variable that is used is declared and described",
    async () => {
      const program = join(import.meta.dir, "check_terraform.py");
      const { stdout } = await run([pythonProgram("python"), program, join(FOLDER, "terraform")]);
      expect(stdout).toContain("7 variables, 1 outputs");
    },
    LIMIT_MS,
  );

  // Moto knows no runtimes: it leaves those resources out, and makes the function, its role and log.
  test.if(TERRAFORM !== null)(
    "makes both stacks, as far as moto knows what is in them",
    async () => {
      await using moto = await MotoServer.start();
      const folder = temporaryFolder("terraform");
      cpSync(FOLDER, folder, { recursive: true });
      const cwd = join(folder, "terraform");
      cpSync(join(import.meta.dir, "moto-provider.tf"), join(cwd, "provider_override.tf"));
      const env = { ...moto.environment, TF_IN_AUTOMATION: "1", HOME: temporaryFolder("home") };
      const terraform = (...words: string[]) => run([TERRAFORM ?? "", ...words], { cwd, env });
      const aws = (...words: string[]) => run([pythonProgram("aws"), ...words], { env });
      const zip = join(folder, "hello.zip");
      await run(["zip", "-q", zip, "function.sh"], { cwd: join(ROOT, "fixtures/functions/hello") });
      await aws("s3", "mb", "s3://code-bucket");
      await aws("s3", "cp", "--quiet", zip, "s3://code-bucket/hello.zip");
      await terraform("fmt", "-check", join(FOLDER, "terraform"));
      await terraform("init", "-no-color", "-backend=false", ...terraformPlugins());
      await terraform("validate", "-no-color");
      const variables = [
        `-var=image_uri=${IMAGE}`,
        ...["-var=version_name=v1.0.0", "-var=stable_version_name=v1.0.0"],
        ...["-var=code_bucket=code-bucket", "-var=code_key=hello.zip"],
      ];
      await terraform("apply", "-no-color", "-auto-approve", ...variables);
      const get = await aws(
        ...["lambda", "get-function-configuration", "--function-name", "hello-shell"],
      );
      expect(JSON.parse(get.stdout)).toMatchObject({
        Runtime: "custom",
        Handler: "function.handler",
        TracingConfig: { Mode: "PassThrough" },
      });
      const groups = await aws("logs", "describe-log-groups");
      expect(JSON.parse(groups.stdout).logGroups).toMatchObject([
        { logGroupName: "/aws/lambda/hello-shell", retentionInDays: 14 },
      ]);
      // Once more beside them, under names that no stack can have.
      const second = [...variables, "-var=runtime_name=0.shell_2", "-var=function_name=hello_2"];
      await terraform("apply", "-no-color", "-auto-approve", "-state=second", ...second);
      const both = await aws("lambda", "list-functions", "--query", "Functions[].FunctionName");
      expect(JSON.parse(both.stdout).sort()).toEqual(["hello-shell", "hello_2"]);
      await terraform("destroy", "-no-color", "-auto-approve", "-state=second", ...second);
      await terraform("destroy", "-no-color", "-auto-approve", ...variables);
    },
    LIMIT_MS,
  );
});
