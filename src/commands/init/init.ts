/**
 * `lambda-shell init`: a function, an event and a test for it, and a template to deploy it.
 *
 * @module
 */

import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import type { Command } from "commander";

import { FUNCTION_NAME, wrongFunctionName } from "../../host/invocation/settings.ts";
import { awsArchitecture, localArchitecture } from "../../program.ts";
import { CommandError, EXIT } from "../cli/exit-status.ts";
import { unreadable } from "../cli/input.ts";
import { pathWord } from "../cli/suggest.ts";
import { say } from "../cli/terminal.ts";
import { functionName } from "../function/options.ts";
import eventJson from "./files/event.json" with { type: "text" };
import functionSh from "./files/function.sh" with { type: "text" };
import templateYaml from "./files/template.yaml" with { type: "text" };
import testJson from "./files/test.json" with { type: "text" };

/** Adds the command to the program. */
export function addInitCommand(program: Command): void {
  program
    .command("init")
    .summary("a new function with an event, a test and a SAM template")
    .description("Create a folder with function.sh, event.json, a test and template.yaml.")
    .argument("<name>", "folder and name of the function")
    .action((name: string) => {
      process.exitCode = init(name);
    });
}

/** Writes the files; none that is there is touched. */
function init(folder: string): number {
  const directory = resolve(folder);
  // An empty name would be the current folder.
  const name = folder === "" ? "" : basename(directory);
  if (!FUNCTION_NAME.test(name)) {
    const words = wrongFunctionName(name);
    const plain = name.normalize("NFD").replace(/\p{M}/gu, "");
    const meant = functionName(plain).replace(/^-+|-+$/g, "");
    const isMeant = FUNCTION_NAME.test(meant) && /[a-z0-9]/i.test(plain) && !name.includes(".");
    const path = pathWord(join(dirname(folder), meant));
    throw new CommandError(isMeant ? `${words}\n  such as: lambda-shell init ${path}` : words);
  }
  if (existsSync(directory) && !statSync(directory).isDirectory()) {
    throw new CommandError(`${folder} is there and is not a folder; nothing was changed`);
  }
  // For the architecture that `package` takes, so that the zip and the template agree.
  const architecture = awsArchitecture(localArchitecture());
  // The name comes last, since it may have an architecture's in it.
  const template = templateYaml.replaceAll("arm64", architecture).replaceAll("NAME", name);
  const files: readonly (readonly [string, string, number])[] = [
    ["function.sh", functionSh, 0o644],
    ["event.json", eventJson, 0o644],
    ["tests/greets.json", testJson, 0o644],
    ["template.yaml", template, 0o644],
  ];
  const existing = files.filter(([file]) => existsSync(join(directory, file)));
  if (existing.length > 0) {
    const names = existing.map(([file]) => file).join(", ");
    throw new CommandError(`${folder} has ${names} already; nothing was changed`);
  }
  mkdirSync(directory, { recursive: true });
  mkdirSync(join(directory, "tests"), { recursive: true });
  try {
    for (const [file, text, mode] of files) writeFileSync(join(directory, file), text, { mode });
  } catch (error) {
    // So that it can be tried again.
    for (const [file] of files) rmSync(join(directory, file), { force: true });
    throw unreadable(`failed to write into ${folder}`, error);
  }
  say("info", `created ${files.map(([file]) => file).join("  ")}`);
  const isHere = directory === process.cwd();
  say("info", `next: ${isHere ? "" : `cd ${pathWord(folder)} && `}lambda-shell dev`);
  return EXIT.ok;
}
