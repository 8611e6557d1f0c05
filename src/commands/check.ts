/**
 * `lambda-shell check`: what would fail on AWS, before it does.
 *
 * @module
 */

import { join, resolve } from "node:path";

import type { Command } from "commander";

import type { CheckTarget } from "../check/finding.ts";
import { checkFolder } from "../check/folder.ts";
import { definitionsOnly, shellDifference, withoutFunctions } from "../check/handler.ts";
import { missingFileFix } from "../check/missing-handler.ts";
import { isRegularFile } from "../file-facts.ts";
import type { FunctionSettings } from "../host/invocation/settings.ts";
import type { MachineArchitecture } from "../program.ts";
import { type DescribedTemplate, templateFunctions } from "../template/function.ts";
import { wrongSettings } from "../template/wrong-settings.ts";
import { systemFault } from "./cli/ending.ts";
import { CommandError, EXIT } from "./cli/exit-status.ts";
import { requireFolder } from "./cli/input.ts";
import { collected } from "./cli/options.ts";
import { say } from "./cli/terminal.ts";
import {
  archOption,
  functionArchitecture,
  isOurBootstrap,
  TEMPLATE_FILE,
} from "./function/architecture.ts";
import { startOfFile } from "./function/handler.ts";
import { functionName, insteadOfFolder, layerFolder } from "./function/options.ts";
import { DEFAULT_HANDLER, functionConfig } from "./function/settings.ts";

/** Options of `check` and, as far as it has them, of `package`. */
export interface CheckOptions {
  readonly handler?: string;
  readonly arch?: MachineArchitecture;
  readonly template?: string;
  readonly layer?: readonly string[];
  readonly withBootstrap?: boolean;
}

/** Adds the command to the program. */
export function addCheckCommand(program: Command): void {
  program
    .command("check")
    .summary("find what would fail on AWS, with its fix")
    .description(
      "Check a function's folder as Lambda would find it: handler, scripts, programs, line " +
        "ends, modes, architecture, sizes, and the configuration of template.yaml or " +
        "lambda-shell.toml. Exit status 1 when something would fail.",
    )
    .argument("[dir]", "folder of the function", ".")
    .option("--handler <name>", "handler, as in _HANDLER (default: function.handler)")
    .option("--template <file>", "SAM template of the function (default: DIR/template.yaml)")
    .addOption(collected("--layer <dir>", "folder that stands in for a layer's /opt"))
    .addOption(archOption())
    .action(async (directory: string, options: CheckOptions) => {
      process.exitCode = await check(directory, options);
    });
}

async function check(directory: string, options: CheckOptions): Promise<number> {
  const root = resolve(directory);
  requireFolder(root, directory, insteadOfFolder(directory));
  const findings = await checkFolder(checkTargets(root, options));
  for (const { level, message } of findings) say(level, message);
  if (findings.some(({ level }) => level === "error")) return EXIT.functionError;
  const isClean = findings.every(({ level }) => level === "hint");
  say("info", isClean ? `${directory}: no problems found` : "no errors");
  return EXIT.ok;
}

/**
 * What is checked: the options, else `lambda-shell.toml`, else the template, else what is usual. A folder
 * may be that of several functions of its template.
 * @throws {CommandError} When one of them cannot be read.
 */
export function checkTargets(root: string, options: CheckOptions): readonly CheckTarget[] {
  const file = options.template ?? join(root, TEMPLATE_FILE);
  const { functions, refused } = ownFunctions(root, options.template);
  const architecture = functionArchitecture(root, options.arch);
  const layers = (options.layer ?? []).map(layerFolder);
  return (functions.length === 0 ? [undefined] : functions).map((described, at) => {
    const config = functionConfig(root, described?.name ?? functionName(root));
    return {
      ...{ directory: root, architecture, layers, withBootstrap: options.withBootstrap ?? false },
      handler: options.handler ?? config.handler ?? described?.handler ?? DEFAULT_HANDLER,
      variables: { ...described?.variables, ...config.env },
      refused: [
        // What is wrong with the whole template is the same for all of them.
        ...(at === 0 ? refused : []),
        ...(described === undefined ? [] : wrongSettings(described, file)),
      ],
      ...(described === undefined
        ? {}
        : { template: { file: options.template ?? TEMPLATE_FILE, described } }),
    };
  });
}

/** The functions of the folder in its own template; of one that is named the first, where it is for other folders. */
function ownFunctions(root: string, named: string | undefined): DescribedTemplate {
  const none = { functions: [], refused: [] };
  const path = named ?? join(root, TEMPLATE_FILE);
  if (named === undefined && !isRegularFile(path)) return none;
  try {
    const { functions, refused } = templateFunctions(path);
    const own = functions.filter(({ directory }) => directory === root);
    if (own.length > 0) return { functions: own, refused };
    return named === undefined ? none : { functions: functions.slice(0, 1), refused };
  } catch (error) {
    if (named !== undefined || !(error instanceof CommandError)) throw error;
    // Nobody has asked for it: it may be for something else altogether.
    return isForLambda(path) ? { functions: [], refused: [error.message] } : none;
  }
}

/** Whether a file that cannot be read as a template is meant as one. */
function isForLambda(path: string): boolean {
  const text = startOfFile(path) ?? "";
  return text.includes("AWS::Serverless") || text.includes("AWS::Lambda::Function");
}

/**
 * Says what to do about a handler that is not there or does nothing, and what of a function works on Lambda and may fail
 * here, since `sh` is another shell on this computer: once for each thing. Another runtime may load
 * scripts as it likes.
 * @param option The option that names the function's folder, where it is not an argument.
 */
export async function sayHints(
  { directory, handler, command }: Pick<FunctionSettings, "directory" | "handler" | "command">,
  option?: string,
): Promise<void> {
  if (!isOurBootstrap(command)) return;
  const hint = await hintOf(directory, handler, option);
  if (hint === undefined || saidHints.has(hint)) return;
  saidHints.add(hint);
  say("hint", hint);
}

/** What is said; nothing where the files in which it is looked for may not be read. */
async function hintOf(
  directory: string,
  handler: string,
  option: string | undefined,
): Promise<string | undefined> {
  try {
    return (
      missingFileFix(directory, handler, option) ??
      (await definitionsOnly(directory, handler)) ??
      withoutFunctions(directory, handler) ??
      (await shellDifference(directory, handler))
    );
  } catch (error) {
    // A function is run without a hint, too.
    if (systemFault(error) === undefined) throw error;
    return undefined;
  }
}

const saidHints = new Set<string>();
