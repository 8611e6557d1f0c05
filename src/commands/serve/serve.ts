/**
 * `lambda-shell serve`: serves a function over HTTP until it is stopped.
 *
 * @module
 */

import { type Command, Option } from "commander";

import type { Adapter } from "../../host/front/adapter.ts";
import type { InvokeCompat } from "../../host/front/lambda-api/lambda-api.ts";
import { ASYNC_RETRIES } from "../../host/front/lambda-api/lambda-api.ts";
import {
  type AdapterOptions,
  SERVE_FORMATS,
  serveAdapter,
  type ServeFormat,
} from "../../host/front/select.ts";
import { type ResponseSink, Sink } from "../../host/front/sink.ts";
import { FunctionPool } from "../../host/function/function-pool.ts";
import { FunctionRegistry } from "../../host/function/function-registry.ts";
import { Metrics } from "../../host/function/metrics.ts";
import { Cors } from "../../host/http/cors.ts";
import {
  HELD_BYTES_MAX,
  HttpServer,
  type HttpServerLimits,
  STALL_MS,
} from "../../host/http/server.ts";
import type { HostLog } from "../../host/invocation/platform-log.ts";
import { BYTES_PER_MB, type FunctionSettings } from "../../host/invocation/settings.ts";
import { hostAndPort, HostServer, metricsResponse } from "../../host/server.ts";
import { megabytesFix, parseTime, timeFix } from "../../quantities.ts";
import { sayHints } from "../check.ts";
import { endWithOutput, stopSignal } from "../cli/ending.ts";
import { CommandError, EXIT } from "../cli/exit-status.ts";
import { reachDirectly, requireHttpUrl, splitCommand } from "../cli/options.ts";
import { shellWord } from "../cli/suggest.ts";
import { printMessagesAsJson, say } from "../cli/terminal.ts";
import * as compat from "../compat.ts";
import { startFiles } from "../function/handler.ts";
import {
  addFunctionOptions,
  type FunctionOptions,
  functionSettings,
  type SettingsDefaults,
} from "../function/options.ts";
import { listenFault, listenOrExplain, portNumber } from "./listen.ts";
import {
  countedObserver,
  hostObserver,
  jsonObserver,
  LOG_FORMS,
  type LogForm,
  platformLog,
} from "./observers.ts";
import { type ServeVariables, serveVariables } from "./variables.ts";

/** Options of `serve`, and of `dev` where it has the same. */
export interface ServeOptions extends FunctionOptions, AdapterOptions {
  readonly host?: string;
  readonly port?: string;
  readonly format?: ServeFormat;
  readonly compat?: string;
  readonly metricsPort?: string;
  readonly cors?: string;
  readonly heldMemory: string;
  readonly stallTimeout: string;
  readonly grace: string;
  readonly asyncRetries: string;
  readonly showEnv?: boolean;
  readonly quiet?: boolean;
  readonly log: LogForm;
}

/** What `serve --compat` does as another server does it. */
interface ServerCompat {
  /** True when no path is Lambda's API or a probe's. */
  readonly ownsEveryPath?: boolean;
  /** Invoke as it serves it. */
  readonly invoke?: InvokeCompat;
  /** Every other path as it serves it. */
  readonly adapter?: (format: ServeFormat, variables: ServeVariables) => Adapter;
  /** What counts where neither the command line nor `serve`'s own variables say anything. */
  readonly defaults: (
    variables: Readonly<Record<string, string | undefined>>,
  ) => Pick<SettingsDefaults, "name" | "timeout" | "memory" | "variables">;
  /** @param given What the command line says of the queue. */
  readonly settings?: (
    settings: FunctionSettings,
    given: Pick<FunctionOptions, "queue" | "queueTimeout">,
  ) => FunctionSettings;
  readonly sink?: (url: string, log: HostLog) => ResponseSink;
}

const COMPAT: Readonly<Record<string, { readonly serve?: ServerCompat; readonly run?: unknown }>> =
  compat;

/** Names of the servers. */
const SERVERS = Object.keys(COMPAT).filter((name) => COMPAT[name]?.serve !== undefined);

const DEFAULT_PORT = 8080;
const DEFAULT_METRICS_PORT = 9092;

/** Adds the command to the program. */
export function addServeCommand(program: Command): void {
  const command = program
    .command("serve")
    .summary("serve a function over HTTP: Invoke API, Function URL, CloudEvents")
    .description(
      "Serve a function over HTTP: Lambda's Invoke API under /2015-03-31/, every other\n" +
        "path in the chosen format. Follows the Knative contract (PORT, K_SINK, drain).",
    )
    .argument("[dir]", "folder of the function (default: LAMBDA_TASK_ROOT or .)")
    .argument("[command...]", "bootstrap command, after --")
    .option("--host <address>", "address to bind (default: 127.0.0.1; Knative: 0.0.0.0)")
    .option("--port <n>", "port, 0 for any free one (default: PORT or 8080)")
    .addOption(
      new Option("--format <form>", "how requests become events (default: plain)").choices(
        SERVE_FORMATS,
      ),
    )
    .addOption(
      new Option("--compat <host>", "reproduce another emulator's behavior, bugs included").choices(
        SERVERS,
      ),
    )
    .option("--sink <url>", "send replies to this address, not to the caller (default: K_SINK)")
    .option("--metrics-port <n>", "port of /metrics, 0 for none (default: 9092)");
  addHttpOptions(addFunctionOptions(command, DEFAULT_WORKERS)).action(
    async (_dir, _rest, options: ServeOptions) => {
      const { directory, bootstrap } = splitCommand(command);
      process.exitCode = await serve(directory, bootstrap, options);
    },
  );
}

/** Adds what `serve` and `dev` share. */
export function addHttpOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--ce-input <form>",
        "what the function gets: the whole CloudEvent, or its data",
      ).choices(["event", "data"]),
    )
    .addOption(
      new Option("--ce-output <mode>", "mode of CloudEvents in responses")
        .choices(["auto", "structured", "binary", "none"])
        .default("auto"),
    )
    .option("--ce-batch", "take batches of CloudEvents: an invocation each, in order")
    .option("--require-prefer-reply", "reply only to senders of `Prefer: reply`, 202 to others")
    .addOption(
      new Option("--invoke-mode <mode>", "send responses whole, or as they are written")
        .choices(["buffered", "response-stream"])
        .default("buffered"),
    )
    .option(
      "--binary-media-types <types>",
      "types that a REST API sends as base64: 'image/*, font/woff'",
    )
    .option("--cors <origins>", "origins that browsers may call from, * for all")
    .option(
      "--held-memory <MB>",
      "memory for requests and responses; beyond it, 429",
      String(HELD_BYTES_MAX / BYTES_PER_MB),
    )
    .option(
      "--stall-timeout <time>",
      "time in which a caller must send or take something",
      String(STALL_MS / 1000),
    )
    .option("--grace <time>", "time that running events have when it is stopped", "10")
    .option("--async-retries <n>", "retries of Event invocations, 0 to 2", String(ASYNC_RETRIES))
    .option("--show-env", "show values of variables in GetFunction")
    .addOption(new Option("--log <form>", "form of the log").choices(LOG_FORMS).default("text"))
    .option("--quiet", "print no START, END and REPORT lines");
}

async function serve(
  directory: string,
  bootstrap: readonly string[],
  options: ServeOptions,
): Promise<number> {
  if (options.log === "json") printMessagesAsJson();
  const variables = readVariables();
  for (const warning of variables.warnings) say("warning", warning);
  const folder = directory === "." ? variables.directory || directory : directory;
  const compatible = COMPAT[options.compat ?? ""]?.serve;
  const asked = functionSettings(folder, bootstrap, options, serveDefaults(compatible, variables));
  const settings = compatible?.settings?.(asked, options) ?? asked;
  const port = portNumber(
    [
      ["--port", options.port],
      ["PORT", variables.port],
    ],
    DEFAULT_PORT,
  );
  const metricsPort = portNumber(
    [
      ["--metrics-port", options.metricsPort],
      ["METRICS_PROMETHEUS_PORT", variables.metricsPort],
    ],
    DEFAULT_METRICS_PORT,
  );
  const grace = graceMs(options.grace);
  const format = options.format ?? variables.format ?? "plain";
  refuseUnused(options, format);
  const metrics = metricsOf(variables);
  const observer = countedObserver(observerOf(settings, options), metrics);
  const pool = new FunctionPool(settings, observer, startFiles);
  metrics.watch([pool]);
  const server = hostServer(pool, metrics, { compatible, format, options, variables });
  const address = options.host ?? (variables.onKnative ? "0.0.0.0" : "127.0.0.1");
  const stop = stopSignal(() => pool.kill());
  const actual = await listenOrExplain(server, address, port);
  const closeMetrics = await serveMetrics(metrics, address, metricsPort);
  endWithOutput(() => pool.kill());
  pool.start();
  const { environments, environmentsMin } = settings;
  const workers = environmentsMin === undefined ? "" : `${environmentsMin}:`;
  say(
    "info",
    `listening ${hostAndPort(address, actual)} (${format}) · ${workers}${environments} workers`,
  );
  await sayHints(settings);
  await stop.arrived;
  await server.drain(grace);
  closeMetrics();
  return EXIT.ok;
}

/**
 * The rules of `--cors`; none without it.
 * @throws {CommandError} When an origin is one that no browser sends, as with a path: no caller would be allowed.
 */
export function corsRules({ cors }: Pick<ServeOptions, "cors">): { readonly cors?: Cors } {
  if (cors === undefined) return {};
  for (const text of cors.split(",").map((each) => each.trim())) {
    const origin = URL.parse(text)?.origin;
    // Of an extension of a browser only the form is known.
    const isOrigin = origin === text || (origin === "null" && EXTENSION_ORIGIN.test(text));
    if ((isOrigin && !text.includes("*")) || text === "*" || text === "null") continue;
    const url = URL.parse(text.includes("://") ? text : `http://${text}`);
    const meant =
      url === null || url.origin === "null" || url.host.includes("*") ? "*" : url.origin;
    throw new CommandError(
      `--cors ${text}: not an origin that a browser sends\n  write: --cors ${shellWord(meant)}`,
    );
  }
  return { cors: new Cors(cors) };
}

const EXTENSION_ORIGIN = /^[a-z]+-extension:\/\/[\w-]+$/;

/** What a server is made from besides its function. */
interface ServerParts {
  readonly compatible: ServerCompat | undefined;
  readonly format: ServeFormat;
  readonly options: ServeOptions;
  readonly variables: ServeVariables;
}

/** The server of one function; another one where `--compat` names it. */
function hostServer(
  pool: FunctionPool,
  metrics: Metrics,
  { compatible, format, options, variables }: ServerParts,
): HostServer {
  const lambdaApi = {
    ...lambdaApiOptions(options, say),
    ...(compatible?.invoke === undefined ? {} : { invoke: compatible.invoke }),
  };
  const sinkUrl = sinkAddress(options.sink, variables.sink);
  const ownsEveryPath = compatible?.ownsEveryPath === true;
  return new HostServer({
    registry: new FunctionRegistry([pool]),
    adapter: (each) =>
      compatible?.adapter?.(format, variables) ??
      serveAdapter(each.settings, format, options, variables),
    metrics,
    healthPaths: !ownsEveryPath,
    limits: httpLimits(options),
    log: say,
    ...(sinkUrl === undefined
      ? {}
      : { sink: compatible?.sink?.(sinkUrl, say) ?? new Sink(sinkUrl, say) }),
    ...corsRules(options),
    ...(ownsEveryPath ? {} : { lambdaApi }),
  });
}

function observerOf({ name }: FunctionSettings, { log, quiet }: ServeOptions) {
  const isQuiet = quiet === true;
  return log === "json" ? jsonObserver(name, isQuiet) : hostObserver(platformLog(isQuiet));
}

function metricsOf(variables: ServeVariables): Metrics {
  return new Metrics({
    prefix: variables.metricPrefix,
    name: variables.metricName,
    namespace: variables.metricNamespace,
    resourceGroup: variables.resourceGroup,
  });
}

/** Options that one format alone has, and whether they are given. */
const FORMAT_OPTIONS: readonly (readonly [
  option: string,
  format: ServeFormat,
  isGiven: (options: ServeOptions) => boolean,
])[] = [
  ["--ce-input", "cloudevents", ({ ceInput }) => ceInput !== undefined],
  ["--ce-output", "cloudevents", ({ ceOutput }) => ceOutput !== "auto"],
  ["--ce-batch", "cloudevents", ({ ceBatch }) => ceBatch === true],
  ["--require-prefer-reply", "cloudevents", (each) => each.requirePreferReply === true],
  ["--binary-media-types", "rest", (each) => each.binaryMediaTypes !== undefined],
];

/** @throws {CommandError} When an option has no effect, in the format or with its value. */
export function refuseUnused(options: ServeOptions, format: ServeFormat): void {
  const types = options.binaryMediaTypes?.split(",").map((type) => type.trim()) ?? [];
  const wrong = types.find((type) => !MEDIA_TYPE.test(type));
  if (wrong !== undefined) {
    throw new CommandError(
      `--binary-media-types: "${wrong}" is not a media type\n` +
        "  write types with commas between them: 'image/*, font/woff'",
    );
  }
  for (const [option, wanted, isGiven] of FORMAT_OPTIONS) {
    if (wanted === format || !isGiven(options)) continue;
    throw new CommandError(
      `${option} has no effect with the format ${format}\n  add --format ${wanted}, or leave it out`,
    );
  }
}

const MEDIA_TYPE = /^(?:\*\/\*|[\w!#$&^.+-]+\/(?:\*|[\w!#$&^.+-]+))$/;

/**
 * The time of `--grace`, in milliseconds.
 * @throws {CommandError} When it is not a duration.
 */
export function graceMs(text: string): number {
  const ms = parseTime(text);
  if (ms === undefined)
    throw new CommandError(
      `--grace: "${text}" is not a duration: 10, 500ms, 1m30s${timeFix(text, 0, Infinity)}`,
    );
  return ms;
}

/** Bounds of `--stall-timeout`, in milliseconds. */
const STALL_MS_MIN = 100;
const STALL_MS_MAX = 86_400_000;

/**
 * How the server of `serve` or `dev` is bounded.
 * @throws {CommandError} When an option is not what it should be.
 */
export function httpLimits({ heldMemory, stallTimeout }: ServeOptions): HttpServerLimits {
  const stallMs = parseTime(stallTimeout);
  if (stallMs === undefined || stallMs < STALL_MS_MIN || stallMs > STALL_MS_MAX) {
    const words = `--stall-timeout: "${stallTimeout}" is not a duration between 100ms and 24h`;
    throw new CommandError(words + timeFix(stallTimeout, STALL_MS_MIN, STALL_MS_MAX));
  }
  return { heldBytesMax: heldBytes(heldMemory), stallMs };
}

/** Most that `--held-memory` may be, in MB. */
const HELD_MEMORY_MB_MAX = 1024 * 1024;

/**
 * The bytes of `--held-memory`.
 * @throws {CommandError} When it is not a number of megabytes.
 */
function heldBytes(text: string): number {
  const mb = Number(text);
  if (/^\d+$/.test(text) && mb >= 1 && mb <= HELD_MEMORY_MB_MAX) return mb * BYTES_PER_MB;
  throw new CommandError(
    `--held-memory: "${text}" is not a whole number of MB from 1 to ${HELD_MEMORY_MB_MAX}` +
      megabytesFix(text, 1, HELD_MEMORY_MB_MAX),
  );
}

/**
 * The number of `--async-retries`, with Lambda's bounds.
 * @throws {CommandError} When it is not such a number.
 */
export function asyncRetries(text: string): number {
  const retries = Number(text);
  if (/^\d+$/.test(text) && retries <= ASYNC_RETRIES) return retries;
  throw new CommandError(
    `--async-retries: "${text}" is not a whole number from 0 to ${ASYNC_RETRIES}`,
  );
}

/** Where responses are sent on; nothing when nobody says, or the variable is empty. */
function sinkAddress(option: string | undefined, variable: string | undefined) {
  const text = option ?? variable;
  if (text === undefined || text === "") return undefined;
  const [source, example] = option === undefined ? ["K_SINK", "K_SINK="] : ["--sink", "--sink "];
  reachDirectly(requireHttpUrl(text, source, `${example}http://broker.example/events`));
  return text;
}

/** What Lambda's API needs of the options. */
export function lambdaApiOptions(options: ServeOptions, log: HostLog) {
  return {
    asyncRetries: asyncRetries(options.asyncRetries),
    invokeMode: options.invokeMode,
    showVariables: options.showEnv === true,
    log,
  };
}

function readVariables(): ServeVariables {
  const read = serveVariables(process.env);
  if (read.kind === "invalid") throw new CommandError(read.message);
  return read.settings;
}

/** Time for an event in a container that sets RESPONSE_FORMAT. */
const FORMAT_TIMEOUT = "10s";
const DEFAULT_WORKERS = "4";

/** The variables that stand for options. */
const SETTING_VARIABLES = {
  name: "AWS_LAMBDA_FUNCTION_NAME",
  timeout: "FUNCTION_TTL",
  workers: "INVOKER_COUNT",
} as const;

function serveDefaults(
  compatible: ServerCompat | undefined,
  variables: ServeVariables,
): SettingsDefaults {
  const {
    name = variables.name,
    timeout = variables.timeout ?? (variables.format === undefined ? undefined : FORMAT_TIMEOUT),
    ...defaults
  } = compatible?.defaults(process.env) ?? {};
  return {
    ...defaults,
    ...(variables.handler === undefined ? {} : { handler: variables.handler }),
    ...(name === undefined ? {} : { name: variables.name ?? name }),
    ...(timeout === undefined ? {} : { timeout }),
    workers: variables.workers ?? DEFAULT_WORKERS,
    inheritEnvironment: variables.ownsEnvironment || compatible !== undefined,
    variables: { ...SETTING_VARIABLES, ...defaults.variables },
  };
}

/** The metrics' own port; a port that is taken is not a reason not to serve. */
async function serveMetrics(metrics: Metrics, address: string, port: number): Promise<() => void> {
  if (port === 0) return () => undefined;
  const response = () => metricsResponse(metrics);
  const server = new HttpServer({
    route: () => ({ bodyBytesMax: 0, tooLarge: response(), noRoom: response, respond: response }),
    log: say,
  });
  try {
    await server.listen(address, port);
  } catch (error) {
    const why = listenFault(error, address, port, "--metrics-port");
    say("warning", `metrics are at /_lambda-shell/metrics only: ${why}`);
  }
  return () => server.close();
}
