/**
 * Routes, responses and bodies for servers on `node:http`.
 *
 * @module
 */

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";

import { CONTENT_TYPE, STATUS } from "../../runtime-api/contract.ts";
import { decodePath } from "./message.ts";

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
