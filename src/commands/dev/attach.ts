/**
 * `dev --attach`: the Runtime API for a runtime that the user starts, as in a debugger.
 *
 * @module
 */

import { createServer } from "node:net";

import type { FunctionSettings } from "../../host/invocation/settings.ts";
import { functionEnvironment } from "../../host/sandbox/variables.ts";
import { CommandError } from "../cli/exit-status.ts";
import { shellWord } from "../cli/suggest.ts";
import { listenOrExplain, PORT_MAX } from "../serve/listen.ts";

/** Where AWS's emulator has its Runtime API. */
const DEFAULT_PORT = 9001;

/** Time for one event: a debugger stands still for as long as it takes. */
export const ATTACHED_TIMEOUT = "30m";

/** What `--attach` does not go together with. */
export interface AttachOptions {
  /** True without a port. */
  readonly attach?: string | true;
  readonly workers?: string;
  readonly bootstrap?: string;
}

/**
 * The port of the Runtime API; nothing without `--attach`.
 * @throws {CommandError} When another option starts a runtime, or the port is invalid or taken.
 */
export async function attachedPort(
  options: AttachOptions,
  directories: readonly string[],
  bootstrap: readonly string[],
): Promise<number | undefined> {
  if (options.attach === undefined) return undefined;
  const port = options.attach === true ? DEFAULT_PORT : Number(options.attach);
  if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) {
    throw new CommandError(
      `--attach: invalid port "${options.attach}" (1-${PORT_MAX})\n` +
        "  put the folder before it: lambda-shell dev DIR --attach",
    );
  }
  if (directories.length > 1) throw new CommandError("--attach: one folder at a time");
  if (options.workers !== undefined) {
    throw new CommandError("--attach and --workers exclude each other: one runtime attaches");
  }
  if (options.bootstrap !== undefined || bootstrap.length > 0) {
    throw new CommandError("--attach starts no runtime: leave out --bootstrap and -- CMD");
  }
  await assertFree(port);
  return port;
}

async function assertFree(port: number): Promise<void> {
  const server = createServer();
  const listener = {
    listen: async (host: string) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      server.once("error", reject);
      server.listen(port, host, resolve);
      await promise;
      return port;
    },
  };
  await listenOrExplain(listener, "127.0.0.1", port, "--attach");
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  await promise;
}

/** Variables of the computer that a debugger needs as they are. */
const NOT_EXPORTED = ["PATH", "LD_LIBRARY_PATH"];

/** What the runtime must find in its environment, as lines for a shell. */
export function exportLines(settings: FunctionSettings, port: number): string {
  const variables = functionEnvironment(settings, `127.0.0.1:${port}`, 0);
  const lines = Object.entries(variables)
    .filter(([name]) => !NOT_EXPORTED.includes(name) && !(name in settings.inherited))
    .map(([name, value]) => `export ${name}=${shellWord(value)}`);
  return lines.sort().join("\n");
}
