/**
 * A handler that has no file: where it is instead, or how to make it.
 *
 * @module
 */

import { existsSync, lstatSync, readdirSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";

import { CommandError } from "../commands/cli/exit-status.ts";
import { pathWord } from "../commands/cli/suggest.ts";
import { TEMPLATE_FILE } from "../commands/function/architecture.ts";
import { shellScripts } from "../commands/function/files.ts";
import { functionHandler } from "../commands/function/handler.ts";
import { DEFAULT_HANDLER } from "../commands/function/settings.ts";
import { fileBytes, isRegularFile } from "../file-facts.ts";
import { definedFunctions } from "../handler/script.ts";
import { FUNCTION_NAME } from "../host/invocation/settings.ts";
import { type TemplateFunction, templateFunctions } from "../template/function.ts";

/**
 * What to do about a handler that has no file, for those who run it here; nothing where it has one.
 * @param option The option that names the function's folder, where it is not an argument.
 */
export function missingFileFix(
  directory: string,
  handler: string,
  option?: string,
): string | undefined {
  const resolved = functionHandler(directory, handler);
  const isMissing = resolved.kind === "rejected" && resolved.errorType === "Runtime.NoSuchHandler";
  return isMissing
    ? (handlerPlace(directory, handler, option, true) ?? newScript(directory, handler))
    : undefined;
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    // Nothing lies below a file either, or has a name that is too long.
    return false;
  }
}

/** How to make what a handler names, where nothing else is known. */
function newScript(directory: string, handler: string): string {
  const at = handler.lastIndexOf(".");
  const [script, name] = [`${handler.slice(0, at)}.sh`, handler.slice(at + 1)];
  const other = "name another one: --handler FILE.FUNCTION";
  // A folder, or a link to nowhere.
  if (isThere(join(directory, script))) {
    return `${script} is not a file: replace it by one, or ${other}`;
  }
  return at > 0 ? `write ${name}() { … } into ${script}, or ${other}` : other;
}

/**
 * Where a handler without a file is instead, or how to make it; nothing where that cannot be told.
 * @param option As above.
 * @param isNamed Whether a function of several is chosen by its name, and not by its folder.
 */
export function handlerPlace(
  directory: string,
  handler: string,
  option?: string,
  isNamed = false,
): string | undefined {
  const templated = templateFunctionOf(directory, handler);
  if (templated !== undefined) return templateFix(templated, option, isNamed);
  return otherScript(directory, handler) ?? otherFolder(directory, handler, option);
}

/** A function that a template describes. */
interface Templated {
  readonly file: string;
  readonly described: TemplateFunction;
  /** Whether it is the one that a template without a name stands for. */
  readonly isFirst: boolean;
}

/** What a SAM template, in the folder or above it, has in place of the usual handler, where that is there. */
function templateFunctionOf(directory: string, handler: string): Templated | undefined {
  if (handler !== DEFAULT_HANDLER) return undefined;
  for (const folder of [directory, dirname(directory)]) {
    const file = join(folder, TEMPLATE_FILE);
    const functions = describedFunctions(file);
    const described = functions.find(
      (each) => (folder === directory || each.directory === directory) && isInPlace(each),
    );
    if (described !== undefined) return { file, described, isFirst: described === functions[0] };
  }
  return undefined;
}

/** How to take folder and handler from a template; the parameters as of {@link handlerPlace}. */
function templateFix(
  { file, described, isFirst }: Templated,
  option: string | undefined,
  isNamed: boolean,
): string {
  const how = option === undefined ? "" : `${option} `;
  const folder = pathWord(relative("", described.directory) || ".");
  const name = isNamed && !isFirst ? ` --name ${described.logicalId}` : "";
  const template = pathWord(relative("", file));
  return `take its settings from the template: ${how}${folder} --template ${template}${name}`;
}

/** The functions of a template; none where it cannot be read, or is something else. */
function describedFunctions(file: string): readonly TemplateFunction[] {
  try {
    return isRegularFile(file) ? templateFunctions(file).functions : [];
  } catch (error) {
    if (error instanceof CommandError) return [];
    throw error;
  }
}

/** Whether a template's function has its handler where the template says. */
function isInPlace({ directory, handler = DEFAULT_HANDLER }: TemplateFunction): boolean {
  return existsSync(directory) && functionHandler(directory, handler).kind !== "rejected";
}

/** Folders that a message names. */
const FOLDERS_MAX = 3;

/** Which other script has a function of the handler's name. */
function otherScript(directory: string, handler: string): string | undefined {
  const wanted = handler.slice(handler.lastIndexOf(".") + 1);
  const other = shellScripts(directory).find((script) => {
    const text = fileBytes(join(directory, script))?.toString("utf8") ?? "";
    return definedFunctions(text).includes(wanted);
  });
  return other === undefined ? undefined : setHandler(other, wanted);
}

/** How to make a function of a script the handler. */
export function setHandler(script: string, functionName: string): string {
  const name = `${script.replace(/\.sh$/, "")}.${functionName}`;
  return `set --handler ${name}, in a template Handler: ${name}`;
}

/**
 * Which folder below has the handler's file, or how to fill an empty one; nothing where neither helps.
 * @param option As above.
 */
export function otherFolder(
  directory: string,
  handler: string,
  option?: string,
): string | undefined {
  const script = `${handler.slice(0, handler.lastIndexOf("."))}.sh`;
  if (existsSync(join(directory, script))) return undefined;
  const templated = templateFunctionOf(directory, handler);
  if (templated !== undefined && templated.described.directory !== directory) {
    return templateFix(templated, option, true);
  }
  const entries = readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith("."))
    .sort((one, next) => (one.name < next.name ? -1 : 1));
  const folders = entries
    .filter((each) => each.isDirectory() && existsSync(join(directory, each.name, script)))
    .map(({ name }) => name);
  if (folders.length > 0) {
    const shown = folders.slice(0, FOLDERS_MAX).join(", ");
    const how = option === undefined ? "" : ` with ${option}`;
    return `name the folder of the function${how}: ${shown}${folders.length > FOLDERS_MAX ? ", …" : ""}`;
  }
  // What `init` makes has the usual handler.
  if (entries.length > 0 || handler !== DEFAULT_HANDLER) return undefined;
  const path = relative("", directory);
  const isShown = /^[\w./-]*$/.test(path) && FUNCTION_NAME.test(basename(directory));
  return isShown
    ? `lambda-shell init ${path === "" ? ". makes a function here" : `${path} makes a function there`}`
    : "lambda-shell init hello makes a function";
}
