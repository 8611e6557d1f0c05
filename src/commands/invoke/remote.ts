/**
 * One event to a function on AWS, by way of the `aws` command: its profiles, sign-in and region.
 *
 * @module
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { z } from "zod";

import { fileBytes } from "../../file-facts.ts";
import { guarded } from "../../guard/guard.ts";
import { INVOKE_HEADER } from "../../host/front/lambda-api/contract.ts";
import { MANAGED_TIMEOUT_MS_MAX } from "../../host/invocation/settings.ts";
import { parsedObject } from "../../json-object.ts";
import { onInterrupt } from "../cli/ending.ts";
import { CommandError, EXIT } from "../cli/exit-status.ts";
import { reachDirectly } from "../cli/options.ts";
import { startVariables } from "../cli/start-variables.ts";

/** What Lambda is told besides the event. */
interface RemoteOptions {
  readonly event?: boolean;
  readonly clientContext?: string;
  readonly qualifier?: string;
  readonly region?: string;
}

/**
 * Longest wait for a response, in milliseconds: Lambda's longest function, on Managed Instances, and a minute
 * more.
 */
export const INVOKE_TIMEOUT_MS = MANAGED_TIMEOUT_MS_MAX + 60_000;

/** What `aws lambda invoke` prints. */
const metadataSchema = z.looseObject({
  StatusCode: z.int().min(200).max(599),
  FunctionError: z.string().optional(),
  LogResult: z.string().optional(),
  ExecutedVersion: z.string().optional(),
});

/**
 * Invokes the function and returns Lambda's response.
 * @throws {CommandError} When there is no `aws` command or it gets no response, in its own words; when it is
 * another program of that name.
 */
export async function invokeRemote(
  name: string,
  payload: Uint8Array,
  options: RemoteOptions,
): Promise<Response> {
  const aws = Bun.which("aws");
  if (aws === null) {
    throw new CommandError(
      "--remote calls AWS with the aws command, which is not in the PATH\n" +
        "  install the AWS CLI and sign in, or leave out --remote for a function on this computer",
    );
  }
  const { AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL } = process.env;
  const endpoint = AWS_ENDPOINT_URL_LAMBDA ?? AWS_ENDPOINT_URL ?? "";
  if (URL.canParse(endpoint)) reachDirectly(new URL(endpoint));
  const folder = mkdtempSync(join(tmpdir(), "lambda-shell-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.on("exit", remove);
  const interrupted = onInterrupt(() => process.exit(interrupted()));
  try {
    const event = join(folder, "event");
    const response = join(folder, "response");
    writeFileSync(event, payload, { mode: 0o600 });
    const out = await run([aws, ...invokeArguments(name, event, options), response]);
    const metadata = metadataSchema.safeParse(parsedObject(out));
    // An Event invocation has no response.
    const body = options.event === true ? null : fileBytes(response);
    if (!metadata.success || body === undefined) throw notTheCli(aws, out);
    return remoteResponse(metadata.data, body);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

function invokeArguments(name: string, event: string, options: RemoteOptions): readonly string[] {
  const { clientContext, qualifier, region } = options;
  const kind =
    options.event === true
      ? ["--invocation-type", "Event"]
      : ["--invocation-type", "RequestResponse", "--log-type", "Tail"];
  const context = clientContext === undefined ? "" : Buffer.from(clientContext).toString("base64");
  return [
    "lambda",
    "invoke",
    ...["--function-name", name, "--payload", `fileb://${event}`, ...kind],
    ...(clientContext === undefined ? [] : ["--client-context", context]),
    ...(qualifier === undefined ? [] : ["--qualifier", qualifier]),
    ...(region === undefined ? [] : ["--region", region]),
    ...["--output", "json", "--cli-read-timeout", String(INVOKE_TIMEOUT_MS / 1000)],
  ];
}

/** Returns what a command prints. @throws {CommandError} When it fails, in its own words. */
async function run(command: readonly string[]): Promise<string> {
  const child = Bun.spawn({
    ...(guarded(command) ?? { cmd: [...command] }),
    // An event must not reach a function twice because its response was late.
    env: { AWS_MAX_ATTEMPTS: "1", ...startVariables(), AWS_PAGER: "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const status = await child.exited;
  if (status !== 0) {
    const silent = `${command[0]} failed with status ${status} and gave no reason`;
    throw new CommandError(errors.trim() || silent, failureStatus(errors));
  }
  return out;
}

/** Most of what a program prints that is shown, in characters. */
const OUTPUT_LENGTH_MAX = 200;

/** What is thrown of a program that ends well and has invoked nothing, as far as is known. */
function notTheCli(aws: string, out: string): CommandError {
  const printed = out.trim() === "" ? "nothing" : JSON.stringify(out.slice(0, OUTPUT_LENGTH_MAX));
  return new CommandError(
    `${aws} gave no result of an invocation; it printed ${printed}\n` +
      "  is it the AWS CLI? the event may have been run",
    EXIT.serverError,
  );
}

function failureStatus(errors: string): number {
  if (errors.includes("TooManyRequestsException")) return EXIT.throttled;
  if (AWS_FAULT.test(errors)) return EXIT.serverError;
  return /could not connect|timeout on endpoint/i.test(errors) ? EXIT.unreachable : EXIT.usage;
}

/** How the `aws` command names an error of Lambda's own: by its status where it has no other name. */
const AWS_FAULT = /\((?:5\d\d|Service(?:Unavailable)?Exception|Internal\w*)\)/;

/** The same response as a server's, so that it is printed as one. */
function remoteResponse(
  metadata: z.output<typeof metadataSchema>,
  body: Uint8Array | null,
): Response {
  const { StatusCode: status, FunctionError, LogResult, ExecutedVersion } = metadata;
  const headers = new Headers();
  if (FunctionError !== undefined) headers.set(INVOKE_HEADER.functionError, FunctionError);
  if (LogResult !== undefined) headers.set(INVOKE_HEADER.logResult, LogResult);
  if (ExecutedVersion !== undefined) headers.set(INVOKE_HEADER.executedVersion, ExecutedVersion);
  return new Response(body === null ? null : new Uint8Array(body), { status, headers });
}
