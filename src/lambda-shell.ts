/**
 * `lambda-shell`: runs a Lambda function for shells, or any custom runtime, on this computer.
 *
 * @module
 */

import { Command, CommanderError } from "commander";

import packageJson from "../package.json" with { type: "json" };
import { addCheckCommand } from "./commands/check.ts";
import { endAfterOutput, guardOutput, reportFailure } from "./commands/cli/ending.ts";
import { EXIT } from "./commands/cli/exit-status.ts";
import { addDevCommand } from "./commands/dev/dev.ts";
import { addEventsCommand } from "./commands/events/events.ts";
import { addInitCommand } from "./commands/init/init.ts";
import { addInvokeCommand } from "./commands/invoke/invoke.ts";
import { addPackageCommand } from "./commands/package.ts";
import { addRunCommand } from "./commands/run.ts";
import { addServeCommand } from "./commands/serve/serve.ts";
import { addCompletionCommand } from "./completion/completion.ts";
import { addTestCommand } from "./function-tests/command.ts";

const EXAMPLES = `
Examples:
  lambda-shell init hello && cd hello && lambda-shell dev
  lambda-shell invoke -d '{"name":"Ada"}'
  lambda-shell run < events.jsonl
  PORT=8080 RESPONSE_FORMAT=CLOUDEVENTS lambda-shell serve
  lambda-shell run -- python3 -m awslambdaric app.handler < event.json

Exit statuses: 0 success, 1 function error (run: or an invalid event), 2 usage
or files, 3 timed out, 4 crashed, 5 unreachable or port in use, 6 throttled,
7 the server of invoke failed or redirects, 141 output not read, 128 + N ended
by signal N (serve and dev: 0 after a clean drain).`;

/** Ends the reading of arguments, as `--version` does. */
const PRINT_LICENSES = "lambda-shell.licenses";

const program = new Command("lambda-shell")
  .description("Run shell functions for AWS Lambda, or any custom runtime, on this computer.")
  .version(packageJson.version)
  .option("--licenses", "print the licences of everything that is inside")
  .helpOption("-h, --help", "show this help")
  .configureHelp({ helpWidth: 80, subcommandTerm: (command) => command.name() })
  .addHelpText("after", EXAMPLES)
  .configureOutput({ outputError: (text, write) => write(text + whereToLook(text)) })
  .exitOverride();

addRunCommand(program);
addServeCommand(program);
addInvokeCommand(program);
addDevCommand(program);
addPackageCommand(program);
addCheckCommand(program);
addTestCommand(program);
addInitCommand(program);
addEventsCommand(program);
addCompletionCommand(program, completedNames);
program
  .command("version", { hidden: true })
  .description("As --version.")
  .action(() => void process.stdout.write(`${packageJson.version}\n`));

program.on("option:licenses", () => {
  throw new CommanderError(EXIT.ok, PRINT_LICENSES, "");
});

guardOutput();
try {
  await program.parseAsync();
  await endAfterOutput(Number(process.exitCode ?? EXIT.ok));
} catch (error) {
  const status = reportFailure(error);
  if (error instanceof CommanderError && error.code === PRINT_LICENSES) await printLicenses();
  await endAfterOutput(status);
}

/** Where the names, arguments and options stand that an error of usage misses. */
function whereToLook(error: string): string {
  if (error.includes("unknown command")) return `  there are: ${visible().join(", ")}\n`;
  const option = /unknown option '([^']*)'/.exec(error)?.[1];
  if (option === undefined && !/missing|too many arguments/.test(error)) return "";
  const named = program.commands.map((command) => command.name());
  const name = process.argv.slice(2).find((word) => named.includes(word));
  const help = ["lambda-shell", name, "--help"].filter((word) => word !== undefined).join(" ");
  return `${option === undefined ? "" : othersOption(option)}  see: ${help}\n`;
}

/** The line that says which commands have an option. */
function othersOption(option: string): string {
  const others = program.commands
    .filter(({ options }) => options.some(({ short, long }) => [short, long].includes(option)))
    .map((command) => command.name());
  return others.length === 0 ? "" : `  it is an option of: ${others.join(", ")}\n`;
}

function visible(): readonly string[] {
  return program
    .createHelp()
    .visibleCommands(program)
    .map((command) => command.name());
}

/** Its texts are read only when they are wanted. */
async function printLicenses(): Promise<void> {
  const { LICENSES } = await import("./licenses.ts");
  process.stdout.write(LICENSES);
}

/** Values that are names which the tool knows. */
async function completedNames(): Promise<Readonly<Record<string, readonly string[]>>> {
  const { exampleNames } = await import("./commands/events/examples.ts");
  const examples = exampleNames();
  return { example: examples, "list|show|name": ["list", "show", ...examples] };
}
