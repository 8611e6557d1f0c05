/**
 * `--arch`: the architecture of a function, by our name or by that of AWS and of `uname -m`.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";

import { InvalidArgumentError, Option } from "commander";

import { CommandError } from "../cli/exit-status.ts";
import { localArchitecture } from "./bootstrap.ts";
import { templateFunction } from "./template.ts";

/** Our names of Lambda's architectures. */
export type FunctionArchitecture = "amd64" | "arm64";

const NAMES: ReadonlyMap<string, FunctionArchitecture> = new Map([
  ["amd64", "amd64"],
  ["x86_64", "amd64"],
  ["arm64", "arm64"],
  ["aarch64", "arm64"],
]);

/** Name of the template that a folder may have, as `init` writes it. */
export const TEMPLATE_FILE = "template.yaml";

/** The option of `check` and `package`; see {@link functionArchitecture} where it is not given. */
export function archOption(): Option {
  const description = "amd64 or arm64 (default: of template.yaml, else this computer's)";
  return new Option("--arch <name>", description).argParser((name: string) => {
    const meant = NAMES.get(name);
    if (meant === undefined) throw new InvalidArgumentError("It is amd64 or arm64.");
    return meant;
  });
}

/** The architecture that was given, else that of the folder's template, else this computer's. */
export function functionArchitecture(
  directory: string,
  given: FunctionArchitecture | undefined,
): FunctionArchitecture {
  return given ?? templateArchitecture(directory) ?? localArchitecture();
}

/** The architecture of the function in a folder's own template; nothing when that is not known. */
export function templateArchitecture(directory: string): FunctionArchitecture | undefined {
  const path = join(directory, TEMPLATE_FILE);
  if (!existsSync(path)) return undefined;
  try {
    const described = templateFunction(path, undefined);
    // Another template may be for functions in other folders.
    if (described.directory !== directory) return undefined;
    return NAMES.get(described.architecture ?? "");
  } catch (error) {
    // Nobody has asked for the template: it may be for something else altogether.
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** AWS's name of an architecture. */
export function awsArchitecture(architecture: FunctionArchitecture): "x86_64" | "arm64" {
  return architecture === "amd64" ? "x86_64" : "arm64";
}
