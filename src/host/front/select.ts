/**
 * Chooses the adapter of `serve` and `dev`.
 *
 * @module
 */

import { EVENT_BYTES_MAX } from "../../runtime-api/contract.ts";
import type { FunctionSettings } from "../invocation/settings.ts";
import { type Adapter, type InvokeMode, plainAdapter } from "./adapter.ts";
import { cloudEventsAdapter } from "./cloud-events/adapter.ts";
import type { CloudEventDefaults } from "./cloud-events/cloud-event.ts";
import { gatewayAdapter } from "./gateway/adapter.ts";
import { type GatewayNames, REST_STAGE } from "./gateway/kinds.ts";

/** How requests become events, and outcomes responses. */
export const SERVE_FORMATS = [
  "plain",
  "cloudevents",
  "api-gateway",
  "function-url",
  "http-api-v2",
  "http-api-v1",
  "rest",
] as const;
export type ServeFormat = (typeof SERVE_FORMATS)[number];

const CE_TYPE = "ce.klr.triggermesh.io";
const CE_SOURCE = "knative-lambda-runtime";

/** What an adapter is chosen by, as the command line has it. */
export interface AdapterOptions {
  readonly sink?: string;
  readonly ceInput?: "event" | "data";
  readonly ceOutput: "auto" | "structured" | "binary" | "none";
  readonly ceBatch?: boolean;
  readonly requirePreferReply?: boolean;
  readonly invokeMode: InvokeMode;
  /** Of a REST API, commas between them; those of the settings where it is absent. */
  readonly binaryMediaTypes?: string;
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

/** The adapter for a function in a format. */
export function serveAdapter(
  settings: FunctionSettings,
  format: ServeFormat,
  options: AdapterOptions,
  variables: FrontVariables,
): Adapter {
  const bodyBytesMax = Math.min(variables.bodyBytesMax ?? EVENT_BYTES_MAX, EVENT_BYTES_MAX);
  switch (format) {
    case "plain":
      return plainAdapter(bodyBytesMax);
    case "cloudevents":
      return cloudEventsAdapter({
        defaults: cloudEventDefaults(variables),
        // Those who set RESPONSE_FORMAT have functions that expect the data alone.
        input: options.ceInput ?? (variables.format === undefined ? "event" : "data"),
        output: options.ceOutput,
        responseMode: variables.responseMode,
        bodyBytesMax,
        batch: options.ceBatch === true,
        // What goes to a sink is not a response to the sender.
        requirePreferReply:
          options.requirePreferReply === true && !(options.sink ?? variables.sink),
      });
    case "api-gateway":
    case "function-url":
    case "http-api-v2":
    case "http-api-v1":
    case "rest": {
      const adapter = gatewayAdapter(
        format,
        { ...gatewayNames(settings), ...binaryMediaTypes(options) },
        options.invokeMode,
      );
      const asked = variables.bodyBytesMax ?? adapter.bodyBytesMax;
      return { ...adapter, bodyBytesMax: Math.min(asked, adapter.bodyBytesMax) };
    }
  }
}

function binaryMediaTypes({ binaryMediaTypes: text }: AdapterOptions) {
  if (text === undefined) return {};
  return { binaryMediaTypes: text.split(",").map((type) => type.trim()) };
}

/** The attributes of events that the function does not name itself. */
export function cloudEventDefaults(variables: FrontVariables): CloudEventDefaults {
  return {
    type: variables.ceType ?? CE_TYPE,
    source: variables.ceSource ?? CE_SOURCE,
    subject: variables.ceSubject,
  };
}

/** What a gateway in front of the function calls itself. */
export function gatewayNames(
  settings: Pick<FunctionSettings, "accountId" | "region" | "binaryMediaTypes">,
): GatewayNames {
  return {
    apiId: "local",
    accountId: settings.accountId,
    region: settings.region,
    stage: REST_STAGE,
    binaryMediaTypes: settings.binaryMediaTypes,
  };
}
