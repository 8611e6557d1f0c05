/**
 * One port for everything: Lambda's API, health and metrics, and the adapter for all other
 * requests.
 *
 * @module
 */

import { PATH } from "../runtime-api/contract.ts";
import type { Adapter, EventLabels } from "./front/adapter.ts";
import { type LambdaApiOptions, lambdaRoute } from "./front/lambda-api/lambda-api.ts";
import type { ResponseSink } from "./front/sink.ts";
import type { FunctionPool } from "./function/function-pool.ts";
import type { FunctionRegistry } from "./function/function-registry.ts";
import type { Metrics } from "./function/metrics.ts";
import type { Cors } from "./http/cors.ts";
import { type HttpRequest, type HttpResponse, jsonResponse, textResponse } from "./http/message.ts";
import { DEFAULT_KEY, type RouteTable } from "./http/route-table.ts";
import {
  type Caller,
  type HttpHandler,
  type HttpRoute,
  HttpServer,
  type HttpServerLimits,
  type RequestHead,
} from "./http/server.ts";
import { type InvocationOutcome, StreamFailure } from "./invocation/outcome.ts";
import type { HostLog } from "./invocation/platform-log.ts";

/** What one port serves. */
export interface HostServerOptions {
  readonly registry: FunctionRegistry;
  /** Makes the adapter for a function; one for each. */
  readonly adapter: (pool: FunctionPool) => Adapter;
  /** Absent when every path is the function's. */
  readonly lambdaApi?: Omit<LambdaApiOptions, "baseUrl" | "registry">;
  readonly metrics: Metrics;
  readonly sink?: ResponseSink;
  readonly cors?: Cors;
  /** Paths that lead to functions; absent, every path is the default function's. */
  readonly routes?: RouteTable;
  /** What a path gets that no route takes. */
  readonly unrouted?: HttpResponse;
  /** Whether `/health/…` belongs to the host, as Knative's probes have it. */
  readonly healthPaths: boolean;
  readonly limits?: HttpServerLimits;
  readonly log: HostLog;
}

/** Paths of this host that no function can have. */
const OWN_PREFIX = "/_lambda-shell/";

/** Path of a function other than the default one. */
const NAMED_URL = /^\/lambda-url\/([A-Za-z0-9-_]+)(\/.*)?$/;

/** What callers on this computer write in place of an address that stands for all. */
const CALLABLE: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** A host with its port as it stands in a URL: an address of IPv6 in brackets. */
export function hostAndPort(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Serves the functions of a registry over HTTP. */
export class HostServer implements HttpHandler {
  readonly #options: HostServerOptions;
  readonly #server: HttpServer;
  readonly #adapters = new Map<FunctionPool, Adapter>();
  #baseUrl = "";
  #draining = false;

  constructor(options: HostServerOptions) {
    this.#options = options;
    this.#server = new HttpServer(this, options.limits);
  }

  /** Address that callers use, once it listens. */
  get baseUrl(): string {
    return this.#baseUrl;
  }

  /** Listens and returns the port. */
  async listen(host: string, port: number): Promise<number> {
    const actual = await this.#server.listen(host, port);
    this.#baseUrl = `http://${hostAndPort(CALLABLE[host] ?? host, actual)}`;
    return actual;
  }

  /**
   * Ends in order: not ready any more, no new events, those that run get their responses.
   * @param graceMs Longest wait for them, and for callers that read slowly, in milliseconds.
   */
  async drain(graceMs: number): Promise<void> {
    this.#draining = true;
    const untilMs = performance.now() + graceMs;
    const { pools } = this.#options.registry;
    await Promise.all(pools.map((pool) => pool.drain(graceMs)));
    await Promise.all(pools.map((pool) => pool.stop()));
    await this.#server.responsesTaken(Math.max(0, untilMs - performance.now()));
    this.#server.close();
  }

  get log(): HostLog {
    return this.#options.log;
  }

  route(head: RequestHead): HttpRoute {
    const { registry, lambdaApi, healthPaths } = this.#options;
    if (head.rawPath.startsWith(OWN_PREFIX)) return immediate(this.#own(head));
    if (healthPaths && (head.method === "GET" || head.method === "HEAD")) {
      if (head.rawPath === "/health/liveness") return immediate(textResponse(200, "ok\n"));
      if (head.rawPath === "/health/readiness") return immediate(this.#readiness());
    }
    if (head.rawPath === PATH.ping) return immediate(textResponse(200, "pong"));
    if (lambdaApi !== undefined) {
      const baseUrl = () => this.#baseUrl;
      const route = lambdaRoute(head, { ...lambdaApi, registry, baseUrl });
      if (route !== undefined) return this.#counted(route);
    }
    return this.#adapted(head);
  }

  #own(head: RequestHead): HttpResponse {
    switch (head.rawPath.slice(OWN_PREFIX.length)) {
      case "health":
        return this.#readiness();
      case "metrics":
        return metricsResponse(this.#options.metrics);
      case "functions": {
        const names = this.#options.registry.pools.map(({ settings }) => settings.name);
        return jsonResponse(200, { functions: names });
      }
      // Nothing else is ours.
      default:
        return textResponse(404, "not found\n");
    }
  }

  #readiness(): HttpResponse {
    const { pools } = this.#options.registry;
    const ready = pools.every(({ counts }) => counts.ready + counts.busy > 0);
    if (this.#draining) return textResponse(503, "draining\n");
    return ready ? textResponse(200, "ready\n") : textResponse(503, "no environment is ready\n");
  }

  #adapted(head: RequestHead): HttpRoute {
    const { registry, cors, routes, unrouted = textResponse(404, "not found\n") } = this.#options;
    const preflight = cors?.preflight(head);
    if (preflight !== undefined) return immediate(preflight);
    const named = NAMED_URL.exec(head.rawPath);
    const route = named === null ? routes?.find(head.method, head.rawPath) : undefined;
    if (routes !== undefined && named === null && route === undefined) return immediate(unrouted);
    const name = route?.functionName ?? named?.[1];
    const lookup = name === undefined ? undefined : registry.find(name, undefined);
    if (named !== null && lookup?.kind !== "found" && registry.pools.length > 1) {
      const names = registry.pools.map(({ settings }) => settings.name).join(", ");
      return immediate(textResponse(404, `function "${name}" not found\n  available: ${names}\n`));
    }
    const pool = lookup?.kind === "found" ? lookup.pool : registry.defaultPool;
    if (pool === undefined) return immediate(textResponse(404, "no function is served here\n"));
    const adapter = this.#adapterFor(pool);
    const isNamed = named !== null && lookup?.kind === "found";
    const target = {
      rawPath: isNamed ? (named[2] ?? "/") : head.rawPath,
      // Its events are those of a gateway without routes.
      ...(route === undefined || route.key === DEFAULT_KEY ? {} : { route }),
    };
    return {
      bodyBytesMax: adapter.bodyBytesMax,
      tooLarge: adapter.tooLarge,
      noRoom: () => {
        const request = { ...head, ...target, body: new Uint8Array(0) };
        return adapter.toResponse({ kind: "rejected", reason: "queue-full" }, request);
      },
      respond: async (request, caller) => {
        const response = await this.#invoke(pool, adapter, { ...request, ...target }, caller);
        return cors === undefined ? response : cors.apply(request, response);
      },
    };
  }

  #adapterFor(pool: FunctionPool): Adapter {
    const known = this.#adapters.get(pool);
    if (known !== undefined) return known;
    const made = this.#options.adapter(pool);
    this.#adapters.set(pool, made);
    return made;
  }

  async #invoke(
    pool: FunctionPool,
    adapter: Adapter,
    request: HttpRequest,
    caller: Caller,
  ): Promise<HttpResponse> {
    const { metrics, sink, log } = this.#options;
    const startedAtMs = performance.now();
    const adapted = adapter.toRequest(request);
    if (adapted.kind === "batch") {
      return adapted.run((element, each) => this.#invoke(pool, each, element, caller));
    }
    const labels = adapted.kind === "invoke" ? adapted.labels : undefined;
    const [type, source] = labels ?? eventLabels(request);
    const count = (failed: boolean) =>
      metrics.countRequest(type, source, failed, performance.now() - startedAtMs);
    if (adapted.kind === "response") {
      count(adapted.response.status >= 400);
      return adapted.response;
    }
    if (adapted.log !== undefined) log(adapted.log.level, adapted.log.message);
    const outcome = await pool.invoke({ ...adapted.request, signal: caller.gone });
    if (outcome.kind !== "stream") count(isFailure(outcome));
    else void outcome.end.then(({ kind }) => count(kind === "function-error"));
    const respond = async (to: InvocationOutcome) => {
      const response = await adapter.toResponse(to, request);
      if (response.log !== undefined) log(response.log.level, response.log.message);
      return response;
    };
    try {
      const response = await respond(outcome);
      if (sink === undefined) return response;
      return await sink.deliver(response, caller.hold).finally(() => caller.hold(0));
    } catch (error) {
      if (!(error instanceof StreamFailure)) throw error;
      // Nothing has been sent of it yet, so that its error can be the response.
      return respond(error.end);
    }
  }

  #counted(route: HttpRoute): HttpRoute {
    return {
      ...route,
      respond: async (request, caller) => {
        const startedAtMs = performance.now();
        const response = await route.respond(request, caller);
        const count = (failed: boolean) => {
          const latencyMs = performance.now() - startedAtMs;
          this.#options.metrics.countRequest(PLAIN_TYPE, UNKNOWN_SOURCE, failed, latencyMs);
        };
        void Promise.resolve(response.failed ?? response.status >= 400).then(count);
        return response;
      },
    };
  }
}

/** What TriggerMesh's invoker called requests that are not CloudEvents. */
const PLAIN_TYPE = "plain-http";
const UNKNOWN_SOURCE = "unknown";

/** The metrics as a response. */
export function metricsResponse(metrics: Metrics): HttpResponse {
  const headers = [["Content-Type", "text/plain; version=0.0.4; charset=utf-8"]] as const;
  return { status: 200, headers, body: metrics.text() };
}

function eventLabels({ headers }: HttpRequest): EventLabels {
  return [headers["ce-type"] ?? PLAIN_TYPE, headers["ce-source"] ?? UNKNOWN_SOURCE];
}

function isFailure(outcome: InvocationOutcome): boolean {
  return outcome.kind === "function-error" || outcome.kind === "rejected";
}

function immediate(response: HttpResponse): HttpRoute {
  return {
    bodyBytesMax: IGNORED_BODY_BYTES_MAX,
    tooLarge: response,
    noRoom: () => response,
    respond: () => response,
  };
}

/** Bytes of a body that nobody looks at. */
const IGNORED_BODY_BYTES_MAX = 64 * 1024;
