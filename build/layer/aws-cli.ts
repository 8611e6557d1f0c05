/**
 * Puts the AWS CLI into a layer's tree, from the source that AWS_CLI chooses:
 *
 *     upstream       AWS's installer, its signature verified
 *     debian         Debian's package with its Python
 *     /path/to/zip   an installer that you have fetched and verified yourself
 *     auto           upstream, and debian where AWS's host cannot be reached (the default)
 *
 * @module
 */

import { existsSync } from "node:fs";

import type { Architecture } from "../architectures.ts";
import { stageDebianAwsCli } from "./aws-cli-debian.ts";
import { fetchInstaller, stageInstaller, type UpstreamAwsCli } from "./aws-cli-upstream.ts";
import { UnreachableError } from "./download.ts";
import type { Part } from "./part.ts";
import { step } from "./progress.ts";
import { fillUrl, SOURCES } from "./sources.ts";

/** Where a staged AWS CLI came from, and what it consists of. */
export interface StagedAwsCli {
  /** `debian` has its own Python, whose modules and models we can compile and compress. */
  readonly kind: "debian" | "upstream";
  readonly version: string;
  readonly parts: readonly Part[];
}

/**
 * Stages the AWS CLI.
 * @param choice The value of AWS_CLI.
 * @param upstream The pinned installer; tests have their own.
 * @throws {SignatureError} When the installer's signature is bad or missing, with any choice.
 */
export async function stageAwsCli(
  tree: string,
  target: Architecture,
  choice: string,
  upstream: UpstreamAwsCli = SOURCES.awsCli.upstream,
): Promise<StagedAwsCli> {
  if (choice === "debian") return fromDebian(tree, target);
  if (choice === "upstream") return fromUpstream(tree, target, upstream);
  if (choice === "auto") {
    try {
      return await fromUpstream(tree, target, upstream);
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      step(`AWS CLI: ${error.message}; taking Debian's instead (AWS_CLI=debian)`);
      return fromDebian(tree, target);
    }
  }
  if (!existsSync(choice)) {
    throw new Error(
      `failed to find the AWS CLI at ${choice}: AWS_CLI is auto, upstream, debian or a zip's path`,
    );
  }
  return installed(await stageInstaller(tree, choice, "a file given by AWS_CLI", target));
}

async function fromUpstream(
  tree: string,
  target: Architecture,
  upstream: UpstreamAwsCli,
): Promise<StagedAwsCli> {
  const installer = await fetchInstaller(upstream, target);
  const url = fillUrl(upstream.url, upstream.version, target);
  return installed(await stageInstaller(tree, installer, url, target));
}

async function fromDebian(tree: string, target: Architecture): Promise<StagedAwsCli> {
  const parts = await stageDebianAwsCli(tree, target);
  const cli = parts.find(({ name }) => name === SOURCES.awsCli.debian.package);
  return { kind: "debian", version: cli?.version ?? "unknown", parts };
}

function installed(parts: readonly Part[]): StagedAwsCli {
  return { kind: "upstream", version: parts[0]?.version ?? "unknown", parts };
}
