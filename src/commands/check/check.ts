/**
 * `lambda-shell check`: what would fail on AWS, before it does.
 *
 * @module
 */

import { resolve } from "node:path";

import type { Command } from "commander";

import { EXIT } from "../cli/exit-status.ts";
import { requireFolder } from "../cli/input.ts";
import { say } from "../cli/terminal.ts";
import {
  archOption,
  type FunctionArchitecture,
  functionArchitecture,
} from "../function/architecture.ts";
import { checkFolder } from "./rules.ts";

interface CheckOptions {
  readonly handler: string;
  readonly arch?: FunctionArchitecture;
}

/** Adds the command to the program. */
export function addCheckCommand(program: Command): void {
  program
    .command("check")
    .summary("find what would fail on AWS, with its fix")
    .description(
      "Check a function's folder: execute bit, line ends, syntax, handler, architecture,\n" +
        "sizes. Exit status 1 when something would fail.",
    )
    .argument("[dir]", "folder of the function", ".")
    .option("--handler <name>", "handler, as in _HANDLER", "function.handler")
    .addOption(archOption())
    .action((directory: string, options: CheckOptions) => {
      process.exitCode = check(directory, options);
    });
}

function check(directory: string, { handler, arch }: CheckOptions): number {
  const root = resolve(directory);
  requireFolder(root, directory);
  const architecture = functionArchitecture(root, arch);
  const target = { directory: root, handler, architecture, variables: {} };
  const findings = checkFolder(target);
  for (const { level, message } of findings) say(level, message);
  if (findings.some(({ level }) => level === "error")) return EXIT.functionError;
  say("info", findings.length === 0 ? `${directory}: nothing to complain of` : "no errors");
  return EXIT.ok;
}
