/**
 * `lambda-shell completion`: a script with which a shell completes the tool's commands, made from the
 * commands themselves.
 *
 * @module
 */

import { type Argument, Argument as CommandArgument, type Command, type Option } from "commander";

import bashScript from "./completion.bash" with { type: "text" };
import fishScript from "./completion.fish" with { type: "text" };
import zshScript from "./completion.zsh" with { type: "text" };

/** The shells, each with its script and how it writes a quote between single quotes. */
const SHELLS = {
  bash: { script: bashScript, quote: "'\\''" },
  zsh: { script: zshScript, quote: "'\\''" },
  fish: { script: fishScript, quote: "\\'" },
} as const;

type ShellName = keyof typeof SHELLS;

/** Placeholders of values that are files or folders. */
const PATHS: Readonly<Record<string, string>> = { file: "file", path: "file", dir: "dir" };

/**
 * Adds the command to the program; it completes all that the program has when it is run.
 * @param namedValues Words for values by the name of their option or argument.
 */
export function addCompletionCommand(
  program: Command,
  namedValues: () => Promise<Readonly<Record<string, readonly string[]>>>,
): void {
  program
    .command("completion")
    .summary("a script that completes commands in your shell")
    .description(
      "Print a script for bash, zsh or fish that completes commands, options and files:\n" +
        "  lambda-shell completion bash \\\n" +
        "    > ~/.local/share/bash-completion/completions/lambda-shell\n" +
        '  lambda-shell completion zsh > "${fpath[1]}/_lambda-shell"\n' +
        "  lambda-shell completion fish > ~/.config/fish/completions/lambda-shell.fish",
    )
    .addArgument(new CommandArgument("<shell>", "your shell").choices(Object.keys(SHELLS)))
    .action(async (shell: ShellName) => {
      process.stdout.write(completionScript(program, shell, await namedValues()));
    });
}

/** The script of a shell. */
export function completionScript(
  program: Command,
  shell: ShellName,
  namedValues: Readonly<Record<string, readonly string[]>>,
): string {
  const { script, quote } = SHELLS[shell];
  const table = completionTable(program, namedValues).join("\n");
  // In fish a backslash between quotes escapes another, too.
  const escaped = shell === "fish" ? table.replaceAll("\\", "\\\\") : table;
  return script.replace("@TABLE@", () => escaped.replaceAll("'", quote));
}

/** Lines `COMMAND|KIND|NAME|VALUE|TEXT`: what can be completed after each command. */
function completionTable(
  program: Command,
  namedValues: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  const line = (...fields: readonly string[]) =>
    fields.map((field) => field.replace(/[|\s]+/g, " ").trim()).join("|");
  const commands = program.commands.map((command) =>
    line("", "command", command.name(), "", command.summary()),
  );
  const options = [program, ...program.commands].flatMap((command) => {
    const of = command === program ? "" : command.name();
    return [
      ...command
        .createHelp()
        .visibleOptions(command)
        .flatMap((option) => optionLines(of, option)),
      ...command.registeredArguments
        .slice(0, 1)
        .map((argument) => line(of, "argument", argument.name(), argumentValue(argument), "")),
    ];
  });
  return [...commands, ...options];

  function optionLines(of: string, option: Option): readonly string[] {
    const names = [option.long, option.short].filter((name) => typeof name === "string");
    const value = optionValue(option);
    return names.map((name) => line(of, "option", name, value, option.description));
  }

  function optionValue(option: Option): string {
    if (!option.required && !option.optional) return "";
    if (option.argChoices !== undefined) return `words:${option.argChoices.join(" ")}`;
    const words = namedValues[option.attributeName()];
    if (words !== undefined) return `words:${words.join(" ")}`;
    const placeholder = /[<[]([\w-]+)/.exec(option.flags)?.[1] ?? "";
    return PATHS[placeholder] ?? "any";
  }

  function argumentValue(argument: Argument): string {
    if (argument.argChoices !== undefined) return `words:${argument.argChoices.join(" ")}`;
    const words = namedValues[argument.name()];
    if (words !== undefined) return `words:${words.join(" ")}`;
    return PATHS[argument.name()] ?? "any";
  }
}
