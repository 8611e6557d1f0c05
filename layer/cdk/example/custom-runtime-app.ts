/**
 * A stack with a shell function and, on the same runtime without the AWS CLI, a Node 16 function: the
 * second one is an executable handler, with node from a layer of its own.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";

import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import { Architecture, Code, LayerVersion, Runtime } from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";

import { ShellFunction, ShellRuntimeLayer } from "../lib/index.ts";

/** The root of the repository, from the compiled file. */
const ROOT = join(__dirname, "../../../..");

/** The stack's architecture, and where its layers are. */
export interface CustomRuntimeAppProps extends StackProps {
  readonly architecture: Architecture;
  /** Folder with the layers' zips; the repository's `dist` unless said otherwise. */
  readonly zips?: string;
}

/** The stack. */
export class CustomRuntimeApp extends Stack {
  constructor(scope: Construct, id: string, props: CustomRuntimeAppProps) {
    super(scope, id, props);
    const { architecture, zips = join(ROOT, "dist") } = props;
    const common = {
      architecture,
      zips,
      memorySize: 128,
      // Node reads 80 MB of itself at the first event.
      timeout: Duration.seconds(10),
    };
    const shell = new ShellFunction(this, "ShellFunction", {
      ...common,
      code: join(ROOT, "fixtures/functions/hello"),
      description: "Responds with its event",
    });
    const node = new ShellFunction(this, "NodeFunction", {
      ...common,
      code: join(ROOT, "fixtures/functions/node16"),
      handler: "lambda.handler",
      description: "A Node 16 handler as an executable handler",
      // It calls no aws, and node beside it would leave little of Lambda's 262 MB.
      runtimeLayer: new ShellRuntimeLayer(this, "SlimLayer", {
        architecture,
        zips,
        flavor: "slim",
      }),
      layers: [
        new LayerVersion(this, "NodeLayer", {
          code: Code.fromAsset(nodeLayer(zips, architecture)),
          compatibleArchitectures: [architecture],
          compatibleRuntimes: [Runtime.PROVIDED_AL2023],
          description: "Node.js 16 as /opt/bin/node",
          removalPolicy: RemovalPolicy.RETAIN,
        }),
      ],
    });
    new CfnOutput(this, "ShellFunctionName", { value: shell.functionName });
    new CfnOutput(this, "NodeFunctionName", { value: node.functionName });
  }
}

function nodeLayer(folder: string, architecture: Architecture): string {
  const suffix = architecture === Architecture.ARM_64 ? "-layer-arm64.zip" : "-layer-amd64.zip";
  const name = readdirSync(folder).find(
    (file) => /^node-v16\./.test(file) && file.endsWith(suffix),
  );
  if (name === undefined) {
    throw new Error(`failed to find node-v16.…${suffix} in ${folder}: run "make node-layer" first`);
  }
  return join(folder, name);
}
