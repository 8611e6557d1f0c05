/**
 * `lambda-shell invoke`: one event to a server that runs, or to a function that is started for it.
 *
 * @module
 */

import { type Command, Option } from "commander";

import { INVOKE_HEADER } from "../host/adapters/lambda-contract.ts";
import { CommandError, EXIT } from "./exit-status.ts";
import { addFunctionOptions, type FunctionOptions } from "./function-options.ts";
import { addEventOptions, type EventOptions, invokeEvent } from "./invoke-event.ts";
import { invokeOnce } from "./invoke-once.ts";
import { type OutputForm, printResult } from "./invoke-output.ts";
import { invokeRemote } from "./invoke-remote.ts";
import { repeatInvoke } from "./invoke-repeat.ts";

/** Options of the command. */
export interface InvokeOptions extends FunctionOptions, EventOptions {
  readonly url?: string;
  readonly remote?: boolean;
  readonly event?: boolean;
  readonly tail?: boolean;
  readonly clientContext?: string;
  readonly qualifier?: string;
  readonly output?: OutputForm;
  readonly fail: boolean;
  readonly dir: string;
  readonly repeat?: string;
  readonly parallel: string;
}

/** Where `dev` listens when nothing else is said. */
const DEFAULT_URL = "http://127.0.0.1:9000";

/** Adds the command to the program. */
export function addInvokeCommand(program: Command): void {
  const command = program
    .command("invoke")
    .summary("send one event and print the response")
    .description(
      "Send an event to a running server (dev, serve), or run it once when none runs.\n" +
        "The response goes to standard output, time and errors to standard error.",
    )
    .argument("[function]", 'name of the function (default: "function", the first)');
  addEventOptions(command)
    .option("--url <url>", "server (default: AWS_ENDPOINT_URL_LAMBDA or port 9000)")
    .option("--remote", "call the function on AWS, signed in as the aws command is")
    .option("--dir <dir>", "folder of the function when no server runs", ".")
    .option("--event", "do not wait for the response")
    .option("--tail", "print the function's log")
    .option("--client-context <json>", "client context")
    .option("--qualifier <name>", "version or alias")
    .addOption(
      new Option(
        "-o, --output <form>",
        "form of the response (default: json at a terminal)",
      ).choices(["raw", "json", "headers"]),
    )
    .option("--repeat <n>", "send it so often and print the times")
    .option("--parallel <n>", "so many at the same time", "1")
    .option("--no-fail", "exit 0 on function errors");
  addFunctionOptions(command).action(async (name: string | undefined, options: InvokeOptions) => {
    process.exitCode =
      options.remote === true
        ? await invokeOnAws(name, options)
        : await invoke(name ?? "function", options);
  });
}

async function invoke(name: string, options: InvokeOptions): Promise<number> {
  const payload = await invokeEvent(options);
  const url = options.url ?? process.env["AWS_ENDPOINT_URL_LAMBDA"] ?? DEFAULT_URL;
  const named = options.url !== undefined || process.env["AWS_ENDPOINT_URL_LAMBDA"] !== undefined;
  if (options.repeat !== undefined) {
    const count = positive(options.repeat, "--repeat");
    const parallel = positive(options.parallel, "--parallel");
    const sendOne = () => send(url, name, payload, { ...options, quiet: true });
    return repeatInvoke(sendOne, () => coldStarts(url), count, parallel);
  }
  let response: Response;
  try {
    response = await send(url, name, payload, options);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    if (named) throw new CommandError(`no server at ${url}: ${error.message}`, EXIT.unreachable);
    return invokeOnce(payload, options);
  }
  return printResult(response, name, url, options);
}

async function invokeOnAws(name: string | undefined, options: InvokeOptions): Promise<number> {
  for (const [option, value] of [
    ["--url", options.url],
    ["--repeat", options.repeat],
  ]) {
    if (value !== undefined) throw new CommandError(`--remote and ${option} exclude each other`);
  }
  // No function on AWS is the default one.
  if (name === undefined) {
    throw new CommandError("which function on AWS? write: lambda-shell invoke NAME --remote");
  }
  const answer = await invokeRemote(name, await invokeEvent(options), options);
  return printResult(answer, name, "", options);
}

/** A server that is not there. */
class Unreachable extends Error {}

function send(
  url: string,
  name: string,
  payload: Uint8Array<ArrayBuffer>,
  options: InvokeOptions & { readonly quiet?: boolean },
): Promise<Response> {
  const headers: Record<string, string> = {
    [INVOKE_HEADER.invocationType]: options.event === true ? "Event" : "RequestResponse",
    [INVOKE_HEADER.logType]: options.event === true || options.quiet === true ? "None" : "Tail",
  };
  if (options.clientContext !== undefined) {
    headers[INVOKE_HEADER.clientContext] = Buffer.from(options.clientContext).toString("base64");
  }
  const query =
    options.qualifier === undefined ? "" : `?Qualifier=${encodeURIComponent(options.qualifier)}`;
  const path = `/2015-03-31/functions/${encodeURIComponent(name)}/invocations${query}`;
  // A function may take its 15 minutes.
  return fetch(new URL(path, url), {
    method: "POST",
    headers,
    body: payload,
    signal: AbortSignal.timeout(INVOKE_TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw new Unreachable(error instanceof Error ? error.message : String(error));
  });
}

/** Lambda's longest function and some more, in milliseconds. */
const INVOKE_TIMEOUT_MS = 960_000;

/** Environments that the server has started until now. */
async function coldStarts(url: string): Promise<number> {
  const answer = await fetch(new URL("/_lambda-shell/metrics", url));
  const text = await answer.text();
  return Number(/^lambda_shell_cold_starts_total (\d+)$/m.exec(text)?.[1] ?? 0);
}

function positive(text: string, option: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new CommandError(`${option}: "${text}" is no positive number`);
}
