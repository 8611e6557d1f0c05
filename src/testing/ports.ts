/**
 * Ports of this machine, for tests.
 *
 * @module
 */

import { type AddressInfo, createServer } from "node:net";

/** A port that is taken until it is disposed of. */
export async function takenPort(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer();
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    await closed.promise;
  };
  return { port, [Symbol.asyncDispose]: close };
}

const given = new Set<number>();

/** A port that was free a moment ago; tests that run at the same time are never given the same one. */
export async function freePort(): Promise<number> {
  await using taken = await takenPort();
  if (given.has(taken.port)) return freePort();
  given.add(taken.port);
  return taken.port;
}
