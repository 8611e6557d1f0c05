/**
 * A server that takes what is sent to it, as a broker behind `K_SINK` does, for tests.
 *
 * @module
 */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A sink that runs. */
export interface EventSink {
  readonly url: string;
  /** What was sent, in order. */
  readonly received: readonly { readonly type: string | undefined; readonly body: string }[];
  readonly close: () => Promise<void>;
}

/**
 * Starts a sink on a free port.
 * @param status HTTP status of its next response.
 * @param headers Of each response.
 */
export async function startSink(
  status: () => number = () => 200,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventSink> {
  const received: { type: string | undefined; body: string }[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      received.push({ type: request.headers["content-type"], body });
      response.writeHead(status(), headers).end();
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  const close = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    return promise;
  };
  return { url: `http://127.0.0.1:${port}`, received, close };
}
