/**
 * The lambda-shell-runtime layer as a construct.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { RemovalPolicy, Stack } from "aws-cdk-lib";
import { Architecture, Code, LayerVersion, Runtime } from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";

/** What a layer is made from. */
export interface ShellRuntimeLayerProps {
  /** Architecture of the functions that use it; arm64 unless said otherwise. */
  readonly architecture?: Architecture;
  /**
   * `full` has the AWS CLI v2 and jq, `slim` jq, `bare` nothing but bootstrap; `full` unless said
   * otherwise.
   */
  readonly flavor?: "full" | "slim" | "bare";
  /** Folder with the zips of a release or of `make dist`; `dist` unless said otherwise. */
  readonly zips?: string;
  /** Keep old versions when the layer changes; true unless said otherwise. */
  readonly retain?: boolean;
}

/** What the zips of each flavor are called, before their architecture. */
const ZIP_PREFIX = {
  full: "lambda-shell-runtime",
  slim: "lambda-shell-runtime-slim",
  bare: "bootstrap",
} as const;

/** Where the zips are unless said otherwise. */
const ZIPS = "dist";

/** A layer version that holds `bootstrap`, and the AWS CLI and jq if wanted. */
export class ShellRuntimeLayer extends LayerVersion {
  readonly #zips: string;

  /** @throws {Error} When the folder does not hold exactly one fitting zip. */
  constructor(scope: Construct, id: string, props: ShellRuntimeLayerProps = {}) {
    const architecture = props.architecture ?? Architecture.ARM_64;
    const flavor = props.flavor ?? "full";
    const zips = props.zips ?? ZIPS;
    super(scope, id, {
      code: Code.fromAsset(findZip(zips, flavor, architecture)),
      compatibleArchitectures: [architecture],
      compatibleRuntimes: [Runtime.PROVIDED_AL2023],
      description: `Runs shell functions (${flavor})`,
      license: "Apache-2.0",
      removalPolicy: props.retain === false ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
    this.#zips = resolve(zips);
  }

  /** The layer that all functions of a stack with the same architecture and folder of zips share. */
  static shared(scope: Construct, architecture: Architecture, zips = ZIPS): ShellRuntimeLayer {
    const stack = Stack.of(scope);
    for (let count = 1; ; count += 1) {
      const id = `ShellRuntimeLayer-${architecture.name}${count === 1 ? "" : `-${count}`}`;
      const existing = stack.node.tryFindChild(id);
      if (existing === undefined) return new ShellRuntimeLayer(stack, id, { architecture, zips });
      if (existing instanceof ShellRuntimeLayer && existing.#zips === resolve(zips)) {
        return existing;
      }
    }
  }
}

function findZip(
  folder: string,
  flavor: keyof typeof ZIP_PREFIX,
  architecture: Architecture,
): string {
  const name = architecture.name === Architecture.ARM_64.name ? "arm64" : "amd64";
  const pattern = new RegExp(`^${ZIP_PREFIX[flavor]}-${name}-\\d+\\.\\d+\\.\\d+.*\\.zip$`);
  const found = readdirSync(folder).filter((file) => pattern.test(file));
  const [zip] = found;
  if (zip === undefined || found.length > 1) {
    throw new Error(
      `failed to choose a layer in ${folder}: it has ${found.length} files like ` +
        `${ZIP_PREFIX[flavor]}-${name}-VERSION.zip (${found.join(", ") || "none"}); ` +
        '"make dist" makes one and removes those of other versions',
    );
  }
  return join(folder, zip);
}
