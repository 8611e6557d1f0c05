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

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  await using taken = await takenPort();
  return taken.port;
}
