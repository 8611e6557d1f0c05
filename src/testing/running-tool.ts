/**
 * Runs the tool as a process of its own, for tests.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

import { temporaryFolder } from "./temporary-folder.ts";

const ROOT = join(import.meta.dir, "..", "..");
const ENTRY = join(ROOT, "src", "lambda-shell.ts");

/** The runtime client that does what its event says, after `--`. */
export const SCRIPTED = [
  "--",
  process.execPath,
  join(ROOT, "fixtures", "bootstraps", "scripted", "bootstrap.ts"),
];

/** The bash loop of AWS's tutorial, after `--`. */
export const CURL_LOOP = ["--", join(ROOT, "fixtures", "bootstraps", "curl-loop", "bootstrap")];

/** What a finished run left. */
export interface ToolResult {
  readonly status: number;
  readonly out: string;
  readonly errors: string;
}

/** How the tool is run. */
export interface ToolOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Stands in front of its command. */
  readonly through?: readonly string[];
}

/** The compiled tool, which `make test` names; without it the tests run the sources. */
const COMPILED = process.env["LAMBDA_SHELL"];

/** The command line that runs the tool with these arguments. */
export function toolCommand(args: readonly string[]): readonly string[] {
  return COMPILED === undefined
    ? [process.execPath, ENTRY, ...args]
    : [resolve(ROOT, COMPILED), ...args];
}

/** Runs the tool to its end. */
export async function tool(
  args: readonly string[],
  { input = "", cwd = ROOT, environment = {}, through = [] }: ToolOptions = {},
): Promise<ToolResult> {
  const child = Bun.spawn([...through, ...toolCommand(args)], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1", ...environment },
    stdin: new Blob([input as string]),
    stdout: "pipe",
    stderr: "pipe",
  });
  return outputOf(child);
}

/** Waits for the end of a process and reads what it says. */
export async function outputOf(
  child: Bun.Subprocess<"ignore" | Blob, "pipe", "pipe">,
): Promise<ToolResult> {
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { status: await child.exited, out, errors };
}

/** A server of the tool that runs; `await using` ends it with SIGTERM. */
export interface RunningTool extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly errors: () => string;
  /** Fulfilled when the log has the text. */
  readonly logged: (text: string) => Promise<void>;
  readonly stop: (signal?: NodeJS.Signals) => Promise<number>;
}

/** Starts `serve` or `dev` on a free port. */
export async function startTool(
  args: readonly string[],
  { cwd = ROOT, environment = {}, through = [] }: ToolOptions = {},
): Promise<RunningTool> {
  const child = Bun.spawn([...through, ...toolCommand(args)], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", NO_COLOR: "1", ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let errors = "";
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stderr) errors += decoder.decode(chunk, { stream: true });
  })();
  const logged = async (text: string) => {
    const untilMs = Date.now() + 20_000;
    while (!errors.includes(text)) {
      if (Date.now() > untilMs) throw new Error(`"${text}" is not in the log:\n${errors}`);
      await Bun.sleep(5);
    }
  };
  const port = /listening (?:[\d.]+|\[[\da-f:]+\]):(\d+)|http:\/\/(?:127\.0\.0\.1|\[::1\]):(\d+)/;
  while (!port.test(errors)) {
    if (child.exitCode !== null) throw new Error(`the tool ended:\n${errors}`);
    await Bun.sleep(5);
  }
  const [, served, dev] = port.exec(errors) ?? [];
  const stop = async (signal: NodeJS.Signals = "SIGTERM") => {
    child.kill(signal);
    return child.exited;
  };
  return {
    url: `http://127.0.0.1:${served ?? dev}`,
    pid: child.pid,
    errors: () => errors,
    logged,
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

/** A folder of a function with these files; its name is that of the function. */
export function functionFolder(files: Readonly<Record<string, string>>, name = "probe"): string {
  const directory = join(temporaryFolder("tool"), name);
  for (const [file, text] of Object.entries(files)) {
    const path = join(directory, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return directory;
}
