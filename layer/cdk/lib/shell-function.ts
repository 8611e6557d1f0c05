/**
 * A Lambda function that is a shell script.
 *
 * @module
 */

import { RemovalPolicy } from "aws-cdk-lib";
import {
  Architecture,
  type CfnFunction,
  Code,
  Function as LambdaFunction,
  type FunctionOptions,
  type ILayerVersion,
  Runtime,
  RuntimeFamily,
} from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";

import { ShellRuntimeLayer } from "./shell-runtime-layer.ts";
import type { CustomRuntime } from "./shell-runtime.ts";

/** What a shell function is made from: all options of a Lambda function, and these. */
export interface ShellFunctionProps extends FunctionOptions {
  /** Folder with `function.sh`, or code from elsewhere. */
  readonly code: string | Code;
  /** `script.function` or a file's name; `function.handler` unless said otherwise. */
  readonly handler?: string;
  /** The runtime's layer; one per stack and architecture, from {@link zips}, unless given. */
  readonly runtimeLayer?: ILayerVersion;
  /** Folder with the zips of a release or of `make dist`; `dist` unless said otherwise. */
  readonly zips?: string;
  /** A customer-managed runtime in place of the layer: a `ShellRuntime`, or its ARN and alias. */
  readonly customRuntime?: CustomRuntime;
}

/**
 * A Lambda function on `provided.al2023` with the lambda-shell-runtime layer, or on a
 * customer-managed runtime. It runs on arm64 and keeps its log for two weeks, unless said otherwise.
 */
export class ShellFunction extends LambdaFunction {
  /** @throws {Error} When it is given a layer of the runtime and a customer-managed runtime. */
  constructor(scope: Construct, id: string, props: ShellFunctionProps) {
    const { code, handler, runtimeLayer, zips, layers = [], customRuntime, ...given } = props;
    const { logRemovalPolicy, ...options } = given;
    const architecture = props.architecture ?? Architecture.ARM_64;
    if (customRuntime !== undefined && runtimeLayer !== undefined) {
      throw new Error("give either runtimeLayer or customRuntime: one of them is the runtime");
    }
    // The runtime first: a later layer may replace its programs, as in /opt.
    const runtimeLayers =
      customRuntime === undefined
        ? [runtimeLayer ?? ShellRuntimeLayer.shared(scope, architecture, zips)]
        : [];
    super(scope, id, {
      ...options,
      // The policy of a log that is made here is that group's own: CDK refuses it beside one.
      ...(options.logGroup === undefined && options.logRetention === undefined
        ? { logGroup: shortLog(scope, id, logRemovalPolicy) }
        : given),
      architecture,
      runtime:
        customRuntime === undefined
          ? Runtime.PROVIDED_AL2023
          : new Runtime("custom", RuntimeFamily.OTHER),
      code: typeof code === "string" ? Code.fromAsset(code) : code,
      handler: handler ?? "function.handler",
      layers: [...runtimeLayers, ...layers],
    });
    if (customRuntime !== undefined) {
      // CDK has a mixin for this from 2.278 on; the override works with every CDK 2.
      (this.node.defaultChild as CfnFunction).addPropertyOverride("RuntimeConfig", {
        RuntimeArn: customRuntime.runtimeArn,
        RuntimeAlias: customRuntime.runtimeAlias ?? "stable",
      });
      // The ARN is a string: without this, CloudFormation makes the function beside its runtime, too early.
      if (Construct.isConstruct(customRuntime)) this.node.addDependency(customRuntime);
    }
  }
}

/**
 * A log group that goes with its stack, unless said otherwise; the one that Lambda makes would be kept, with
 * every line.
 */
function shortLog(
  scope: Construct,
  id: string,
  removalPolicy: RemovalPolicy = RemovalPolicy.DESTROY,
): LogGroup {
  return new LogGroup(scope, `${id}Log`, { retention: RetentionDays.TWO_WEEKS, removalPolicy });
}
