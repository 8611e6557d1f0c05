/**
 * `lambda-shell dev`: everything on one port, reloaded as you type.
 *
 * @module
 */

import { type Command, Option } from "commander";

import packageJson from "../../../package.json" with { type: "json" };
import { serveAdapter } from "../../host/front/select.ts";
import { FunctionPool } from "../../host/function/function-pool.ts";
import { FunctionRegistry } from "../../host/function/function-registry.ts";
import { Metrics } from "../../host/function/metrics.ts";
import { type HttpResponse, jsonResponse } from "../../host/http/message.ts";
import { parseRoute, type Route, RouteTable } from "../../host/http/route-table.ts";
import type { FunctionSettings } from "../../host/invocation/settings.ts";
import { HostServer } from "../../host/server.ts";
import { rememberOutput } from "../../own-log.ts";
import { sayHints } from "../check.ts";
import { endWithOutput, type StopSignal, stopSignal } from "../cli/ending.ts";
import { CommandError, EXIT } from "../cli/exit-status.ts";
import { collected, splitFolders } from "../cli/options.ts";
import { available } from "../cli/suggest.ts";
import { printMessagesAsJson, say } from "../cli/terminal.ts";
import { folderFiles } from "../function/files.ts";
import { startFiles } from "../function/handler.ts";
import { addFunctionOptions, functionSettings } from "../function/options.ts";
import { listenOrExplain, portNumber } from "../serve/listen.ts";
import { countedObserver, devObserver, jsonObserver } from "../serve/observers.ts";
import {
  addHttpOptions,
  corsRules,
  graceMs,
  httpLimits,
  lambdaApiOptions,
  refuseUnused,
  type ServeOptions,
} from "../serve/serve.ts";
import { serveVariables } from "../serve/variables.ts";
import { ATTACHED_TIMEOUT, attachedPort, type AttachOptions, exportLines } from "./attach.ts";
import { untilReady, watchFunction } from "./reload.ts";
import type { FolderWatch } from "./watch.ts";

interface DevOptions extends ServeOptions, AttachOptions {
  readonly format?: DevFormat;
  readonly watch: boolean;
  readonly route?: readonly string[];
}

/** Forms of the requests that are neither Lambda's API nor the host's own, and what people call them. */
const FRONT_ENDS = {
  "function-url": "Function URL",
  "http-api-v2": "HTTP API",
  "http-api-v1": "HTTP API",
  rest: "REST API",
  cloudevents: "CloudEvents",
} as const;
type DevFormat = keyof typeof FRONT_ENDS;

const DEFAULT_PORT = 9000;

/** One execution environment, and more only while events would wait. */
const DEFAULT_WORKERS = "1:10";

/** Adds the command to the program. */
export function addDevCommand(program: Command): void {
  const command = program
    .command("dev")
    .summary("serve on one port with hot reload and readable logs")
    .description(
      "Serve functions on 127.0.0.1:9000 and reload them when their files change:\n" +
        "Function URL on every path, Lambda's API for the aws command and SDKs.",
    )
    .argument("[dirs...]", "folders of functions (default: .)")
    .option("--host <address>", "address to bind", "127.0.0.1")
    .option("--port <n>", "port, 0 for any free one", String(DEFAULT_PORT))
    .addOption(
      new Option(
        "--format <form>",
        "form of events (default: function-url; with --route http-api-v2)",
      ).choices(Object.keys(FRONT_ENDS)),
    )
    .addOption(collected("--route <route>", "function of a path, as in 'GET /x/{id}=hello'"))
    .option("--no-watch", "do not reload")
    .option("--attach [port]", "start no runtime, wait for one on this port (default: 9001)");
  addHttpOptions(addFunctionOptions(command, DEFAULT_WORKERS)).action(
    async (_dirs, options: DevOptions) => {
      const { directories, bootstrap } = splitFolders(command);
      process.exitCode = await dev(directories, bootstrap, options);
    },
  );
}

async function dev(
  directories: readonly string[],
  bootstrap: readonly string[],
  options: DevOptions,
): Promise<number> {
  if (options.log === "json") printMessagesAsJson();
  rememberOutput();
  const port = portNumber([["--port", options.port]], DEFAULT_PORT);
  const grace = graceMs(options.grace);
  refuseUnused(options, formatOf(options));
  const metrics = new Metrics({
    prefix: "function",
    name: "",
    namespace: "",
    resourceGroup: "local",
  });
  const attached = await attachedPort(options, directories, bootstrap);
  const observer = ({ name }: FunctionSettings) => {
    const log = options.log === "json" ? jsonObserver(name, options.quiet === true) : devObserver();
    return countedObserver(log, metrics);
  };
  const read = (directory: string) =>
    functionSettings(directory, bootstrap, options, {
      workers: DEFAULT_WORKERS,
      ...(attached === undefined
        ? {}
        : { attachedPort: attached, workers: "1", timeout: ATTACHED_TIMEOUT }),
    });
  const pools = directories.map((directory) => {
    const settings = read(directory);
    return new FunctionPool(settings, observer(settings), startFiles);
  });
  assertNamedApart(pools, directories);
  metrics.watch(pools);
  const registry = new FunctionRegistry(pools);
  const server = devServer(registry, metrics, options);
  const stop = stopSignal(() => killAll(pools));
  await listenOrExplain(server, options.host ?? "127.0.0.1", port);
  endWithOutput(() => killAll(pools));
  const startedAtMs = performance.now();
  for (const pool of pools) pool.start();
  banner(pools, server.baseUrl, options);
  const watches = options.watch && attached === undefined ? pools.map(watchOne) : [];
  // Not after the hints: to find them takes longer than to start.
  const waited = attached === undefined ? untilReady(pools) : Promise.resolve();
  const firstReady = waited.then(() => performance.now() - startedAtMs);
  for (const pool of pools) await sayHints(pool.settings);
  if (attached !== undefined) sayAttachable(pools, attached);
  else await Promise.race([sayReady(pools, watches, stop, startedAtMs, firstReady), stop.arrived]);
  await stop.arrived;
  await server.drain(grace);
  for (const watch of watches) watch.close();
  return EXIT.ok;

  function watchOne(pool: FunctionPool, at: number): FolderWatch {
    return watchFunction(pool, options, () => read(directories[at] ?? "."));
  }
}

/** @throws {CommandError} When two have one name, so that callers could reach only one of them. */
function assertNamedApart(pools: readonly FunctionPool[], directories: readonly string[]): void {
  const folders = new Map<string, string | undefined>();
  for (const [at, { settings }] of pools.entries()) {
    const { name } = settings;
    if (folders.has(name)) {
      throw new CommandError(
        `two functions are named "${name}": ${folders.get(name)}, ${directories[at]}\n` +
          "  rename a folder, or run one of them by itself: lambda-shell dev DIR --port 9001",
      );
    }
    folders.set(name, directories[at]);
  }
}

async function sayReady(
  pools: readonly FunctionPool[],
  watches: readonly FolderWatch[],
  stop: StopSignal,
  startedAtMs: number,
  firstReady: Promise<number>,
): Promise<void> {
  const readyMs = Math.round(await firstReady);
  await Promise.all(watches.map(({ ready }) => ready));
  if (stop.hasArrived()) return;
  const files = pools.reduce(
    (sum, { settings }) => sum + folderFiles(settings.directory).length,
    0,
  );
  const workers = () =>
    plural(
      pools.reduce((sum, { counts }) => sum + counts.ready + counts.busy, 0),
      "worker",
    );
  const watching = watches.length > 0 ? `watching ${plural(files, "file")} · ` : "";
  const isReady = pools.every(({ counts }) => counts.ready + counts.busy > 0);
  const ready = isReady ? `${workers()} ready in ${readyMs} ms` : "no worker ready yet";
  say("info", `${watching}${ready} · Ctrl-C to stop`);
  if (isReady) return;
  await untilReady(pools, () => stop.hasArrived());
  const lateMs = Math.round(performance.now() - startedAtMs);
  if (!stop.hasArrived()) say("info", `${workers()} ready in ${lateMs} ms`);
}

function sayAttachable(pools: readonly FunctionPool[], port: number): void {
  for (const { settings } of pools) say("info", exportLines(settings, port));
  say("info", "start your runtime with these variables; events wait for it · Ctrl-C to stop");
}

function formatOf({ format, route }: DevOptions): DevFormat {
  return format ?? (route === undefined ? "function-url" : "http-api-v2");
}

function devServer(registry: FunctionRegistry, metrics: Metrics, options: DevOptions): HostServer {
  const format = formatOf(options);
  const names = registry.pools.map(({ settings }) => settings.name);
  const variables = serveVariables({});
  if (variables.kind === "invalid") throw new CommandError(variables.message);
  return new HostServer({
    registry,
    adapter: ({ settings }) => serveAdapter(settings, format, options, variables.settings),
    lambdaApi: lambdaApiOptions(options, say),
    metrics,
    ...corsRules(options),
    ...(options.route === undefined
      ? {}
      : {
          routes: routeTable(options.route, names, format === "rest"),
          unrouted: unroutedResponse(format),
        }),
    healthPaths: false,
    limits: httpLimits(options),
    log: say,
  });
}

function killAll(pools: readonly FunctionPool[]): void {
  for (const pool of pools) pool.kill();
}

function banner(pools: readonly FunctionPool[], baseUrl: string, options: DevOptions): void {
  const { route: routes } = options;
  const label = FRONT_ENDS[formatOf(options)].padEnd(LABEL_LENGTH);
  for (const [at, { settings }] of pools.entries()) {
    const { name, handler, runtime, memoryMb, timeoutMs } = settings;
    const bounds = `${memoryMb} MB, ${timeoutMs / 1000} s`;
    say(
      "info",
      `lambda-shell ${packageJson.version}  ${name}  (${handler}, ${runtime}, ${bounds})`,
    );
    say(
      "info",
      `  ${label}${baseUrl}${at === 0 && routes === undefined ? "/" : `/lambda-url/${name}/`}`,
    );
    say("info", `  Invoke API     ${baseUrl}/2015-03-31/functions/${name}/invocations`);
  }
  for (const route of routes ?? []) say("info", `  Route          ${route}`);
  say("info", `  AWS CLI        export AWS_ENDPOINT_URL_LAMBDA=${baseUrl}`);
}

/** Width of what stands before an address. */
const LABEL_LENGTH = "Function URL   ".length;

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Reads the routes.
 * @param names Functions that are served.
 * @throws {CommandError} When one is not a route, is a duplicate, or leads nowhere.
 */
function routeTable(
  texts: readonly string[],
  names: readonly string[],
  isRest: boolean,
): RouteTable {
  const routes = new Map<string, Route>();
  for (const text of texts) {
    const route = parseRoute(text);
    if (route === undefined) {
      throw new CommandError(
        `--route ${text}: not a route\n  write it as --route 'GET /x/{id}=function'`,
      );
    }
    if (routes.has(route.key)) throw new CommandError(`--route ${route.key}: duplicate route`);
    if (!names.includes(route.functionName)) {
      const hint = available(route.functionName, names);
      throw new CommandError(
        `--route ${text}: function "${route.functionName}" not found\n${hint}`,
      );
    }
    routes.set(route.key, route);
  }
  return new RouteTable([...routes.values()], isRest);
}

/** What a gateway says to a path that it does not know. */
function unroutedResponse(format: DevFormat): HttpResponse {
  if (format !== "rest") return jsonResponse(404, { message: "Not Found" });
  return jsonResponse(403, { message: "Missing Authentication Token" }, [
    ["x-amzn-ErrorType", "MissingAuthenticationTokenException"],
  ]);
}
