/**
 * Makes the service models smaller: without white space, and compressed where the loader of the
 * staged CLI reads them so.
 *
 * White space is cut out of the text, so that every number keeps its digits: models hold integers
 * that a JavaScript number would round.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { CACHE } from "./paths.ts";
import type { Saving } from "./prune.ts";
import { workFolder } from "./work-folder.ts";

/** A JSON string, or white space between tokens. */
const STRING_OR_SPACE = /("(?:[^"\\]|\\.)*")|\s+/g;

/** A "documentation" member whose value is text, with its comma. */
const DOCUMENTATION = /,"documentation":"(?:[^"\\]|\\.)*"|"documentation":"(?:[^"\\]|\\.)*",?/g;

/** zstd's level: 9,375,275 bytes for all models, where gzip's best takes 12,494,492 (measured). */
const ZSTD_LEVEL = 19;

/** Models that are compressed at a time. */
const AT_ONCE = 16;

/**
 * Cuts white space out of every model and stores it as zstd: `service-2.json.zst`. The start program
 * of the staged CLI (layer/aws-cli/aws.py) reads it back.
 *
 * Compressing all of them takes half a minute, so that what was compressed is kept in the cache, by
 * the hash of its text: both architectures have the same models, and a new CLI changes a few.
 * @param fromTheEnd Whether to begin with the last one: so the builds for two architectures, which run
 *     at the same time, share the work and meet in the middle.
 */
export async function compressModels(tree: string, fromTheEnd: boolean): Promise<Saving> {
  return rewrite(tree, "aws-cli/lib/python3.*/site-packages/awscli/botocore/data/**/*.json", {
    name: "service models without white space, as zstd",
    extension: ".zst",
    change: (text) => compressed(Buffer.from(minifyJson(text))),
    fromTheEnd,
  });
}

/** Where the cache has a model compressed. */
export function keptModel(text: Uint8Array): string {
  const hash = new Bun.CryptoHasher("sha256").update(text).digest("hex");
  return join(CACHE, "models", `zstd-${ZSTD_LEVEL}-bun-${Bun.version}`, hash);
}

async function compressed(text: Buffer<ArrayBuffer>): Promise<Uint8Array> {
  const kept = keptModel(text);
  const before = existsSync(kept) ? readFileSync(kept) : undefined;
  if (before !== undefined && (await isCompressedOf(before, text))) return before;
  const bytes = await Bun.zstdCompress(text, { level: ZSTD_LEVEL });
  mkdirSync(dirname(kept), { recursive: true });
  const unfinished = join(workFolder("model"), basename(kept));
  writeFileSync(unfinished, bytes);
  renameSync(unfinished, kept);
  rmSync(dirname(unfinished), { recursive: true });
  return bytes;
}

/** Whether what the cache has is whole: damaged, it would end up in the layer unnoticed. */
async function isCompressedOf(bytes: Uint8Array<ArrayBuffer>, text: Buffer): Promise<boolean> {
  try {
    return text.equals(await Bun.zstdDecompress(bytes));
  } catch {
    return false;
  }
}

/**
 * Cuts white space and documentation out of every model of AWS's own executable, whose built-in
 * loader reads plain JSON only. The documentation is what `aws help` shows.
 */
export async function shrinkModels(tree: string): Promise<Saving> {
  return rewrite(tree, "aws-cli/v2/*/dist/awscli/botocore/data/**/*.json", {
    name: "service models without white space and documentation",
    extension: "",
    change: async (text) => Buffer.from(withoutDocumentation(minifyJson(text))),
    fromTheEnd: false,
  });
}

/** Removes white space between the tokens of a JSON text. */
export function minifyJson(text: string): string {
  return text.replace(STRING_OR_SPACE, "$1");
}

/** Removes members named "documentation" that hold text from a minified JSON text. */
export function withoutDocumentation(minified: string): string {
  return minified.replace(DOCUMENTATION, "");
}

interface Rewrite {
  readonly name: string;
  readonly extension: string;
  readonly change: (text: string) => Promise<Uint8Array>;
  readonly fromTheEnd: boolean;
}

async function rewrite(
  tree: string,
  pattern: string,
  { name, extension, change, fromTheEnd }: Rewrite,
): Promise<Saving> {
  const paths = [...new Bun.Glob(pattern).scanSync({ cwd: tree })]
    .sort()
    .map((path) => join(tree, path));
  if (fromTheEnd) paths.reverse();
  let bytes = 0;
  for (let start = 0; start < paths.length; start += AT_ONCE) {
    const saved = await Promise.all(
      paths.slice(start, start + AT_ONCE).map(async (path) => {
        const text = readFileSync(path);
        const changed = await change(text.toString("utf8"));
        if (extension !== "") rmSync(path);
        writeFileSync(`${path}${extension}`, changed);
        return text.length - changed.length;
      }),
    );
    bytes += saved.reduce((sum, some) => sum + some, 0);
  }
  return { name, files: paths.length, bytes };
}
