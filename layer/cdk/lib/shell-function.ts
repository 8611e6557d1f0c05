/**
 * A Lambda function that is a shell script.
 *
 * @module
 */

import {
  Architecture,
  Code,
  Function as LambdaFunction,
  type FunctionOptions,
  type ILayerVersion,
  Runtime,
} from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";

import { ShellRuntimeLayer } from "./shell-runtime-layer.ts";

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
}

/** A Lambda function on `provided.al2023` with the lambda-shell-runtime layer. */
export class ShellFunction extends LambdaFunction {
  constructor(scope: Construct, id: string, props: ShellFunctionProps) {
    const { code, handler, runtimeLayer, zips, layers, ...options } = props;
    const architecture = props.architecture ?? Architecture.X86_64;
    super(scope, id, {
      ...options,
      architecture,
      runtime: Runtime.PROVIDED_AL2023,
      code: typeof code === "string" ? Code.fromAsset(code) : code,
      handler: handler ?? "function.handler",
      // The runtime first: a later layer may replace its programs, as in /opt.
      layers: [
        runtimeLayer ?? ShellRuntimeLayer.shared(scope, architecture, zips),
        ...(layers ?? []),
      ],
    });
  }
}
