/**
 * A host with one function for tests: real port, real processes, ended with the test.
 *
 * @module
 */

import { join } from "node:path";

import type { Adapter } from "../../host/front/adapter.ts";
import { gatewayAdapter } from "../../host/front/gateway/adapter.ts";
import { type GatewayKind, REST_STAGE } from "../../host/front/gateway/kinds.ts";
import { FunctionPool, type PoolObserver } from "../../host/function/function-pool.ts";
import { FunctionRegistry } from "../../host/function/function-registry.ts";
import { Metrics } from "../../host/function/metrics.ts";
import type { HostLog } from "../../host/invocation/platform-log.ts";
import { DEFAULT_SETTINGS, type FunctionSettings } from "../../host/invocation/settings.ts";
import { HostServer, type HostServerOptions } from "../../host/server.ts";

/** Root of the checkout. */
export const ROOT = join(import.meta.dir, "..", "..", "..");

/** The runtime client that does what its event says, in `fixtures/bootstraps`. */
export const SCRIPTED = [
  process.execPath,
  join(ROOT, "fixtures", "bootstraps", "scripted", "bootstrap.ts"),
] as const;

/** Names that a gateway puts into its events in tests. */
export const TEST_NAMES = {
  apiId: "local",
  accountId: "123456789012",
  region: "us-east-1",
  stage: REST_STAGE,
  binaryMediaTypes: ["image/*"],
} as const;

/** Settings for tests: the scripted client, generous times. */
export function testSettings(overrides: Partial<FunctionSettings> = {}): FunctionSettings {
  return {
    ...DEFAULT_SETTINGS,
    name: "probe",
    directory: ROOT,
    command: SCRIPTED,
    handler: "function.handler",
    timeoutMs: 10_000,
    ...overrides,
  };
}

/** A host that runs; `await using` ends it. */
export interface RunningHost extends AsyncDisposable {
  readonly pool: FunctionPool;
  readonly url: string;
  readonly messages: readonly string[];
  readonly log: () => string;
  /** Ends it as a signal does. */
  readonly drain: (graceMs: number) => Promise<void>;
}

/** What a test serves. */
export interface RunningHostOptions {
  readonly settings?: Partial<FunctionSettings>;
  readonly adapter?: Adapter;
  readonly gateway?: GatewayKind;
  readonly server?: Partial<HostServerOptions>;
}

/** Starts a host with a server in front of it. */
export async function serveFunction(options: RunningHostOptions = {}): Promise<RunningHost> {
  const messages: string[] = [];
  const chunks: Uint8Array[] = [];
  const observer: PoolObserver = { onLog: (chunk) => void chunks.push(chunk) };
  const pool = new FunctionPool(testSettings(options.settings), observer);
  const adapter = options.adapter ?? gatewayAdapter(options.gateway ?? "function-url", TEST_NAMES);
  const log: HostLog = (level, message) => void messages.push(`${level}: ${message}`);
  const metrics = new Metrics({
    prefix: "function",
    name: "",
    namespace: "",
    resourceGroup: "test",
  });
  metrics.watch([pool]);
  const server = new HostServer({
    registry: new FunctionRegistry([pool]),
    adapter: () => adapter,
    lambdaApi: {
      asyncRetries: 2,
      invokeMode: "buffered",
      showVariables: false,
      log,
    },
    metrics,
    healthPaths: true,
    log,
    ...options.server,
  });
  await server.listen("127.0.0.1", 0);
  pool.start();
  return {
    pool,
    url: server.baseUrl,
    messages,
    log: () => Buffer.concat(chunks).toString(),
    drain: (graceMs) => server.drain(graceMs),
    [Symbol.asyncDispose]: () => server.drain(0),
  };
}
