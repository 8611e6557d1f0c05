/**
 * Images of this repository, built for this machine, and processes in their roots.
 *
 * @module
 */

import { join } from "node:path";

import type { RecordedRuntimeApi } from "../../src/testing/recorded-runtime-api.ts";
import { type Architecture, HOST_ARCHITECTURE } from "../architectures.ts";
import { buildImage, commandInImage, type Image } from "./dockerfile.ts";
import { LAYER_DIST, ROOT } from "./layer-dist.ts";

if (HOST_ARCHITECTURE === undefined) throw new Error(`no images for ${process.arch}`);

/** This machine's architecture. */
export const HOST: Architecture = HOST_ARCHITECTURE;

const running: Bun.Subprocess[] = [];

/** Builds an image of a Dockerfile with the zips of `make dist` or of LAYER_DIST. */
export function buildForHost(
  dockerfile: string,
  arguments_: Readonly<Record<string, string>> = {},
): Image {
  return buildImage(join(ROOT, dockerfile), {
    context: ROOT,
    contextFolders: { dist: LAYER_DIST },
    arguments: { TARGETARCH: HOST.name, ...arguments_ },
  });
}

/** Starts a command in an image's root, read-only but for /tmp, with these variables alone. */
export function startInImage(
  image: Image,
  command: readonly string[],
  variables: Readonly<Record<string, string>>,
): Bun.Subprocess<"ignore", "inherit", "pipe"> {
  const child = Bun.spawn(commandInImage(image, command), {
    env: { ...variables, READ_ONLY: "1" },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
  });
  running.push(child);
  return child;
}

/** Ends every process that {@link startInImage} has started. */
export async function stopAll(): Promise<void> {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(running.map(({ exited }) => exited));
}

/** Sends an event, and fails at once when the runtime ends instead of responding. */
export function sendEvent(api: RecordedRuntimeApi, child: Bun.Subprocess, body: string) {
  const died = child.exited.then((status) => {
    throw new Error(`the runtime ended with status ${status}`);
  });
  return Promise.race([api.invoke({ body }), died]);
}
