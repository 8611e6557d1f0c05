/**
 * The example app: one stack per architecture.
 *
 *     cdk synth                        # with the layers of `make dist node-layer`
 *     cdk synth --context zips=FOLDER  # with those of a release
 *
 * @module
 */

import { App } from "aws-cdk-lib";
import { Architecture } from "aws-cdk-lib/aws-lambda";

import { CustomRuntimeApp } from "./custom-runtime-app.ts";

const app = new App();
const zips: unknown = app.node.tryGetContext("zips");
const common = {
  env: { region: "eu-central-1" },
  ...(typeof zips === "string" ? { zips } : {}),
};
new CustomRuntimeApp(app, "CustomRuntimeApp", {
  ...common,
  architecture: Architecture.X86_64,
});
new CustomRuntimeApp(app, "CustomRuntimeAppArm64", {
  ...common,
  architecture: Architecture.ARM_64,
});
