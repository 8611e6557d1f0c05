/**
 * The Extensions API of one execution environment: register, wait for events, report errors.
 *
 * Official clients register an internal extension without events only to be sent SIGTERM before the
 * end. The Logs and Telemetry APIs answer as AWS's own emulator does, with a 202 that says "not
 * here".
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 * @module
 */

import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

import {
  EXTENSION_HEADER,
  EXTENSION_PATH,
  EXTENSIONS_MAX,
  STATUS,
} from "../../runtime-api/contract.ts";
import { type NodeRoute, nodeRoute, readBody, respondJson } from "../http/node-http.ts";
import type { PendingInvocation } from "../invocation/invocation.ts";

/** Largest registration, in bytes. */
const REGISTRATION_BYTES_MAX = 64 * 1024;

const EVENT_TYPES = ["INVOKE", "SHUTDOWN"] as const;

/** What an extension is told. */
type ExtensionEvent =
  | {
      readonly eventType: "INVOKE";
      readonly deadlineMs: number;
      readonly requestId: string;
      readonly invokedFunctionArn: string;
      readonly tracing: { readonly type: "X-Amzn-Trace-Id"; readonly value: string };
    }
  | {
      readonly eventType: "SHUTDOWN";
      readonly deadlineMs: number;
      readonly shutdownReason: "spindown" | "timeout" | "failure";
    };

interface Extension {
  readonly name: string;
  readonly events: readonly string[];
  readonly waiting: ExtensionEvent[];
  poll: ServerResponse | undefined;
}

/** Names of the function, for the answer to a registration. */
interface RegisteredFunction {
  readonly functionName: string;
  readonly functionVersion: string;
  readonly handler: string;
}

/** The extensions of one environment. */
export class ExtensionRegistry {
  /** Set by the environment once it knows. */
  registeredFunction: RegisteredFunction | undefined;
  readonly #extensions = new Map<string, Extension>();
  readonly #open: () => boolean;

  /** @param open True as long as the environment is in its init phase. */
  constructor(open: () => boolean) {
    this.#open = open;
  }

  get size(): number {
    return this.#extensions.size;
  }

  /** Tells every extension that asked for this kind of event. */
  publish(event: ExtensionEvent): void {
    for (const extension of this.#extensions.values()) {
      if (!extension.events.includes(event.eventType)) continue;
      extension.waiting.push(event);
      flush(extension);
    }
  }

  /** Tells of an event that the runtime is given, those that asked for it. */
  publishInvoke(
    { requestId, request }: PendingInvocation,
    deadlineMs: number,
    invokedFunctionArn: string,
  ): void {
    const tracing = { type: "X-Amzn-Trace-Id", value: request.traceId ?? "" } as const;
    this.publish({ eventType: "INVOKE", deadlineMs, requestId, invokedFunctionArn, tracing });
  }

  /** The Extensions, Logs and Telemetry APIs. */
  get routes(): readonly NodeRoute[] {
    return [
      nodeRoute("POST", EXTENSION_PATH.register, (request, response) => {
        void this.#register(request, response);
      }),
      nodeRoute("GET", EXTENSION_PATH.next, (request, response) => this.#next(request, response)),
      nodeRoute("POST", EXTENSION_PATH.initError, (request, response) => {
        this.#reportError(request, response);
      }),
      nodeRoute("POST", EXTENSION_PATH.exitError, (request, response) => {
        this.#reportError(request, response);
      }),
      nodeRoute("PUT", EXTENSION_PATH.logs, (request, response) => {
        notHere(request, response, "Logs");
      }),
      nodeRoute("PUT", EXTENSION_PATH.telemetry, (request, response) => {
        notHere(request, response, "Telemetry");
      }),
    ];
  }

  async #register(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = request.headers[EXTENSION_HEADER.name.toLowerCase()];
    const body = await readBody(request, REGISTRATION_BYTES_MAX);
    const events = body.kind === "complete" ? requestedEvents(body.bytes) : undefined;
    if (typeof name !== "string" || name === "") {
      return refuse(response, STATUS.forbidden, "InvalidExtensionName", "Empty extension name");
    }
    if (events === undefined) {
      return refuse(response, STATUS.badRequest, "InvalidRequestFormat", "Invalid JSON body");
    }
    const unknown = events.find((event) => !EVENT_TYPES.some((type) => type === event));
    if (unknown !== undefined) {
      const words = `${unknown}: event type is not supported`;
      return refuse(response, STATUS.forbidden, "InvalidEventType", words);
    }
    if (!this.#open()) {
      const words = "Extension registration closed already";
      return refuse(response, STATUS.forbidden, "RegistrationClosed", words);
    }
    if (this.#extensions.size >= EXTENSIONS_MAX) {
      const words = `Extension limit (${EXTENSIONS_MAX}) reached`;
      return refuse(response, STATUS.forbidden, "TooManyExtensions", words);
    }
    const identifier = randomUUID();
    this.#extensions.set(identifier, { name, events, waiting: [], poll: undefined });
    response.setHeader(EXTENSION_HEADER.identifier, identifier);
    respondKeepingHeaders(response, this.registeredFunction ?? {});
  }

  #next(request: IncomingMessage, response: ServerResponse): void {
    const extension = this.#identified(request, response);
    if (extension === undefined) return;
    extension.poll = response;
    response.on("close", () => {
      if (extension.poll === response) extension.poll = undefined;
    });
    flush(extension);
  }

  #reportError(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    if (this.#identified(request, response) === undefined) return;
    respondJson(response, STATUS.accepted, { status: "OK" });
  }

  #identified(request: IncomingMessage, response: ServerResponse): Extension | undefined {
    const identifier = request.headers[EXTENSION_HEADER.identifier.toLowerCase()];
    if (typeof identifier !== "string" || identifier === "") {
      const words = `Missing ${EXTENSION_HEADER.identifier} header`;
      refuse(response, STATUS.forbidden, "MissingExtensionIdentifier", words);
      return undefined;
    }
    const extension = this.#extensions.get(identifier);
    if (extension === undefined) {
      const words = `Unknown ${EXTENSION_HEADER.identifier}`;
      refuse(response, STATUS.forbidden, "InvalidExtensionIdentifier", words);
    }
    return extension;
  }
}

function flush(extension: Extension): void {
  const { poll } = extension;
  if (poll === undefined || poll.destroyed) return;
  const event = extension.waiting.shift();
  if (event === undefined) return;
  extension.poll = undefined;
  poll.setHeader(EXTENSION_HEADER.eventIdentifier, randomUUID());
  respondKeepingHeaders(poll, event);
}

function respondKeepingHeaders(response: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value);
  response.setHeader("Content-Type", "application/json");
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.statusCode = STATUS.ok;
  response.end(body);
}

function notHere(request: IncomingMessage, response: ServerResponse, api: string): void {
  request.resume();
  respondJson(response, STATUS.accepted, {
    errorMessage: `${api} API is not supported`,
    errorType: `${api}.NotSupported`,
  });
}

function refuse(response: ServerResponse, status: number, type: string, errorMessage: string) {
  respondJson(response, status, { errorMessage, errorType: `Extension.${type}` });
}

/** The events of a registration, none when it names none, nothing when it is not JSON. */
function requestedEvents(bytes: Uint8Array): readonly string[] | undefined {
  try {
    const registration: unknown = JSON.parse(Buffer.from(bytes).toString("utf8") || "{}");
    if (typeof registration !== "object" || registration === null) return undefined;
    const events: unknown = "events" in registration ? registration.events : [];
    if (events === null) return [];
    return Array.isArray(events) ? events.map(String) : undefined;
  } catch {
    return undefined;
  }
}
