/**
 * The architecture of a function, and the bootstrap that this tool brings for it.
 *
 * The tool does not carry our bootstrap inside itself, which would add 69 MB to its 118; it looks for
 * `bootstrap-amd64` or `-arm64` next to its own executable (as in `dist/`), in the package of npm that
 * stands beside its own, in the `dist/` of the checkout that it runs from, and for `/opt/bootstrap`, where a
 * layer has it.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";

import { InvalidArgumentError, Option } from "commander";

import { isRegularFile } from "../../file-facts.ts";
import { localArchitecture, type MachineArchitecture } from "../../program.ts";
import { templateFunctions } from "../../template/function.ts";
import { CommandError } from "../cli/exit-status.ts";

/** AWS's names, and those of `uname -m`, Debian, Docker and Node.js. */
const NAMES: ReadonlyMap<string, MachineArchitecture> = new Map([
  ["amd64", "amd64"],
  ["x86_64", "amd64"],
  ["x86-64", "amd64"],
  ["x64", "amd64"],
  ["arm64", "arm64"],
  ["aarch64", "arm64"],
]);

/** Name of the template that a folder may have, as `init` writes it. */
export const TEMPLATE_FILE = "template.yaml";

/** The option of `check` and `package`; see {@link functionArchitecture} where it is not given. */
export function archOption(): Option {
  const description = "x86_64 or arm64 (default: of template.yaml, else this computer's)";
  return new Option("--arch <name>", description).argParser((name: string) => {
    const meant = NAMES.get(name.toLowerCase());
    if (meant === undefined) throw new InvalidArgumentError("It must be x86_64 or arm64.");
    return meant;
  });
}

/** The architecture that was given, else that of the folder's template, else this computer's. */
export function functionArchitecture(
  directory: string,
  given: MachineArchitecture | undefined,
): MachineArchitecture {
  return given ?? templateArchitecture(directory) ?? localArchitecture();
}

/** The architecture of the function in a folder's own template; nothing when that is not known. */
export function templateArchitecture(directory: string): MachineArchitecture | undefined {
  const path = join(directory, TEMPLATE_FILE);
  if (!isRegularFile(path)) return undefined;
  try {
    // Another template may be for functions in other folders.
    const own = templateFunctions(path).functions.find((each) => each.directory === directory);
    return NAMES.get(own?.architecture ?? "");
  } catch (error) {
    // Nobody has asked for the template: it may be for something else altogether.
    if (error instanceof CommandError) return undefined;
    throw error;
  }
}

/** A bootstrap, or every place where there is none. */
type BootstrapSearch =
  | { readonly kind: "found"; readonly path: string; readonly own: boolean }
  | { readonly kind: "missing"; readonly tried: readonly string[] };

/** Looks for the bootstrap of the function in a folder. */
export function findBootstrap(directory: string): BootstrapSearch {
  const inFolder = join(directory, "bootstrap");
  if (isRegularFile(inFolder)) return { kind: "found", path: inFolder, own: false };
  const places = carriedBootstraps(localArchitecture());
  const path = places.find(isRegularFile);
  if (path !== undefined) return { kind: "found", path, own: true };
  return { kind: "missing", tried: [inFolder, ...places] };
}

/** Places of our own bootstrap for an architecture, the first that exists wins. */
export function carriedBootstraps(architecture: MachineArchitecture): readonly string[] {
  const file = `bootstrap-${architecture}`;
  return [
    join(dirname(process.execPath), file),
    npmBootstrap(architecture),
    join(import.meta.dir, "..", "..", "..", "dist", file),
    ...(architecture === localArchitecture() ? ["/opt/bootstrap"] : []),
  ];
}

/** True for our own bootstrap, which loads the function's script by the shell of its first line. */
export function isOurBootstrap([program = ""]: readonly string[]): boolean {
  return carriedBootstraps(localArchitecture()).includes(program);
}

/** Where npm puts the package of a bootstrap: beside that of the executable. */
function npmBootstrap(architecture: MachineArchitecture): string {
  return join(dirname(process.execPath), "..", "..", npmName(architecture), "bootstrap");
}

function npmName(architecture: MachineArchitecture): string {
  return architecture === "amd64" ? "bootstrap-x64" : "bootstrap-arm64";
}

/** Where npm puts our packages for one architecture. */
const NPM_SCOPE = "@lambda-shell-runtime";

/** How to get our bootstrap for an architecture, the way that this tool has come. */
export function bootstrapFix(
  architecture: MachineArchitecture,
  executable = process.execPath,
): string {
  return basename(join(dirname(executable), "..", "..")) === NPM_SCOPE
    ? `install it with: npm install ${NPM_SCOPE}/${npmName(architecture)}`
    : "build it, in a clone, with: make bootstrap";
}
