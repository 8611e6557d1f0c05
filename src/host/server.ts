/**
 * One port for everything: Lambda's API, health and metrics, and the adapter for all other
 * requests.
 *
 * @module
 */

import { PATH } from "../runtime-api/contract.ts";
import type { Adapter, EventLabels } from "./front/adapter.ts";
import { INVOKE_HEADER } from "./front/lambda-api/contract.ts";
import { type LambdaApiOptions, lambdaRoute } from "./front/lambda-api/lambda-api.ts";
import type { ReplySink } from "./front/sink.ts";
import type { FunctionHost } from "./function/function-pool.ts";
import type { FunctionRegistry } from "./function/function-registry.ts";
import type { Metrics } from "./function/metrics.ts";
import type { Cors } from "./http/cors.ts";
import { type HttpReply, type HttpRequest, jsonReply, textReply } from "./http/message.ts";
import { DEFAULT_KEY, type RouteTable } from "./http/route-table.ts";
import { type HttpHandler, type HttpRoute, HttpServer, type RequestHead } from "./http/server.ts";
import type { InvocationOutcome } from "./invocation/outcome.ts";

/** What one port serves. */
export interface HostServerOptions {
  readonly registry: FunctionRegistry;
  /** Makes the adapter for a function; one for each. */
  readonly adapter: (host: FunctionHost) => Adapter;
  /** Absent when every path is the function's. */
  readonly lambdaApi?: Omit<LambdaApiOptions, "baseUrl" | "registry">;
  readonly metrics: Metrics;
  readonly sink?: ReplySink;
  readonly cors?: Cors;
  /** Paths that lead to functions; absent, every path is the default function's. */
  readonly routes?: RouteTable;
  /** What a path gets that no route takes. */
  readonly unrouted?: HttpReply;
  /** Whether `/health/…` belongs to the host, as Knative's probes have it. */
  readonly healthPaths: boolean;
  readonly log: (message: string) => void;
}

/** Paths of this host that no function can have. */
const OWN_PREFIX = "/_lambda-shell/";

/** Path of a function other than the default one. */
const NAMED_URL = /^\/lambda-url\/([A-Za-z0-9-_]+)(\/.*)?$/;

/** Serves the functions of a registry over HTTP. */
export class HostServer implements HttpHandler {
  readonly #options: HostServerOptions;
  readonly #server: HttpServer;
  readonly #adapters = new Map<FunctionHost, Adapter>();
  #baseUrl = "";
  #draining = false;

  constructor(options: HostServerOptions) {
    this.#options = options;
    this.#server = new HttpServer(this);
  }

  /** Address that callers use, once it listens. */
  get baseUrl(): string {
    return this.#baseUrl;
  }

  /** Listens and returns the port. */
  async listen(host: string, port: number): Promise<number> {
    const actual = await this.#server.listen(host, port);
    this.#baseUrl = `http://${host === "0.0.0.0" ? "127.0.0.1" : host}:${actual}`;
    return actual;
  }

  /**
   * Ends in order: not ready any more, no new events, those that run are answered.
   * @param graceMs Longest wait for them, and for callers that read slowly, in milliseconds.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    const untilMs = performance.now() + graceMs;
    const { hosts } = this.#options.registry;
    await Promise.all(hosts.map((host) => host.drain(graceMs)));
    await Promise.all(hosts.map((host) => host.stop()));
    await this.#server.answered(Math.max(0, untilMs - performance.now()));
    this.#server.close();
  }

  log(message: string): void {
    this.#options.log(message);
  }

  route(head: RequestHead): HttpRoute {
    const { registry, lambdaApi, healthPaths } = this.#options;
    if (head.rawPath.startsWith(OWN_PREFIX)) return immediate(this.#own(head));
    if (healthPaths && (head.method === "GET" || head.method === "HEAD")) {
      if (head.rawPath === "/health/liveness") return immediate(textReply(200, "ok\n"));
      if (head.rawPath === "/health/readiness") return immediate(this.#readiness());
    }
    if (head.rawPath === PATH.ping) return immediate(textReply(200, "pong"));
    if (lambdaApi !== undefined) {
      const baseUrl = () => this.#baseUrl;
      const route = lambdaRoute(head, { ...lambdaApi, registry, baseUrl });
      if (route !== undefined) return this.#counted(route);
    }
    return this.#adapted(head);
  }

  #own(head: RequestHead): HttpReply {
    switch (head.rawPath.slice(OWN_PREFIX.length)) {
      case "health":
        return this.#readiness();
      case "metrics":
        return metricsReply(this.#options.metrics);
      case "functions": {
        const names = this.#options.registry.hosts.map(({ settings }) => settings.name);
        return jsonReply(200, { functions: names });
      }
      // Nothing else is ours.
      default:
        return textReply(404, "not found\n");
    }
  }

  #readiness(): HttpReply {
    const { hosts } = this.#options.registry;
    const ready = hosts.every(({ counts }) => counts.ready + counts.busy > 0);
    if (this.#draining) return textReply(503, "draining\n");
    return ready ? textReply(200, "ready\n") : textReply(503, "no environment is ready\n");
  }

  #adapted(head: RequestHead): HttpRoute {
    const { registry, cors, routes, unrouted = textReply(404, "not found\n") } = this.#options;
    const preflight = cors?.preflight(head);
    if (preflight !== undefined) return immediate(preflight);
    const named = NAMED_URL.exec(head.rawPath);
    const route = named === null ? routes?.find(head.method, head.rawPath) : undefined;
    if (routes !== undefined && named === null && route === undefined) return immediate(unrouted);
    const name = route?.functionName ?? named?.[1];
    const lookup = name === undefined ? undefined : registry.find(name, undefined);
    const host = lookup?.kind === "found" ? lookup.host : registry.defaultHost;
    if (host === undefined) return immediate(textReply(404, "there is no function\n"));
    const adapter = this.#adapterFor(host);
    const isNamed = named !== null && lookup?.kind === "found";
    const target = {
      rawPath: isNamed ? (named[2] ?? "/") : head.rawPath,
      // Its events are those of a gateway without routes.
      ...(route === undefined || route.key === DEFAULT_KEY ? {} : { route }),
    };
    return {
      bodyBytesMax: adapter.bodyBytesMax,
      tooLarge: adapter.tooLarge,
      answer: async (request, gone) => {
        const reply = await this.#invoke(host, adapter, { ...request, ...target }, gone);
        return cors === undefined ? reply : cors.apply(request, reply);
      },
    };
  }

  #adapterFor(host: FunctionHost): Adapter {
    const known = this.#adapters.get(host);
    if (known !== undefined) return known;
    const made = this.#options.adapter(host);
    this.#adapters.set(host, made);
    return made;
  }

  async #invoke(
    host: FunctionHost,
    adapter: Adapter,
    request: HttpRequest,
    gone: AbortSignal,
  ): Promise<HttpReply> {
    const { metrics, sink, log } = this.#options;
    const startedAtMs = performance.now();
    const adapted = adapter.toRequest(request);
    if (adapted.kind === "batch") {
      return adapted.run((element, each) => this.#invoke(host, each, element, gone));
    }
    const labels = adapted.kind === "invoke" ? adapted.labels : undefined;
    const [type, source] = labels ?? eventLabels(request);
    const count = (failed: boolean) =>
      metrics.countRequest(type, source, failed, performance.now() - startedAtMs);
    if (adapted.kind === "reply") {
      count(adapted.reply.status >= 400);
      return adapted.reply;
    }
    if (adapted.hint !== undefined) log(adapted.hint);
    const outcome = await host.invoke({ ...adapted.request, signal: gone });
    const reply = await adapter.toReply(outcome, request);
    if (outcome.kind !== "stream") count(isFailure(outcome));
    else void outcome.end.then(({ kind }) => count(kind === "function-error"));
    if (reply.hint !== undefined) log(reply.hint);
    return sink === undefined ? reply : sink.deliver(reply);
  }

  #counted(route: HttpRoute): HttpRoute {
    return {
      ...route,
      answer: async (request, gone) => {
        const startedAtMs = performance.now();
        const reply = await route.answer(request, gone);
        const count = (failed: boolean) => {
          const latencyMs = performance.now() - startedAtMs;
          this.#options.metrics.countRequest(PLAIN_TYPE, UNKNOWN_SOURCE, failed, latencyMs);
        };
        if (reply.failed !== undefined) void reply.failed.then(count);
        else count(reply.status >= 400 || reply.headers.some(isFunctionError));
        return reply;
      },
    };
  }
}

/** What the prior invoker called requests that are no CloudEvents. */
const PLAIN_TYPE = "plain-http";
const UNKNOWN_SOURCE = "unknown";

/** The metrics as a reply. */
export function metricsReply(metrics: Metrics): HttpReply {
  const headers = [["Content-Type", "text/plain; version=0.0.4; charset=utf-8"]] as const;
  return { status: 200, headers, body: metrics.text() };
}

function eventLabels({ headers }: HttpRequest): EventLabels {
  return [headers["ce-type"] ?? PLAIN_TYPE, headers["ce-source"] ?? UNKNOWN_SOURCE];
}

function isFailure(outcome: InvocationOutcome): boolean {
  return outcome.kind === "function-error" || outcome.kind === "rejected";
}

function isFunctionError([name]: HttpReply["headers"][number]): boolean {
  return name === INVOKE_HEADER.functionError;
}

function immediate(reply: HttpReply): HttpRoute {
  return { bodyBytesMax: IGNORED_BODY_BYTES_MAX, tooLarge: reply, answer: () => reply };
}

/** Bytes of a body that nobody looks at. */
const IGNORED_BODY_BYTES_MAX = 64 * 1024;
