/**
 * Chooses the adapter of `serve` and `dev`.
 *
 * @module
 */

import { EVENT_BYTES_MAX } from "../../runtime-api/contract.ts";
import { triggermeshAdapter } from "../adapters/triggermesh-compat.ts";
import type { FunctionSettings } from "../invocation/settings.ts";
import type { Adapter, InvokeMode } from "./adapter.ts";
import { cloudEventsAdapter } from "./cloud-events/adapter.ts";
import type { CloudEventDefaults } from "./cloud-events/wrap.ts";
import { gatewayAdapter } from "./gateway/adapter.ts";
import { type GatewayNames, REST_STAGE } from "./gateway/kinds.ts";
import { plainAdapter } from "./plain.ts";

/** How requests become events and responses become replies. */
export type ServeFormat =
  "plain" | "cloudevents" | "api-gateway" | "function-url" | "http-api-v2" | "http-api-v1" | "rest";

/** All formats, for the command line. */
export const SERVE_FORMATS = [
  "plain",
  "cloudevents",
  "api-gateway",
  "function-url",
  "http-api-v2",
  "http-api-v1",
  "rest",
] as const satisfies readonly ServeFormat[];

/** Prior hosts whose answers can be given. */
export type Compat = "rie" | "triggermesh";

/** The prior invoker's limit, in bytes. */
const TRIGGERMESH_BODY_BYTES_MAX = 5_000_000;

const CE_TYPE = "ce.klr.triggermesh.io";
const CE_SOURCE = "knative-lambda-runtime";

/** What an adapter is chosen by. */
export interface AdapterOptions {
  readonly compat?: Compat;
  readonly sink?: string;
  readonly ceInput?: "event" | "data";
  readonly ceOutput: "auto" | "structured" | "binary" | "none";
  readonly ceBatch?: boolean;
  readonly requirePreferReply?: boolean;
  readonly invokeMode: InvokeMode;
}

/** What the variables of a container say of it. */
export interface FrontVariables {
  readonly format?: ServeFormat;
  readonly sink?: string;
  readonly bodyBytesMax?: number;
  readonly ceType?: string;
  readonly ceSource?: string;
  readonly ceSubject?: string;
  readonly responseMode: "data" | "event";
}

/** Events that may wait where callers wait for their turn instead of being refused. */
const BLOCKING_QUEUE_MAX = 1_000_000;

/**
 * Settings as a prior host has them: the invoker lets a caller wait for its turn, counts the wait
 * as the event's time, and numbers its bootstraps.
 */
export function withPriorHost(
  settings: FunctionSettings,
  options: { readonly compat?: Compat; readonly queue?: string; readonly queueTimeout?: string },
): FunctionSettings {
  if (options.compat !== "triggermesh") return settings;
  return {
    ...settings,
    numbered: true,
    ...(options.queue === undefined ? { queueMax: BLOCKING_QUEUE_MAX } : {}),
    ...(options.queueTimeout === undefined ? { queueTimeoutMs: settings.timeoutMs } : {}),
  };
}

/** The adapter for a function in a format. */
export function serveAdapter(
  settings: FunctionSettings,
  format: ServeFormat,
  options: AdapterOptions,
  prior: FrontVariables,
): Adapter {
  const defaults: CloudEventDefaults = {
    type: prior.ceType ?? CE_TYPE,
    source: prior.ceSource ?? CE_SOURCE,
    subject: prior.ceSubject,
  };
  if (options.compat === "triggermesh") {
    return triggermeshAdapter({
      cloudEvents: format === "cloudevents",
      defaults,
      responseMode: prior.responseMode,
      bodyBytesMax: prior.bodyBytesMax ?? TRIGGERMESH_BODY_BYTES_MAX,
    });
  }
  const bodyBytesMax = Math.min(prior.bodyBytesMax ?? EVENT_BYTES_MAX, EVENT_BYTES_MAX);
  switch (format) {
    case "plain":
      return plainAdapter(bodyBytesMax);
    case "cloudevents":
      return cloudEventsAdapter({
        defaults,
        // Those who set RESPONSE_FORMAT have functions that expect the data alone.
        input: options.ceInput ?? (prior.format === undefined ? "event" : "data"),
        output: options.ceOutput,
        responseMode: prior.responseMode,
        bodyBytesMax,
        batch: options.ceBatch === true,
        // What goes to a sink is no reply to the sender.
        requirePreferReply: options.requirePreferReply === true && !(options.sink ?? prior.sink),
      });
    case "api-gateway":
    case "function-url":
    case "http-api-v2":
    case "http-api-v1":
    case "rest": {
      const adapter = gatewayAdapter(format, gatewayNames(settings), options.invokeMode);
      const asked = prior.bodyBytesMax ?? adapter.bodyBytesMax;
      return { ...adapter, bodyBytesMax: Math.min(asked, adapter.bodyBytesMax) };
    }
  }
}

/** What a gateway in front of the function calls itself. */
export function gatewayNames(
  settings: Pick<FunctionSettings, "accountId" | "region">,
): GatewayNames {
  return {
    apiId: "local",
    accountId: settings.accountId,
    region: settings.region,
    stage: REST_STAGE,
    binaryMediaTypes: [],
  };
}
