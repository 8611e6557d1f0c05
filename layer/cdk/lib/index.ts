/**
 * The entry of the package: what `import … from "lambda-shell-runtime-cdk"` gives.
 *
 * @module
 */

export { ShellFunction, type ShellFunctionProps } from "./shell-function.ts";
export { type CustomRuntime, ShellRuntime, type ShellRuntimeProps } from "./shell-runtime.ts";
export { ShellRuntimeLayer, type ShellRuntimeLayerProps } from "./shell-runtime-layer.ts";
