/**
 * One event to a function that is started for it and ended after it.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";

import {
  type InvokeRequest,
  invokeRequest,
  invokeResponse,
} from "../../host/front/lambda-api/invoke.ts";
import { FunctionPool } from "../../host/function/function-pool.ts";
import { FunctionRegistry } from "../../host/function/function-registry.ts";
import { newTraceId } from "../../host/invocation/invocation.ts";
import {
  LOG_TAIL_BYTES_MAX,
  REJECTION,
  type RejectionReason,
  type StreamEnd,
  type WholeOutcome,
  wholeOutcome,
} from "../../host/invocation/outcome.ts";
import type { FunctionSettings } from "../../host/invocation/settings.ts";
import { LogTail } from "../../host/sandbox/log.ts";
import { awsArchitecture } from "../../program.ts";
import { ProfiledFunction } from "../../trace/profiled-function.ts";
import { sayHints } from "../check.ts";
import { endWithOutput, onInterrupt } from "../cli/ending.ts";
import { CommandError, EXIT, outcomeStatus } from "../cli/exit-status.ts";
import { unknownFunction } from "../cli/suggest.ts";
import { say, written } from "../cli/terminal.ts";
import { functionArchitecture } from "../function/architecture.ts";
import { errorSummary, outputWarning } from "../function/error-summary.ts";
import { functionHandler } from "../function/handler.ts";
import { type FunctionOptions, functionSettings } from "../function/options.ts";
import {
  type OutputOptions,
  repeatInvoke,
  type Repetition,
  type Sent,
  successLine,
  writeHeaders,
  writePayload,
} from "./output.ts";

/** Options that matter without a server. */
interface OnceOptions extends FunctionOptions, OutputOptions {
  readonly dir: string;
  readonly qualifier?: string;
  readonly profile?: boolean;
  /** Those that a server would get; see `INVOKE_HEADER`. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Runs one event, or repeats it, and returns the exit status.
 * @throws {CommandError} When a server would refuse the request.
 */
export async function invokeOnce(
  name: string,
  payload: Uint8Array,
  options: OnceOptions,
  repetition: Repetition | undefined,
): Promise<number> {
  const own = functionSettings(options.dir, [], options);
  const profile = options.profile === true ? profiled(own) : undefined;
  const settings = profile?.settings ?? own;
  const log = new LogTail(LOG_TAIL_BYTES_MAX);
  let coldStarts = 0;
  const pool = new FunctionPool(settings, {
    onLog: (chunk) => log.add(chunk),
    onStarted: (environment) => {
      coldStarts += 1;
      profile?.ready(environment);
    },
    onDelivered: ({ deliveredAtMs }) => profile?.delivered(deliveredAtMs),
  });
  const asked = readRequest(name, payload, options, new FunctionRegistry([pool]));
  if (repetition !== undefined && asked.invocationType === "Event") {
    const fix = "start one with lambda-shell dev, or leave out --event";
    throw new CommandError(`--event with --repeat needs a server\n  ${fix}`);
  }
  const interrupted = onInterrupt(() => pool.kill());
  endWithOutput(() => pool.kill());
  pool.start();
  const saidHints = sayHints(settings, "--dir");
  try {
    if (repetition === undefined) return await runOnce();
    return await repeatInvoke(sendAgain, async () => coldStarts, repetition);
  } finally {
    await pool.stop();
    await saidHints;
    await profile?.close();
  }

  async function sendAgain(): Promise<Sent> {
    const outcome = await wholeOutcome(await pool.invoke(asked.request));
    const signalled = interrupted();
    if (signalled !== undefined) throw new CommandError("interrupted", signalled);
    if (outcome.kind !== "rejected") {
      return outcome.kind === "response" ? "success" : "function-error";
    }
    return new CommandError(rejectionWords(outcome.reason), outcomeStatus(outcome.kind));
  }

  async function runOnce(): Promise<number> {
    const isUnattended = asked.invocationType === "Event";
    const first = await pool.invoke({ ...asked.request, logTail: true });
    // As a server's response, whose headers stand in front of the whole; a part of it is not JSON.
    const isWhole = isUnattended || options.output === "headers" || options.output === "json";
    const outcome = isWhole ? await wholeOutcome(first) : first;
    if (outcome.kind === "stream") {
      for await (const chunk of outcome.chunks) await written(process.stdout, chunk);
    }
    const end = outcome.kind === "stream" ? await outcome.end : outcome;
    // What a signal has killed is not a response.
    const signalled = interrupted();
    if (signalled !== undefined) return signalled;
    if (options.tail === true) process.stderr.write(log.bytes());
    if (end.kind !== "rejected") profile?.ended(end.report.durationMs);
    await print(end, asked, settings, { ...options, isWritten: outcome.kind === "stream" });
    if (profile !== undefined) process.stderr.write(await profile.text());
    // As with a server, nobody waits for what becomes of it.
    if (!options.fail || isUnattended) return EXIT.ok;
    return outcomeStatus(end.kind === "function-error" ? end.origin : outcome.kind);
  }
}

/** The function with its trace on, and the prices of the architecture that it is for. */
function profiled(settings: FunctionSettings): ProfiledFunction {
  const { directory, handler } = settings;
  const architecture = awsArchitecture(functionArchitecture(directory, undefined));
  return new ProfiledFunction(settings, functionHandler(directory, handler), architecture);
}

type ValidRequest = Extract<InvokeRequest, { kind: "valid" }>;

/** Reads the request as a server does, so that the same is refused. */
function readRequest(
  name: string,
  payload: Uint8Array,
  { headers, qualifier }: OnceOptions,
  registry: FunctionRegistry,
): ValidRequest {
  const found = registry.find(name, qualifier);
  if (found.kind === "unknown") {
    const known = registry.pools.map(({ settings }) => settings.name);
    // Other commands take the folder as their argument.
    const isFolder = existsSync(join(name, "."));
    const folder = isFolder ? `\n  to run the folder ${name}: --dir ${name}` : "";
    const isHandler = /^[^.]+\.[^.]+$/.test(name);
    const handler = isHandler ? `\n  to run a handler of that name: --handler ${name}` : "";
    throw new CommandError(unknownFunction(name, known) + folder + handler);
  }
  if (found.kind !== "found") throw new CommandError(`400: ${found.message}`);
  const http = {
    method: "POST",
    rawPath: "",
    rawQuery: "",
    headerLines: Object.entries(headers),
    headers,
    body: payload,
    sourceIp: "127.0.0.1",
    receivedAtMs: Date.now(),
    requestId: randomUUID(),
    traceId: newTraceId(),
  };
  const asked = invokeRequest(http, found.qualifier);
  if (asked.kind === "valid") return asked;
  const { status, body } = asked.response;
  throw new CommandError(`${status}: ${String(body).trim()}`);
}

function rejectionWords(reason: RejectionReason): string {
  return `the event was not run: ${REJECTION[reason].words}`;
}

/** Prints what a server's response would have, and more of an error. */
async function print(
  end: WholeOutcome | StreamEnd,
  { invocationType, request }: ValidRequest,
  settings: FunctionSettings,
  { output, isWritten }: OutputOptions & { readonly isWritten: boolean },
): Promise<void> {
  if (end.kind === "rejected") {
    say("error", rejectionWords(end.reason));
    return;
  }
  const failed = end.kind === "function-error";
  if (invocationType === "Event") {
    say("info", "202 · ran in the foreground (no server for --event)");
    if (failed) say("error", errorSummary(end, settings));
    return;
  }
  // Of a stream standard output has all that came of it, also when it broke off.
  if (end.kind !== "complete" && !isWritten) {
    if (output === "headers") {
      writeHeaders((await invokeResponse(end, request.requestId ?? "", true)).headers);
    }
    writePayload(end.body, output);
  }
  const warning = end.kind === "response" ? outputWarning(end.body) : undefined;
  if (warning !== undefined) say("warning", warning);
  if (failed) say("error", errorSummary(end, settings));
  else say("info", successLine(end.report));
}
