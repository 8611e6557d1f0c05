/**
 * The extensions of one execution environment: the processes of those that layers bring, and the API by
 * which they register, wait for events and report errors.
 *
 * Official clients register an internal extension without events only to be sent SIGTERM before the
 * end. The Logs and Telemetry APIs respond as AWS's own emulator does, with a 202 that says "not
 * here".
 * @see https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
 * @module
 */

import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { basename, join } from "node:path";

import { isRegularFile, namesIn } from "../../file-facts.ts";
import { parsedObject } from "../../json-object.ts";
import {
  EXTENSION_HEADER,
  EXTENSION_PATH,
  EXTENSIONS_MAX,
  STATUS,
} from "../../runtime-api/contract.ts";
import type { PlatformErrorType } from "../../runtime-api/function-error.ts";
import { type NodeRoute, nodeRoute, readBody, respondJson } from "../http/node-http.ts";
import type { PendingInvocation } from "../invocation/invocation.ts";
import { exitWords, type ExtensionFailure, type ProcessEnd } from "../invocation/platform-error.ts";
import { RuntimeProcess } from "./process.ts";

/** Largest registration, in bytes. */
const REGISTRATION_BYTES_MAX = 64 * 1024;

const EVENT_TYPES = ["INVOKE", "SHUTDOWN"] as const;

/** Why an environment ends. */
export type ShutdownReason = "spindown" | "timeout" | "failure";

/** What an extension is told. */
type ExtensionEvent =
  | {
      readonly eventType: "INVOKE";
      readonly deadlineMs: number;
      readonly requestId: string;
      readonly invokedFunctionArn: string;
      readonly tracing?: { readonly type: "X-Amzn-Trace-Id"; readonly value: string };
    }
  | {
      readonly eventType: "SHUTDOWN";
      readonly deadlineMs: number;
      readonly shutdownReason: ShutdownReason;
    };

interface Extension {
  readonly name: string;
  /** Started from a layer, and not a part of the runtime's process. */
  readonly isExternal: boolean;
  readonly events: readonly string[];
  readonly waiting: ExtensionEvent[];
  poll: ServerResponse | undefined;
  state: ExtensionState;
}

/** What an extension has asked for last. */
type ExtensionState = "Registered" | "Ready" | "Running" | "InitError" | "ExitError";

/** From where a state can be reached; everything else is refused. */
const REACHED_FROM: Readonly<Record<ExtensionState, readonly ExtensionState[]>> = {
  Registered: [],
  Ready: ["Registered", "Running"],
  Running: ["Ready"],
  InitError: ["Registered", "InitError"],
  ExitError: ["Registered", "Ready", "Running", "ExitError"],
};

/** Names of the function, for the response to a registration. */
interface RegisteredFunction {
  readonly functionName: string;
  readonly functionVersion: string;
  readonly handler: string;
  /** Told to those that ask for it. */
  readonly accountId?: string;
}

/** What the environment wants to know of its extensions. */
interface ExtensionListener {
  /** One has registered. */
  onRegistered(): void;
  /** All wait for their next event. */
  onIdle(): void;
  /** One says that it cannot go on. */
  onFailure(failure: ExtensionFailure): void;
}

/** The extensions of one environment. */
export class ExtensionRegistry {
  /** Set by the environment once it knows. */
  registeredFunction: RegisteredFunction | undefined;
  listener: ExtensionListener | undefined;
  /** Names of those that layers bring; each must register and wait before the first event. */
  expected: readonly string[] = [];
  readonly #extensions = new Map<string, Extension>();
  readonly #open: () => boolean;

  /** @param open True as long as the environment is in its init phase. */
  constructor(open: () => boolean) {
    this.#open = open;
  }

  get size(): number {
    return this.#extensions.size;
  }

  /** True when all that layers bring have registered. */
  get complete(): boolean {
    const names = new Set([...this.#extensions.values()].map(({ name }) => name));
    return this.expected.every((name) => names.has(name));
  }

  /** True when nobody has work to do: an event ends only when its extensions ask for the next one. */
  get idle(): boolean {
    return (
      this.complete &&
      [...this.#extensions.values()].every(
        ({ isExternal, events, waiting, poll }) =>
          (!isExternal && !events.includes("INVOKE")) ||
          (poll !== undefined && waiting.length === 0),
      )
    );
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
    const value = request.traceId ?? "";
    const tracing = value === "" ? {} : { tracing: { type: "X-Amzn-Trace-Id", value } as const };
    this.publish({ eventType: "INVOKE", deadlineMs, requestId, invokedFunctionArn, ...tracing });
  }

  /** The Extensions, Logs and Telemetry APIs. */
  get routes(): readonly NodeRoute[] {
    return [
      nodeRoute("POST", EXTENSION_PATH.register, (request, response) => {
        void this.#register(request, response);
      }),
      nodeRoute("GET", EXTENSION_PATH.next, (request, response) => this.#next(request, response)),
      nodeRoute("POST", EXTENSION_PATH.initError, (request, response) => {
        void this.#reportError("Extension.InitError", request, response);
      }),
      nodeRoute("POST", EXTENSION_PATH.exitError, (request, response) => {
        void this.#reportError("Extension.ExitError", request, response);
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
      const errorMessage = "the body is not a JSON object with a list of events";
      const errorType = "InvalidRequestFormat";
      return respondJson(response, STATUS.forbidden, { errorMessage, errorType });
    }
    const isExternal = this.expected.includes(name) && !this.#has(name);
    const wrong = events.find((event) => eventTypeFault(event, isExternal) !== undefined);
    if (wrong !== undefined) {
      const words = `${wrong}: ${eventTypeFault(wrong, isExternal)}`;
      return refuse(response, STATUS.forbidden, "InvalidEventType", words);
    }
    if (!this.#open()) {
      const words = "Extension registration closed already";
      return refuse(response, STATUS.forbidden, "RegistrationClosed", words);
    }
    if (this.#has(name)) {
      const words = "Extension with this name already registered";
      return refuse(response, STATUS.forbidden, "InvalidExtensionState", words);
    }
    if (this.#extensions.size >= EXTENSIONS_MAX) {
      const words = `Extension limit (${EXTENSIONS_MAX}) reached`;
      return refuse(response, STATUS.forbidden, "TooManyExtensions", words);
    }
    const identifier = randomUUID();
    this.#extensions.set(identifier, {
      ...{ name, isExternal, events, waiting: [], poll: undefined },
      state: "Registered",
    });
    response.setHeader(EXTENSION_HEADER.identifier, identifier);
    const { accountId, ...registered } = this.registeredFunction ?? {};
    const wantsAccount = features(request).includes("accountId") && accountId !== undefined;
    respondKeepingHeaders(response, { ...registered, ...(wantsAccount ? { accountId } : {}) });
    this.listener?.onRegistered();
  }

  #has(name: string): boolean {
    return [...this.#extensions.values()].some((extension) => extension.name === name);
  }

  #next(request: IncomingMessage, response: ServerResponse): void {
    const extension = this.#identified(request, response);
    if (extension === undefined || !move(extension, "Ready", request, response)) return;
    extension.poll = response;
    response.on("close", () => {
      if (extension.poll !== response) return;
      // It may ask again, on another connection.
      extension.poll = undefined;
      extension.state = "Running";
    });
    flush(extension);
    if (this.idle) this.listener?.onIdle();
  }

  async #reportError(
    errorType: PlatformErrorType,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const extension = this.#identified(request, response);
    const body = await readBody(request, REGISTRATION_BYTES_MAX);
    if (extension === undefined) return;
    const named = request.headers[EXTENSION_HEADER.functionErrorType.toLowerCase()];
    if (typeof named !== "string" || named === "") {
      const words = `Missing ${EXTENSION_HEADER.functionErrorType} header`;
      return refuse(response, STATUS.forbidden, "MissingHeader", words);
    }
    const state = errorType === "Extension.InitError" ? "InitError" : "ExitError";
    if (!move(extension, state, request, response)) return;
    respondJson(response, STATUS.accepted, { status: "OK" });
    const said = body.kind === "complete" ? errorMessageOf(body.bytes) : "";
    const reason = said === "" ? named : `${named}: ${said}`;
    this.listener?.onFailure({
      kind: "extension",
      errorType,
      words: `${extension.name}: ${reason}`,
    });
  }

  #identified(request: IncomingMessage, response: ServerResponse): Extension | undefined {
    const identifier = request.headers[EXTENSION_HEADER.identifier.toLowerCase()];
    if (typeof identifier !== "string" || identifier === "") {
      const words = `Missing ${EXTENSION_HEADER.identifier} header`;
      refuse(response, STATUS.forbidden, "MissingExtensionIdentifier", words);
      return undefined;
    }
    const extension = this.#extensions.get(identifier);
    if (extension !== undefined) return extension;
    const isUuid = UUID.test(identifier);
    const words = `${isUuid ? "Unknown" : "Invalid"} ${EXTENSION_HEADER.identifier}`;
    const type = isUuid ? "UnknownExtensionIdentifier" : "InvalidExtensionIdentifier";
    refuse(response, STATUS.forbidden, type, words);
    return undefined;
  }
}

const UUID = /^[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}$/i;

/** Why an extension cannot ask for events of a type; nothing when it can. */
function eventTypeFault(type: string, isExternal: boolean): string | undefined {
  if (!EVENT_TYPES.some((known) => known === type)) return "event type is not supported";
  // One that is a part of the runtime ends with it.
  if (type === "SHUTDOWN" && !isExternal) return "event not supported for internal extensions";
  return undefined;
}

/** Changes the state; refuses, and returns false, when it cannot be reached. */
function move(
  extension: Extension,
  state: ExtensionState,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (!REACHED_FROM[state].includes(extension.state)) {
    const identifier = request.headers[EXTENSION_HEADER.identifier.toLowerCase()];
    const words =
      `State transition from ${extension.state} to ${state} failed for extension ${identifier}. ` +
      "Error: State transition is not allowed";
    refuse(response, STATUS.forbidden, "InvalidExtensionState", words);
    return false;
  }
  extension.state = state;
  return true;
}

/** The features that a registration asks for. */
function features({ headers }: IncomingMessage): readonly string[] {
  const asked = headers[EXTENSION_HEADER.acceptFeature.toLowerCase()];
  return typeof asked === "string" ? asked.split(",").map((each) => each.trim()) : [];
}

/** What an error says for people; empty when it is not of the usual form. */
function errorMessageOf(bytes: Uint8Array): string {
  const { errorMessage = "" } = parsedObject(Buffer.from(bytes).toString("utf8")) ?? {};
  return String(errorMessage);
}

function flush(extension: Extension): void {
  const { poll } = extension;
  if (poll === undefined || poll.destroyed) return;
  const event = extension.waiting.shift();
  if (event === undefined) return;
  extension.poll = undefined;
  extension.state = "Running";
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
  const registration = parsedObject(Buffer.from(bytes).toString("utf8") || "{}");
  if (registration === undefined) return undefined;
  const { events = [] } = registration;
  if (events === null) return [];
  return Array.isArray(events) ? events.map(String) : undefined;
}

/** Where layers come together on Lambda; what is there on this computer is the container's own. */
const OPT = "/opt";

/** Programs of extensions, of all layers and of the container, the first of a name. */
export function extensionPrograms(layers: readonly string[]): readonly string[] {
  const byName = new Map<string, string>();
  for (const layer of [...layers, OPT]) {
    const folder = join(layer, EXTENSIONS);
    for (const name of namesIn(folder)) {
      const path = join(folder, name);
      if (isRegularFile(path) && !byName.has(name)) byName.set(name, path);
    }
  }
  return [...byName.values()];
}

/** The folder of a layer's extensions. */
export const EXTENSIONS = "extensions";

/** How extensions are started, and who is told of their ends. */
interface ExtensionProcessOptions {
  readonly programs: readonly string[];
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly onLog: (chunk: Uint8Array) => unknown;
  /** One has ended though nobody has asked it to. */
  readonly onCrash: (failure: ExtensionFailure) => void;
}

/** The running extensions of one environment. */
export class ExtensionProcesses {
  readonly #running = new Set<RuntimeProcess>();
  readonly #options: ExtensionProcessOptions;
  #isEnding = false;
  #gone = Promise.withResolvers<void>();

  constructor(options: ExtensionProcessOptions) {
    this.#options = options;
    const { programs, directory, onLog } = options;
    for (const program of programs) {
      const process = new RuntimeProcess({
        command: [program],
        directory,
        environment: extensionEnvironment(options.environment),
        onLog,
        onEnd: (end) => this.#onEnd(process, program, end),
      });
      this.#running.add(process);
    }
    if (programs.length === 0) this.#gone.resolve();
  }

  /** Fulfilled when the last one has gone. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** From now on an end is nobody's fault. */
  expectEnd(): void {
    this.#isEnding = true;
  }

  kill(): void {
    this.expectEnd();
    for (const process of this.#running) process.kill();
  }

  #onEnd(process: RuntimeProcess, program: string, end: ProcessEnd): void {
    this.#running.delete(process);
    if (this.#running.size === 0) this.#gone.resolve();
    if (this.#isEnding) return;
    const isStarted = end.kind !== "not-started";
    this.#options.onCrash({
      kind: "extension",
      errorType: isStarted ? "Extension.Crash" : "Extension.LaunchError",
      words: isStarted ? `${basename(program)}: ${exitWords(end)}` : end.reason,
    });
  }
}

/** Extensions get the function's variables, and none that are the runtime's. */
function extensionEnvironment(
  environment: Readonly<Record<string, string>>,
): Record<string, string> {
  const kept = Object.entries(environment).filter(
    ([name]) => !name.startsWith("_") && !/^AWS_LAMBDA_(?:LOG_|MAX_CONCURRENCY)/.test(name),
  );
  return Object.fromEntries(kept);
}
