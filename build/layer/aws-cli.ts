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

import { existsSync, statSync } from "node:fs";

import type { Architecture } from "../architectures.ts";
import { newestInput, stageDebianAwsCli } from "./aws-cli-debian.ts";
import { fetchInstaller, stageInstaller, type UpstreamAwsCli } from "./aws-cli-upstream.ts";
import { takeReachable } from "./download.ts";
import { type AwsCliInput, type DebianInput, fetchRecorded } from "./inputs.ts";
import type { Part } from "./part.ts";
import { fillUrl, SOURCES } from "./sources.ts";

/** Where a staged AWS CLI came from, and what it consists of. */
export interface StagedAwsCli {
  /** `debian` has its own Python, whose modules and models we can compile and compress. */
  readonly kind: "debian" | "upstream";
  readonly version: string;
  readonly parts: readonly Part[];
  /** What it was taken from, for the record. */
  readonly input: AwsCliInput;
}

/** How to choose the AWS CLI. */
export interface AwsCliChoice {
  /** The value of AWS_CLI. */
  readonly choice: string;
  /** What an earlier build took: then exactly that is taken. */
  readonly recorded?: AwsCliInput | undefined;
  /** The pinned installer; tests have their own. */
  readonly upstream?: UpstreamAwsCli;
}

/**
 * Stages the AWS CLI.
 * @throws {SignatureError} When the installer's signature is bad or missing, with any choice.
 * @throws {DebianError} When Debian's archive cannot give it.
 */
export async function stageAwsCli(
  tree: string,
  target: Architecture,
  { choice, recorded, upstream = SOURCES.awsCli.upstream }: AwsCliChoice,
): Promise<StagedAwsCli> {
  if (recorded !== undefined) return fromRecord(tree, target, recorded, choice, upstream);
  if (choice === "debian") return fromDebian(tree, target, await newestInput(target));
  if (choice === "upstream") return fromUpstream(tree, target, upstream);
  if (choice === "auto") {
    return takeReachable("AWS CLI", () => fromUpstream(tree, target, upstream), {
      words: "taking Debian's instead (AWS_CLI=debian)",
      take: async () => fromDebian(tree, target, await newestInput(target)),
    });
  }
  return fromFile(tree, target, choice);
}

async function fromRecord(
  tree: string,
  target: Architecture,
  recorded: AwsCliInput,
  choice: string,
  pinned: UpstreamAwsCli,
): Promise<StagedAwsCli> {
  if (recorded.kind === "debian") {
    await fetchRecorded(recorded, target);
    return fromDebian(tree, target, recorded);
  }
  if (recorded.kind === "file" && ["auto", "debian", "upstream"].includes(choice)) {
    throw new Error(
      `failed to build from the recorded inputs: their AWS CLI ${recorded.version} was a file: ` +
        "name it with AWS_CLI=/path/to/zip",
    );
  }
  const staged =
    recorded.kind === "upstream"
      ? await fromUpstream(tree, target, { ...pinned, version: recorded.version })
      : await fromFile(tree, target, choice);
  if ("sha256" in staged.input && staged.input.sha256 === recorded.sha256) return staged;
  throw new Error(
    `failed to build from the recorded inputs: the AWS CLI ${staged.version} is not the recorded file` +
      (recorded.kind === "file" ? "; name that with AWS_CLI=/path/to/zip" : ""),
  );
}

async function fromFile(tree: string, target: Architecture, path: string): Promise<StagedAwsCli> {
  if (!existsSync(path) || !statSync(path).isFile()) {
    throw new Error(
      `failed to find the AWS CLI at ${path}: AWS_CLI must be auto, upstream, debian or a zip's path`,
    );
  }
  const parts = await stageInstaller(tree, path, "a file given by AWS_CLI", target);
  const { version, sha256 } = firstOf(parts);
  return { kind: "upstream", version, parts, input: { kind: "file", version, sha256 } };
}

async function fromUpstream(
  tree: string,
  target: Architecture,
  upstream: UpstreamAwsCli,
): Promise<StagedAwsCli> {
  const installer = await fetchInstaller(upstream, target);
  const url = fillUrl(upstream.url, upstream.version, target);
  const parts = await stageInstaller(tree, installer, url, target);
  const { version, sha256 } = firstOf(parts);
  return { kind: "upstream", version, parts, input: { kind: "upstream", version, url, sha256 } };
}

async function fromDebian(
  tree: string,
  target: Architecture,
  input: DebianInput,
): Promise<StagedAwsCli> {
  const parts = await stageDebianAwsCli(tree, target, input);
  const cli = parts.find(({ name }) => name === SOURCES.awsCli.debian.package) ?? firstOf(parts);
  return { kind: "debian", version: cli.version, parts, input };
}

function firstOf(parts: readonly Part[]): Part {
  const [first] = parts;
  if (first === undefined) throw new Error("failed to stage the AWS CLI: it has no parts");
  return first;
}
