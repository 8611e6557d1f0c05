/**
 * What the constructs and the example stack synthesize to.
 *
 * Reads the compiled package: `npm ci && npm run build` come first, as `make deployments` does it.
 * With UPDATE=1 the golden templates are written instead of compared.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { App, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Match, Template } from "aws-cdk-lib/assertions";
import { Architecture, Tracing } from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";

import { CustomRuntimeApp } from "../build/example/custom-runtime-app.js";
import { ShellFunction, ShellRuntime, ShellRuntimeLayer } from "../build/lib/index.js";

const HELLO = join(import.meta.dir, "../../../fixtures/functions/hello");
const NODE16 = join(import.meta.dir, "../../../fixtures/functions/node16");

/** A folder of empty zips with the names of a release: only their names matter to a template. */
function releaseFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "zips-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["arm64", "amd64"]) {
    for (const file of [
      `lambda-shell-runtime-${name}-1.2.3.zip`,
      `lambda-shell-runtime-slim-${name}-1.2.3.zip`,
      `bootstrap-${name}-1.2.3.zip`,
      `node-v16.0.0-layer-${name}.zip`,
    ]) {
      writeFileSync(join(folder, file), file);
    }
  }
  return folder;
}

const zips = releaseFolder();

/** The template without what changes with every byte of an asset or with the version of CDK. */
function golden(template: Template): string {
  const { Resources, Outputs } = template.toJSON();
  for (const resource of Object.values(Resources as Record<string, Record<string, unknown>>)) {
    delete resource["Metadata"];
  }
  return `${JSON.stringify({ Resources, Outputs }, null, 2).replace(/[0-9a-f]{64}/g, "HASH")}\n`;
}

for (const [id, architecture, name] of [
  ["CustomRuntimeApp", Architecture.X86_64, "x86_64"],
  ["CustomRuntimeAppArm64", Architecture.ARM_64, "arm64"],
] as const) {
  describe(id, () => {
    const app = new App({ analyticsReporting: false });
    const stack = new CustomRuntimeApp(app, id, { architecture, zips });
    const template = Template.fromStack(stack);

    test("equals its golden template", async () => {
      const path = join(import.meta.dir, `${id}.template.json`);
      if (process.env["UPDATE"] === "1") await Bun.write(path, golden(template));
      expect(golden(template)).toBe(await Bun.file(path).text());
    });

    test("runs both functions on layers of the architecture, the one with node without aws", () => {
      template.resourceCountIs("AWS::Lambda::LayerVersion", 3);
      template.allResourcesProperties("AWS::Lambda::LayerVersion", {
        CompatibleArchitectures: [name],
        CompatibleRuntimes: ["provided.al2023"],
      });
      template.allResourcesProperties("AWS::Lambda::Function", {
        Architectures: [name],
        MemorySize: 128,
        Runtime: "provided.al2023",
      });
      const functions = Object.values(template.findResources("AWS::Lambda::Function"));
      const [first, second] = functions.map(({ Properties }) => Properties.Layers);
      expect(first).toHaveLength(1);
      expect(second).toHaveLength(2);
      const layers = template.findResources("AWS::Lambda::LayerVersion");
      const description = (reference: { readonly Ref: string }) =>
        layers[reference.Ref]?.["Properties"].Description;
      expect(description(first[0])).toBe("Runs shell functions (full)");
      expect(description(second[0])).toBe("Runs shell functions (slim)");
    });

    test("keeps the handler's name of a Node.js function", () => {
      template.hasResourceProperties("AWS::Lambda::Function", { Handler: "lambda.handler" });
      // That is a file, and Lambda starts it only with its execute bit.
      expect(statSync(join(NODE16, "lambda.handler")).mode & 0o111).toBe(0o111);
    });

    test("gives each function a role that may write its log", () => {
      template.allResourcesProperties("AWS::IAM::Role", {
        ManagedPolicyArns: [
          Match.objectLike({
            "Fn::Join": ["", Match.arrayWith([Match.stringLikeRegexp("AWSLambdaBasicExecution")])],
          }),
        ],
      });
    });
  });
}

test("ShellFunction passes every option of a Lambda function on", () => {
  const stack = new Stack(new App(), "Stack");
  const fn = new ShellFunction(stack, "Function", {
    code: HELLO,
    zips,
    environment: { GREETING: "hello" },
    reservedConcurrentExecutions: 3,
  });
  fn.addFunctionUrl();
  const template = Template.fromStack(stack);
  template.hasResourceProperties("AWS::Lambda::Function", {
    Handler: "function.handler",
    Environment: { Variables: { GREETING: "hello" } },
    ReservedConcurrentExecutions: 3,
  });
  template.resourceCountIs("AWS::Lambda::Url", 1);
});

test("ShellFunction runs on arm64 and keeps its log for two weeks, unless told otherwise", () => {
  const stack = new Stack(new App(), "Stack");
  new ShellFunction(stack, "Function", { code: HELLO, zips });
  const template = Template.fromStack(stack);
  template.hasResourceProperties("AWS::Lambda::Function", {
    Architectures: ["arm64"],
    LoggingConfig: { LogGroup: { Ref: Match.stringLikeRegexp("^FunctionLog") } },
  });
  template.hasResource("AWS::Logs::LogGroup", {
    DeletionPolicy: "Delete",
    Properties: { RetentionInDays: 14 },
  });

  const other = new Stack(new App(), "Other");
  const logGroup = new LogGroup(other, "Mine", { retention: RetentionDays.ONE_YEAR });
  new ShellFunction(other, "Function", {
    ...{ code: HELLO, zips, logGroup },
    architecture: Architecture.X86_64,
    tracing: Tracing.ACTIVE,
  });
  const changed = Template.fromStack(other);
  changed.resourceCountIs("AWS::Logs::LogGroup", 1);
  changed.hasResourceProperties("AWS::Lambda::Function", {
    Architectures: ["x86_64"],
    TracingConfig: { Mode: "Active" },
  });
});

test("ShellFunction keeps its log where its removal policy says so", () => {
  const stack = new Stack(new App(), "Stack");
  const common = { code: HELLO, zips, logRemovalPolicy: RemovalPolicy.RETAIN };
  new ShellFunction(stack, "Function", common);
  const template = Template.fromStack(stack);
  template.hasResource("AWS::Logs::LogGroup", {
    DeletionPolicy: "Retain",
    UpdateReplacePolicy: "Retain",
    Properties: { RetentionInDays: 14 },
  });

  const other = new Stack(new App(), "Other");
  new ShellFunction(other, "Function", { ...common, logRetention: RetentionDays.ONE_DAY });
  const changed = Template.fromStack(other);
  changed.resourceCountIs("AWS::Logs::LogGroup", 0);
  changed.resourceCountIs("Custom::LogRetention", 1);
});

describe("a customer-managed runtime", () => {
  const imageUri = `123456789012.dkr.ecr.us-east-1.amazonaws.com/x@sha256:${"0".repeat(64)}`;
  const props = { imageUri, versionName: "v1.1.0", stableVersionName: "v1.0.0" };

  test("is made of the resources of publisher.yaml, which all stay", () => {
    const stack = new Stack(new App(), "Stack");
    new ShellRuntime(stack, "Shell", props);
    const template = Template.fromStack(stack);
    for (const [type, Properties] of [
      ["Runtime", { Name: "shell" }],
      ["RuntimeVersion", { RuntimeName: "shell", Name: "v1.1.0", ImageUri: imageUri }],
      ["RuntimeAlias", { RuntimeName: "shell", Name: "preview", RuntimeVersion: "v1.1.0" }],
      ["RuntimeAlias", { RuntimeName: "shell", Name: "stable", RuntimeVersion: "v1.0.0" }],
    ] as const) {
      template.hasResource(`AWS::Lambda::${type}`, {
        DeletionPolicy: "Retain",
        UpdateReplacePolicy: "Retain",
        Properties: Match.objectLike(Properties),
      });
    }
  });

  test("has no alias stable until a version is named for it", () => {
    const stack = new Stack(new App(), "Stack");
    new ShellRuntime(stack, "Shell", { imageUri, versionName: "v1.1.0" });
    Template.fromStack(stack).resourceCountIs("AWS::Lambda::RuntimeAlias", 1);
  });

  test("takes the place of the layer in a function", () => {
    const stack = new Stack(new App(), "Stack");
    const customRuntime = new ShellRuntime(stack, "Shell", props);
    new ShellFunction(stack, "Function", { code: HELLO, customRuntime });
    const template = Template.fromStack(stack);
    template.resourceCountIs("AWS::Lambda::LayerVersion", 0);
    template.hasResourceProperties("AWS::Lambda::Function", {
      Runtime: "custom",
      Handler: "function.handler",
      Layers: Match.absent(),
      RuntimeConfig: {
        RuntimeArn: { "Fn::Join": ["", Match.arrayWith([":runtime/shell"])] },
        RuntimeAlias: "stable",
      },
    });
  });

  test("is made before a function that uses it", () => {
    const stack = new Stack(new App(), "Stack");
    const customRuntime = new ShellRuntime(stack, "Shell", props);
    new ShellFunction(stack, "Function", { code: HELLO, customRuntime });
    const template = Template.fromStack(stack);
    const made = ["Runtime", "RuntimeVersion", "RuntimeAlias"].flatMap((type) =>
      Object.keys(template.findResources(`AWS::Lambda::${type}`)),
    );
    expect(made).toHaveLength(4);
    template.hasResource("AWS::Lambda::Function", { DependsOn: Match.arrayWith(made.sort()) });
  });

  test("is used by its alias preview as long as it has no other", () => {
    const stack = new Stack(new App(), "Stack");
    const customRuntime = new ShellRuntime(stack, "Shell", { imageUri, versionName: "v1.1.0" });
    new ShellFunction(stack, "Function", { code: HELLO, customRuntime });
    Template.fromStack(stack).hasResourceProperties("AWS::Lambda::Function", {
      RuntimeConfig: { RuntimeAlias: "preview" },
    });
  });

  test("may be named by its ARN and another alias", () => {
    const stack = new Stack(new App(), "Stack");
    const runtimeArn = "arn:aws:lambda:us-east-1:123456789012:runtime/shell";
    new ShellFunction(stack, "Function", {
      code: HELLO,
      customRuntime: { runtimeArn, runtimeAlias: "preview" },
    });
    Template.fromStack(stack).hasResourceProperties("AWS::Lambda::Function", {
      RuntimeConfig: { RuntimeArn: runtimeArn, RuntimeAlias: "preview" },
    });
  });

  test("is refused beside a layer of the runtime", () => {
    const stack = new Stack(new App(), "Stack");
    const runtimeLayer = new ShellRuntimeLayer(stack, "Layer", { zips });
    const customRuntime = { runtimeArn: "arn:aws:lambda:us-east-1:123456789012:runtime/shell" };
    expect(
      () => new ShellFunction(stack, "Function", { code: HELLO, customRuntime, runtimeLayer }),
    ).toThrow("give either runtimeLayer or customRuntime");
  });
});

test("functions share a layer where it is of the same folder, and no other", () => {
  const stack = new Stack(new App(), "Stack");
  const others = releaseFolder();
  for (const [at, folder] of [zips, others, `${zips}/.`, others, zips].entries()) {
    new ShellFunction(stack, `Function${at}`, { code: HELLO, zips: folder });
  }
  const template = Template.fromStack(stack);
  const layers = Object.keys(template.findResources("AWS::Lambda::LayerVersion"));
  expect(layers).toHaveLength(2);
  const functions = Object.values(template.findResources("AWS::Lambda::Function"));
  const used = functions.map(({ Properties }) => layers.indexOf(Properties.Layers[0].Ref));
  expect(used).toEqual([0, 1, 0, 1, 0]);
});

test("ShellRuntimeLayer chooses the zip of each flavor", () => {
  for (const flavor of ["full", "slim", "bare"] as const) {
    const stack = new Stack(new App(), "Stack");
    new ShellRuntimeLayer(stack, "Layer", { flavor, zips, retain: false });
    const template = Template.fromStack(stack);
    template.hasResourceProperties("AWS::Lambda::LayerVersion", {
      Description: `Runs shell functions (${flavor})`,
      CompatibleArchitectures: ["arm64"],
    });
  }
});

test("ShellRuntimeLayer names what it looked for when there is no zip", () => {
  const stack = new Stack(new App(), "Stack");
  expect(() => new ShellRuntimeLayer(stack, "Layer", { zips: HELLO })).toThrow(
    "it has 0 files like lambda-shell-runtime-arm64-VERSION.zip",
  );
});
