/**
 * A customer-managed runtime for shell functions: the runtime, a version of it and its aliases.
 *
 * @see {@link https://docs.aws.amazon.com/lambda/latest/dg/runtimes-customer-managed.html} Lambda's
 *   customer-managed runtimes
 * @module
 */

import { CfnResource, RemovalPolicy, Stack } from "aws-cdk-lib";
import { Construct } from "constructs";

/** What a runtime is made from. */
export interface ShellRuntimeProps {
  /** The version's image in ECR with its digest: `REPOSITORY@sha256:…`. */
  readonly imageUri: string;
  /** Name of the version, such as `v0.1.0`; a version never changes. */
  readonly versionName: string;
  /** Name of the version that the alias `stable` names; without it there is no such alias. */
  readonly stableVersionName?: string;
  /** Name of the runtime; `shell` unless said otherwise. */
  readonly runtimeName?: string;
}

/** The runtime that a function uses, in the function's own Region. */
export interface CustomRuntime {
  /** ARN of the runtime, without version or alias. */
  readonly runtimeArn: string;
  /** The runtime's alias; `stable` unless said otherwise. */
  readonly runtimeAlias?: string;
}

/**
 * A customer-managed runtime. What it makes stays when it is taken out of the stack: functions that
 * name a deleted version or alias fail at once, and a deleted name stays taken for days.
 *
 * It is made of plain resources, since CDK has no constructs for them before 2.278.
 */
export class ShellRuntime extends Construct implements CustomRuntime {
  readonly runtimeArn: string;
  /** `stable`, or `preview` as long as no version is stable. */
  readonly runtimeAlias: string;

  constructor(scope: Construct, id: string, props: ShellRuntimeProps) {
    super(scope, id);
    const { runtimeName: RuntimeName = "shell", versionName, stableVersionName } = props;
    const runtime = retained(this, "Runtime", "AWS::Lambda::Runtime", {
      Name: RuntimeName,
      Description: "Runs shell functions, with the AWS CLI v2 and jq",
      LicenseInfo: "Apache-2.0; the licences of all parts are in /usr/share/lambda-shell-runtime",
      ReleaseLifecycle: { ReleaseState: "GA" },
    });
    const version = retained(this, "Version", "AWS::Lambda::RuntimeVersion", {
      RuntimeName,
      Name: versionName,
      ImageUri: props.imageUri,
    });
    version.addDependency(runtime);
    const alias = (id: string, Name: string, RuntimeVersion: string, ReleaseState: string) =>
      retained(this, id, "AWS::Lambda::RuntimeAlias", {
        RuntimeName,
        Name,
        RuntimeVersion,
        ReleaseLifecycle: { ReleaseState },
      }).addDependency(version);
    alias("Preview", "preview", versionName, "PREVIEW");
    if (stableVersionName !== undefined) alias("Stable", "stable", stableVersionName, "GA");
    this.runtimeAlias = stableVersionName === undefined ? "preview" : "stable";
    this.runtimeArn = Stack.of(this).formatArn({
      service: "lambda",
      resource: "runtime",
      resourceName: RuntimeName,
    });
  }
}

/** A resource that stays when its stack or its place in it goes. */
function retained(
  scope: Construct,
  id: string,
  type: string,
  properties: Record<string, unknown>,
): CfnResource {
  const resource = new CfnResource(scope, id, { type, properties });
  resource.applyRemovalPolicy(RemovalPolicy.RETAIN);
  return resource;
}
