/**
 * Routes, responses and bodies for servers on `node:http`.
 *
 * @module
 */

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";

import { CONTENT_TYPE, STATUS } from "../../runtime-api/contract.ts";
import type { HostLog } from "../invocation/platform-log.ts";
import { decodePath, type HttpResponse, isStream } from "./message.ts";

/** One line of a table of routes. */
export interface NodeRoute {
  /** Any where it is undefined. */
  readonly method: string | undefined;
  readonly path: RegExp;
  readonly serve: (request: IncomingMessage, response: ServerResponse, label: string) => void;
}

/** Stands in a path for a label, which is handed to the route without its percent-encoding. */
export const LABEL = "([^/]+)";

/** A route of a path, in which {@link LABEL} may stand once. */
export function nodeRoute(
  method: NodeRoute["method"],
  path: string,
  serve: NodeRoute["serve"],
): NodeRoute {
  return { method, path: new RegExp(`^${path}$`), serve };
}

/** Serves a request by the first route with its path; others are refused as Lambda's servers do. */
export function serveByRoute(
  routes: readonly NodeRoute[],
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  for (const route of routes) {
    const [found, label = ""] = route.path.exec(path) ?? [];
    if (found === undefined) continue;
    if (route.method === undefined || route.method === request.method) {
      return route.serve(request, response, decodePath(label));
    }
    return respond(response, STATUS.methodNotAllowed, "", PLAIN);
  }
  respond(response, STATUS.notFound, "404 page not found\n", PLAIN);
}

/** Headers of a response in plain text. */
export const PLAIN = { "Content-Type": "text/plain; charset=utf-8" } as const;

/** Responds with bytes or text of a known length. */
export function respond(
  response: ServerResponse,
  status: number,
  body: string | Uint8Array,
  headers: OutgoingHttpHeaders,
): void {
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

/** Responds with JSON and a line feed, as Lambda's own servers do. */
export function respondJson(response: ServerResponse, status: number, value: unknown): void {
  respond(response, status, `${JSON.stringify(value)}\n`, { "Content-Type": CONTENT_TYPE.json });
}

/** Writes a response to its end, at the pace at which its caller takes it. */
export async function writeResponse(
  outgoing: ServerResponse,
  response: HttpResponse,
  method: string,
  log: HostLog,
): Promise<void> {
  const { status, headers, body } = response;
  if (outgoing.destroyed) {
    // Nobody reads it any more, but the function's stream is read to its end.
    if (isStream(body)) for await (const _chunk of body);
    return;
  }
  for (const { name, values } of writtenHeaders(headers)) {
    if (!setHeader(outgoing, name, values)) {
      log("warning", `header "${name}" of the response is not valid, left out`);
    }
  }
  outgoing.statusCode = status;
  if (isStream(body)) return writeStream(outgoing, body);
  const bodiless = status === 204 || status === 304 || method === "HEAD";
  if (status !== 204 && status !== 304) {
    outgoing.setHeader("Content-Length", Buffer.byteLength(body));
  }
  outgoing.end(bodiless ? undefined : body);
}

/** Sets a header; one that HTTP does not allow is left out rather than the whole response. */
function setHeader(outgoing: ServerResponse, name: string, values: readonly string[]): boolean {
  const [first] = values;
  try {
    outgoing.setHeader(name, values.length === 1 && first !== undefined ? first : [...values]);
    return true;
  } catch {
    return false;
  }
}

async function writeStream(
  outgoing: ServerResponse,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  outgoing.flushHeaders();
  for await (const chunk of chunks) {
    if (outgoing.destroyed) continue;
    if (outgoing.write(chunk)) continue;
    await writable(outgoing);
  }
  outgoing.end();
}

/** Waits until a slow caller has taken what was written, or has gone. */
async function writable(outgoing: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  outgoing.on("drain", resolve);
  outgoing.on("close", resolve);
  await promise;
  // A long response waits often, and each wait would leave a listener.
  outgoing.off("drain", resolve);
  outgoing.off("close", resolve);
}

/**
 * Headers of one connection, besides those that `Connection` itself names. A function that passes on
 * another server's response copies that connection's headers too. On ours they would contradict
 * how the body is sent, and the caller could not read it.
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
 */
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Headers that only who writes the body can know. */
const FRAMING = ["content-length"];

/** A header with all of its values, under the name that came first. */
interface WrittenHeader {
  readonly name: string;
  readonly values: readonly string[];
}

/** The headers that are not about the connection, each name once, in order of first sight. */
function writtenHeaders(headers: HttpResponse["headers"]): readonly WrittenHeader[] {
  const dropped = new Set([...HOP_BY_HOP, ...FRAMING, ...namedByConnection(headers)]);
  const byName = new Map<string, { name: string; values: string[] }>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (dropped.has(key)) continue;
    const known = byName.get(key);
    if (known === undefined) byName.set(key, { name, values: [value] });
    else known.values.push(value);
  }
  return [...byName.values()];
}

function namedByConnection(headers: HttpResponse["headers"]): readonly string[] {
  return headers
    .filter(([name]) => name.toLowerCase() === "connection")
    .flatMap(([, value]) => value.split(","))
    .map((option) => option.trim().toLowerCase());
}

/** A request's body: its bytes, more of them than allowed, or broken off. */
export type RequestBody =
  | { readonly kind: "complete"; readonly bytes: Uint8Array }
  | { readonly kind: "too-large"; readonly byteLength: number }
  | { readonly kind: "truncated" };

/** How a body is read. */
interface BodyReading {
  /** Whether so many more bytes may be kept; a body for which there is no room is too large. */
  readonly hasRoom?: (byteLength: number) => boolean;
  /** Whether one that is too large is told as soon as that is known. What comes of it is read all the same. */
  readonly isToldEarly?: boolean;
}

/**
 * Reads a request's body to its end, keeping no more of it than allowed.
 * @param bytesMax Largest body that is kept, in bytes.
 */
export function readBody(
  request: IncomingMessage,
  bytesMax: number,
  { hasRoom = () => true, isToldEarly = false }: BodyReading = {},
): Promise<RequestBody> {
  const { promise, resolve } = Promise.withResolvers<RequestBody>();
  const declared = Number(request.headers["content-length"] ?? 0);
  const body = new BodyBuffer(declared, bytesMax);
  let byteLength = 0;
  let isKept = declared <= bytesMax && hasRoom(0);
  const tellEarly = () => {
    if (isToldEarly && !isKept) resolve({ kind: "too-large", byteLength });
  };
  tellEarly();
  request.on("data", (chunk: Uint8Array) => {
    byteLength += chunk.byteLength;
    isKept &&= byteLength <= bytesMax && hasRoom(chunk.byteLength);
    if (isKept) body.add(chunk);
    else body.clear();
    tellEarly();
  });
  request.on("end", () => {
    if (!isKept) resolve({ kind: "too-large", byteLength });
    else resolve({ kind: "complete", bytes: body.bytes() });
    letGo(byteLength);
  });
  request.on("aborted", () => resolve({ kind: "truncated" }));
  request.on("error", () => resolve({ kind: "truncated" }));
  return promise;
}

/** Bytes that come one after another; where their number is known, they are kept once. */
class BodyBuffer {
  #chunks: Uint8Array[] = [];
  #whole: Buffer | undefined;
  #filled = 0;

  /**
   * @param declared Bytes that were announced.
   * @param bytesMax More are not kept, so no room is made for them.
   */
  constructor(declared: number, bytesMax: number) {
    if (declared > CHUNKED_BYTES_MAX && declared <= bytesMax) {
      this.#whole = Buffer.allocUnsafeSlow(declared);
    }
  }

  add(chunk: Uint8Array): void {
    if (this.#whole === undefined) {
      this.#chunks.push(chunk);
    } else {
      this.#whole.set(chunk, this.#filled);
      this.#filled += chunk.byteLength;
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#whole = undefined;
  }

  bytes(): Uint8Array {
    if (this.#whole !== undefined) return this.#whole.subarray(0, this.#filled);
    const [first] = this.#chunks;
    return this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
  }
}

/** Bytes of a body that comes in one piece or a few. */
const CHUNKED_BYTES_MAX = 256 * 1024;

let letGoBytes = 0;

/** Bytes of messages after which their memory is collected. */
const COLLECTED_BYTES = 8 * 1024 * 1024;

/**
 * Tells that messages of so many bytes are done with. Bytes are outside of the engine's heap, which
 * grows too little with them to be collected in time: the host would have twice as much.
 */
export function letGo(byteLength: number): void {
  letGoBytes += byteLength;
  if (letGoBytes < COLLECTED_BYTES) return;
  letGoBytes = 0;
  Bun.gc(true);
}
