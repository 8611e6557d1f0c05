/**
 * `lambda-shell`: runs a Lambda function for shells, or any custom runtime, on this computer.
 *
 * @module
 */

import { Command } from "commander";

import packageJson from "../package.json" with { type: "json" };
import { CommandError, EXIT } from "./commands/exit-status.ts";
import { addRunCommand } from "./commands/run.ts";
import { addServeCommand } from "./commands/serve.ts";
import { warn } from "./commands/terminal.ts";

const program = new Command("lambda-shell")
  .description("Run shell functions for AWS Lambda, or any custom runtime, on this computer.")
  .version(packageJson.version)
  .helpOption("-h, --help", "show this help")
  .configureHelp({ helpWidth: 80, sortSubcommands: false })
  .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage));

addRunCommand(program);
addServeCommand(program);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommandError)) throw error;
  warn(`error: ${error.message}`);
  process.exitCode = error.exitStatus;
}
