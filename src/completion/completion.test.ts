/** Completion in real shells: what a person types, and what stands there after a TAB. */

import { beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { tool } from "../testing/running-tool.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** A home with the scripts, and a folder to stand in. */
let home: string;

beforeAll(async () => {
  home = temporaryFolder("home");
  mkdirSync(join(home, "work", "a folder"), { recursive: true });
  writeFileSync(join(home, "work", "events.jsonl"), "");
  mkdirSync(join(home, "work", "greeter"));
  for (const shell of SHELLS) {
    const { status, out, errors } = await tool(["completion", shell]);
    expect([status, errors]).toEqual([0, ""]);
    writeFileSync(join(home, `completion.${shell}`), out);
  }
  // The prompt that is waited for must not be what is typed to set it.
  writeFileSync(join(home, "bashrc"), "PS1=\"REA\"'DY '\n. ~/completion.bash\n");
  writeFileSync(
    join(home, ".zshrc"),
    "autoload -U compinit; compinit -u; . ~/completion.zsh\nPS1='REA''DY '\n",
  );
  mkdirSync(join(home, ".config/fish"), { recursive: true });
  writeFileSync(
    join(home, ".config/fish/config.fish"),
    "source ~/completion.fish\nfunction fish_prompt\n echo -n REA'DY '\nend\nset fish_greeting\n",
  );
});

const COMMANDS: Readonly<Record<(typeof SHELLS)[number], readonly string[]>> = {
  bash: ["bash", "--noprofile", "--rcfile", "REPLACED", "-i"],
  zsh: ["zsh", "-i"],
  fish: ["fish", "-i"],
};

/** What is typed, and what a TAB makes of it. */
const COMPLETIONS = [
  ["lambda-shell comp", "lambda-shell completion "],
  ["lambda-shell run --fram", "lambda-shell run --framing "],
  ["lambda-shell run --framing a", "lambda-shell run --framing auto "],
  ["lambda-shell test --reporter=ju", "lambda-shell test --reporter=junit"],
  ["lambda-shell test --upd", "lambda-shell test --update "],
  ["lambda-shell completion fi", "lambda-shell completion fish "],
  ["lambda-shell invoke -e sqs-event-o", "lambda-shell invoke -e sqs-event-obj "],
  ["lambda-shell run --event-file ev", "lambda-shell run --event-file events.jsonl"],
  ["lambda-shell run gree", "lambda-shell run greeter/"],
  ["lambda-shell --lic", "lambda-shell --licenses "],
] as const;

for (const shell of SHELLS) {
  test.each(COMPLETIONS)(`${shell} makes of %j after a TAB %j`, async (typed, completed) => {
    const command = COMMANDS[shell].map((word) =>
      word === "REPLACED" ? join(home, "bashrc") : word,
    );
    const driver = join(import.meta.dir, "type-and-tab.py");
    const child = Bun.spawn(["python3", driver, completed, typed, ...command], {
      cwd: join(home, "work"),
      env: { HOME: home, PATH: "/usr/local/bin:/usr/bin:/bin", LANG: "C.UTF-8" },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const errors = await new Response(child.stderr).text();
    expect([await child.exited, errors]).toEqual([0, ""]);
  });
}

/** What follows a command on a line, in the words of the script: the commands and options of the help. */
const helpLines = async (): Promise<readonly string[]> => {
  const { out: help } = await tool(["--help"]);
  const commands = [...help.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name = ""]) => name);
  expect(commands).toContain("completion");
  const lines: string[] = [];
  for (const command of commands.filter((name) => name !== "help")) {
    const { out } = await tool([command, "--help"]);
    const options = [...out.matchAll(/^ {2}(?:(-\w), )?(--[a-z-]+)/gm)].flatMap(([, ...names]) =>
      names.filter((name) => name !== undefined),
    );
    expect(options).toContain("--help");
    lines.push(`|command|${command}|`, ...options.map((option) => `${command}|option|${option}|`));
  }
  return lines;
};

test("the script of each shell has every command and option of the help", async () => {
  const lines = await helpLines();
  for (const shell of SHELLS) {
    const script = readFileSync(join(home, `completion.${shell}`), "utf8");
    expect([shell, lines.filter((line) => !script.includes(line))]).toEqual([shell, []]);
  }
});

test.each([
  [
    ["completion"],
    "error: missing required argument 'shell'\n  see: lambda-shell completion --help\n",
  ],
  [["init"], "error: missing required argument 'name'\n  see: lambda-shell init --help\n"],
  [
    ["nosuch"],
    "error: unknown command 'nosuch'\n" +
      "  there are: run, serve, invoke, dev, package, check, test, init, events, completion, help\n",
  ],
  [
    ["completion", "tcsh"],
    "error: command-argument value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.\n",
  ],
])("%j is refused", async (args, message) => {
  expect(await tool(args)).toEqual({ status: 2, out: "", errors: message });
});

test("a quote and a backslash in a description end nothing", async () => {
  const { Command } = await import("commander");
  const { completionScript } = await import("./completion.ts");
  const program = new Command("lambda-shell").option("--odd", "it's $(id) `id` \\ \" %s |\n two");
  for (const shell of SHELLS) {
    const file = join(home, `odd.${shell}`);
    writeFileSync(file, completionScript(program, shell, {}));
    const check = Bun.spawnSync([shell, "-n", file], { stderr: "pipe" });
    expect([check.exitCode, check.stderr.toString()]).toEqual([0, ""]);
  }
});
