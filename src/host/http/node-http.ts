/**
 * Small ways to answer an HTTP request and to read its body, for servers on `node:http`.
 *
 * @module
 */

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";

import { CONTENT_TYPE } from "../../runtime-api/contract.ts";

/** Answers with bytes or text of a known length. */
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

/** Answers with JSON and a line feed, as Lambda's own servers do. */
export function respondJson(response: ServerResponse, status: number, value: unknown): void {
  respond(response, status, `${JSON.stringify(value)}\n`, { "Content-Type": CONTENT_TYPE.json });
}

/** A request's body: its bytes, more of them than allowed, or broken off. */
export type RequestBody =
  | { readonly kind: "complete"; readonly bytes: Uint8Array }
  | { readonly kind: "too-large"; readonly byteLength: number }
  | { readonly kind: "truncated" };

/**
 * Reads a request's body to its end, keeping no more of it than allowed.
 * @param bytesMax Largest body that is kept, in bytes.
 */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<RequestBody> {
  const { promise, resolve } = Promise.withResolvers<RequestBody>();
  let chunks: Uint8Array[] = [];
  let byteLength = 0;
  request.on("data", (chunk: Uint8Array) => {
    byteLength += chunk.byteLength;
    if (byteLength <= bytesMax) chunks.push(chunk);
    else chunks = [];
  });
  request.on("end", () => {
    if (byteLength > bytesMax) resolve({ kind: "too-large", byteLength });
    else resolve({ kind: "complete", bytes: joinChunks(chunks) });
  });
  request.on("aborted", () => resolve({ kind: "truncated" }));
  request.on("error", () => resolve({ kind: "truncated" }));
  return promise;
}

function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
}
