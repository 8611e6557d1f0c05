/**
 * HTTP as it is on the wire, for tests that a client library would be too forgiving for.
 *
 * @module
 */

import { connect } from "node:net";

/** A response whose body is still framed as it came. */
export interface RawResponse {
  readonly status: number;
  /** Values by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Sends a request on a connection of its own and reads until the server closes it. */
export async function rawExchange(
  url: string,
  request: string,
  lines: readonly string[] = [],
  body = "",
): Promise<RawResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const chunks: Buffer[] = [];
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.on("data", (chunk: Buffer) => void chunks.push(chunk));
  socket.on("error", reject);
  socket.on("close", () => resolve());
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  const head = [`${request} HTTP/1.1`, "Host: test", "Connection: close", length, ...lines];
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  await promise;
  return parseResponse(Buffer.concat(chunks).toString("latin1"));
}

function parseResponse(text: string): RawResponse {
  const end = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const at = line.indexOf(":");
    const name = line.slice(0, at).toLowerCase();
    const value = line.slice(at + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  return { status: Number(statusLine.split(" ")[1]), headers, body: text.slice(end + 4) };
}

/** The bytes of a chunked body; fails when its last chunk is missing. */
export function unchunked(body: string): string {
  const chunks: string[] = [];
  let at = 0;
  for (;;) {
    const end = body.indexOf("\r\n", at);
    const size = Number.parseInt(body.slice(at, end), 16);
    if (size === 0) return chunks.join("");
    if (Number.isNaN(size)) throw new Error(`the body breaks off at ${at}`);
    chunks.push(body.slice(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
