/**
 * One thing that is or may be wrong with a function, with its fix.
 *
 * @module
 */

import type { MachineArchitecture } from "../program.ts";
import type { TemplateFunction } from "../template/function.ts";

/** What was found: an error fails on Lambda, a warning may; a hint is only worth knowing. */
export interface Finding {
  readonly level: "error" | "warning" | "hint";
  /** What, where and why; further lines are details and the fix, indented by two. */
  readonly message: string;
}

/** The function that is looked at. */
export interface CheckTarget {
  readonly directory: string;
  readonly handler: string;
  /** Architecture that the function will run on. */
  readonly architecture: MachineArchitecture;
  /** The function's own variables. */
  readonly variables: Readonly<Record<string, string>>;
  /** Folders that stand in for layers. */
  readonly layers: readonly string[];
  /** Whether a zip is made with the runtime inside, so that it needs no layer. */
  readonly withBootstrap?: boolean;
  /** What Lambda would refuse of the template. */
  readonly refused: readonly string[];
  /** What the function's template says of it. */
  readonly template?: { readonly file: string; readonly described: TemplateFunction };
}

export function error(...lines: readonly string[]): Finding {
  return { level: "error", message: lines.join("\n  ") };
}

export function warning(...lines: readonly string[]): Finding {
  return { level: "warning", message: lines.join("\n  ") };
}

export function hint(...lines: readonly string[]): Finding {
  return { level: "hint", message: lines.join("\n  ") };
}
