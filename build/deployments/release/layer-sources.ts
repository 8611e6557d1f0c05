/**
 * Where the AWS CLI and jq of a finished layer are from, as its own manifest says.
 *
 * @module
 */

import { run } from "../run.ts";

/** One part that is not ours. */
export interface PartSource {
  readonly name: string;
  readonly version: string;
  /** In words, the same for both architectures. */
  readonly source: string;
}

const MANIFEST = "share/lambda-shell-runtime/manifest.json";
const PARTS = ["awscli", "jq"] as const;

/** Reads the sources from a layer's zip. */
async function layerSources(zip: string): Promise<readonly PartSource[]> {
  const { stdout } = await run(["unzip", "-p", zip, MANIFEST]);
  const { parts } = JSON.parse(stdout) as { readonly parts: readonly PartSource[] };
  return PARTS.map((wanted) => {
    const part = parts.find(({ name }) => name === wanted);
    if (part === undefined) throw new Error(`failed to find ${wanted} in ${MANIFEST} of ${zip}`);
    const source = part.source.replace(/(amd64|arm64|x86_64|aarch64)/g, "ARCH");
    return { name: part.name, version: part.version, source };
  });
}

/**
 * The sources of layers that must have the same ones.
 * @throws {Error} When a part of one is from elsewhere, or of another version, than that of the first.
 */
export async function commonSources(zips: readonly string[]): Promise<readonly PartSource[]> {
  const [first, ...others] = await Promise.all(zips.map(layerSources));
  if (first === undefined) throw new Error("failed to read the sources: no layer was given");
  for (const [index, other] of others.entries()) {
    for (const [at, { name, version, source }] of other.entries()) {
      if (version === first[at]?.version && source === first[at].source) continue;
      throw new Error(
        `failed to describe the layers: ${name} of ${zips[index + 1]} is ${version} (${source}), ` +
          `of ${zips[0]} ${first[at]?.version} (${first[at]?.source}): build both with the same ` +
          "AWS_CLI and JQ",
      );
    }
  }
  return first;
}
