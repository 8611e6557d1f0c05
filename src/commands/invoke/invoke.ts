/**
 * `lambda-shell invoke`: one event to a server that runs, or to a function that is started for it.
 *
 * @module
 */

import { type Command, Option } from "commander";

import { isFolder } from "../../file-facts.ts";
import { INVOKE_HEADER } from "../../host/front/lambda-api/contract.ts";
import { jsonComplaint } from "../../host/http/json-text.ts";
import { shownAddress } from "../../host/http/message.ts";
import { CommandError, EXIT } from "../cli/exit-status.ts";
import { addressBelow, reachDirectly, requireHttpUrl } from "../cli/options.ts";
import { pathWord, shellWord } from "../cli/suggest.ts";
import { addFunctionOptions, type FunctionOptions } from "../function/options.ts";
import { addEventOptions, type EventOptions, invokeEvent } from "./event.ts";
import { invokeOnce } from "./once.ts";
import {
  type OutputForm,
  printResult,
  refusalOf,
  repeatInvoke,
  type Repetition,
  responseBody,
} from "./output.ts";
import { INVOKE_TIMEOUT_MS, invokeRemote } from "./remote.ts";

/** Options of the command. */
interface InvokeOptions extends FunctionOptions, EventOptions {
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
  readonly parallel?: string;
  readonly profile?: boolean;
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
    .option("--dir <dir>", "folder of the function, which is run here", ".")
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
    .option("--repeat <n>", "send it this often and print the times")
    .option("--parallel <n>", "with --repeat: this many at the same time (default: 1)")
    .option("--profile", "run it here; say where its time went, and what it would cost")
    .option("--no-fail", "exit 0 on function errors");
  const common = new Set(command.options);
  addFunctionOptions(command).action(async (name: string | undefined, given: InvokeOptions) => {
    excludeOthers(given);
    const options = withContextObject(given);
    if (name !== undefined) refuseEventAsName(name, options);
    // Those that say how a function is started.
    const starting = command.options
      .filter((option) => !common.has(option) || option.long === "--dir")
      .filter((option) => command.getOptionValueSource(option.attributeName()) === "cli")
      .flatMap(({ long }) => long ?? []);
    process.exitCode =
      options.remote === true
        ? await invokeOnAws(name, options, starting)
        : await invoke(name ?? "function", options, starting);
  });
}

/** @throws {CommandError} When an option would have no effect beside another. */
function excludeOthers(options: InvokeOptions): void {
  const { profile, url, remote, repeat, event, tail, output, clientContext } = options;
  const refuse = (option: string, others: Readonly<Record<string, unknown>>) => {
    const other = Object.keys(others).find((name) => others[name] !== undefined);
    if (other !== undefined) throw new CommandError(`${option} and ${other} exclude each other`);
  };
  // A function that somebody else runs cannot be looked into, and times of many events are not one's.
  const running = { "--url": url, "--remote": remote, "--repeat": repeat, "--event": event };
  if (profile === true) refuse("--profile", running);
  if (repeat !== undefined) refuse("--repeat", { "--tail": tail, "--output": output });
  refuseForMany(options);
  // Of an event that is not waited for nothing comes back, and its function gets no client context.
  const waiting = { "--tail": tail, "--output": output, "--client-context": clientContext };
  if (event === true) refuse("--event", waiting);
}

/**
 * The options with a client context as Lambda takes it, which is without a byte-order mark.
 * @throws {CommandError} When it is something else, which Lambda would say of its base64.
 */
function withContextObject(options: InvokeOptions): InvokeOptions {
  if (options.clientContext === undefined) return options;
  const clientContext = options.clientContext.replace(/^\ufeff/, "");
  const complaint = jsonComplaint(Buffer.from(clientContext));
  if (complaint === undefined && /^\s*\{/.test(clientContext)) return { ...options, clientContext };
  throw new CommandError(
    `--client-context: not a JSON object (${complaint ?? "it is not an object"})\n` +
      `  write it as --client-context '{"custom":{"key":"value"}}'`,
  );
}

/** @throws {CommandError} When an option has no effect on as few events as are sent. */
function refuseForMany({ repeat, parallel, workers, queue }: InvokeOptions): void {
  const many = { "--parallel": parallel, "--workers": workers, "--queue": queue };
  const [given] = Object.entries(many).find(([, value]) => value !== undefined) ?? [];
  if (repeat === undefined && given !== undefined) {
    throw new CommandError(`${given} needs --repeat N`);
  }
  if (Number(parallel) > Number(repeat)) {
    throw new CommandError(`--parallel ${parallel}: --repeat sends only ${repeat} events`);
  }
}

/** @throws {CommandError} When an event stands where the name does, as where another tool's `--event` takes one. */
function refuseEventAsName(name: string, { event }: InvokeOptions): void {
  if (name === "") throw new CommandError("the function's name is empty");
  const isFile = /\.jsonc?$/i.test(name) || name.includes("/");
  if (!isFile && !/^[{["@]/.test(name)) return;
  const path = name.replace(/^@/, "");
  if (isFolder(path)) {
    throw new CommandError(
      `${name}: not a function's name\n  to run the function of a folder: --dir ${pathWord(path)}`,
    );
  }
  const option = isFile || name !== path ? `-f ${pathWord(path)}` : `-d ${shellWord(name)}`;
  const flag =
    event === true ? "\n  --event takes no value: it does not wait for the response" : "";
  throw new CommandError(`${name}: not a function's name\n  give an event with ${option}${flag}`);
}

/** @param starting Options that matter only where the function is started here. */
async function invoke(
  name: string,
  options: InvokeOptions,
  starting: readonly string[],
): Promise<number> {
  const payload = await invokeEvent(options);
  const headers = requestHeaders(options);
  if (options.profile === true) {
    return invokeOnce(name, payload, { ...options, headers }, undefined);
  }
  const { url, source } = serverUrl(options);
  if (starting.length > 0 && source !== undefined) {
    throw new CommandError(
      `${starting.join(", ")}: the server at ${shownAddress(url)} has started the function with settings of its own\n` +
        `  give them to the server; without ${source} the function is started here`,
    );
  }
  const repeat =
    options.repeat === undefined
      ? undefined
      : {
          count: positive(options.repeat, "--repeat"),
          parallel: positive(options.parallel ?? "1", "--parallel"),
          fail: options.fail,
        };
  if (starting.length > 0) return invokeOnce(name, payload, { ...options, headers }, repeat);
  let response: Response;
  try {
    if (repeat !== undefined) return await repeatOnServer(url, name, payload, options, repeat);
    response = await send(url, name, payload, options);
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    // Only where nobody listens: an event that a server may have begun must not run a second time.
    if (source !== undefined || !error.refused) {
      const words = error.refused
        ? `no server at ${shownAddress(url)}: connection refused\n` +
          `  start one: lambda-shell dev; or leave out ${source}, and the function is started for the event`
        : `no response from ${shownAddress(url)}: ${error.message}`;
      throw new CommandError(words, EXIT.unreachable);
    }
    return invokeOnce(name, payload, { ...options, headers }, repeat);
  }
  return printResult(response, name, url, options);
}

/** The server that is called, and where it is named; nothing where nobody has named one. */
function serverUrl({ url }: InvokeOptions): { readonly url: string; readonly source?: string } {
  const variable = process.env["AWS_ENDPOINT_URL_LAMBDA"];
  const text = url ?? variable;
  if (text === undefined) {
    reachDirectly(new URL(DEFAULT_URL));
    return { url: DEFAULT_URL };
  }
  const source = url === undefined ? "AWS_ENDPOINT_URL_LAMBDA" : "--url";
  const example = `${source}${url === undefined ? "=" : " "}${DEFAULT_URL}`;
  const address = requireHttpUrl(text, source, example);
  if (address.search !== "" || address.hash !== "") {
    const words = "the address of a server has neither a query nor a fragment";
    throw new CommandError(`${source} ${shownAddress(text)}: ${words}\n  write: ${example}`);
  }
  reachDirectly(address);
  return { url: text, source };
}

function repeatOnServer(
  url: string,
  name: string,
  payload: Uint8Array<ArrayBuffer>,
  options: InvokeOptions,
  repetition: Repetition,
): Promise<number> {
  const sendOne = async () => {
    const response = await send(url, name, payload, { ...options, quiet: true }).catch((error) => {
      // The first request found the server: what is refused now is not a reason to run the function here.
      if (!(error instanceof Unreachable)) throw error;
      throw new CommandError(
        `no response from ${shownAddress(url)}: ${error.message}`,
        EXIT.unreachable,
      );
    });
    const body = await responseBody(response, url);
    const refusal = await refusalOf(response, body, name, { ...options, url });
    if (refusal !== undefined) return refusal;
    return response.headers.has(INVOKE_HEADER.functionError) ? "function-error" : "success";
  };
  return repeatInvoke(sendOne, () => coldStarts(url), repetition);
}

async function invokeOnAws(
  name: string | undefined,
  options: InvokeOptions,
  starting: readonly string[],
): Promise<number> {
  const ignored = starting.filter((option) => option !== "--region");
  if (ignored.length > 0) {
    throw new CommandError(`--remote and ${ignored.join(", ")} exclude each other`);
  }
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
  const response = await invokeRemote(name, await invokeEvent(options), options);
  return printResult(response, name, "", options);
}

/** A server that is not there, or that has gone before it responded. */
class Unreachable extends Error {
  /** True when nobody listens there, so that no event has been sent. */
  readonly refused: boolean;

  constructor(error: unknown) {
    super(error instanceof Error ? error.message : String(error));
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    // Bun's name of it, and the system's: both are seen.
    this.refused = code === "ConnectionRefused" || code === "ECONNREFUSED";
  }
}

function send(
  url: string,
  name: string,
  payload: Uint8Array<ArrayBuffer>,
  options: InvokeOptions & { readonly quiet?: boolean },
): Promise<Response> {
  const query =
    options.qualifier === undefined ? "" : `?Qualifier=${encodeURIComponent(options.qualifier)}`;
  const path = `/2015-03-31/functions/${encodeURIComponent(name)}/invocations`;
  return fetch(addressBelow(url, path, query), {
    method: "POST",
    // Followed, most redirects would become a GET without the event, whose response would be taken for its result.
    redirect: "manual",
    headers: requestHeaders(options),
    body: payload,
    // Nothing comes while the function runs; Bun gives a silent server up after 6 minutes (measured).
    timeout: false,
    signal: AbortSignal.timeout(INVOKE_TIMEOUT_MS),
  }).catch(unreachable);
}

function requestHeaders(options: InvokeOptions & { readonly quiet?: boolean }) {
  const { event, quiet, clientContext } = options;
  const headers: Record<string, string> = {
    [INVOKE_HEADER.invocationType]: event === true ? "Event" : "RequestResponse",
    [INVOKE_HEADER.logType]: event === true || quiet === true ? "None" : "Tail",
  };
  if (clientContext !== undefined) {
    headers[INVOKE_HEADER.clientContext] = Buffer.from(clientContext).toString("base64");
  }
  return headers;
}

function unreachable(error: unknown): never {
  throw new Unreachable(error);
}

/** Environments that the server has started until now, where it tells. */
async function coldStarts(url: string): Promise<number | undefined> {
  const address = addressBelow(url, "/_lambda-shell/metrics");
  const response = await fetch(address, { redirect: "manual" }).catch(unreachable);
  const text = await response.text().catch(() => "");
  const count = /^lambda_shell_cold_starts_total (\d+)$/m.exec(text)?.[1];
  return count === undefined ? undefined : Number(count);
}

function positive(text: string, option: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new CommandError(`${option}: "${text}" is not a positive number`);
}
