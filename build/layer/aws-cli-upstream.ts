/**
 * Stages AWS's official installer of the AWS CLI, whose PGP signature must be good.
 *
 * The layout is the installer's own, with relative links:
 *
 *     aws-cli/v2/VERSION/dist/           the executable and its files
 *     aws-cli/v2/VERSION/bin/aws         -> ../dist/aws
 *     aws-cli/v2/current                 -> VERSION
 *     bin/aws                            -> ../aws-cli/v2/current/bin/aws
 *
 * @see {@link https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html}
 * @module
 */

import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { run } from "./command.ts";
import { download, sha256OfFile } from "./download.ts";
import type { LicenseText, Part } from "./part.ts";
import { LAYER, ROOT } from "./paths.ts";
import { SignatureError, verifySignature } from "./pgp-signature.ts";
import { step } from "./progress.ts";
import { fillUrl, type Sources } from "./sources.ts";
import { workFolder } from "./work-folder.ts";

/** The pinned installer: version, addresses, signer. */
export type UpstreamAwsCli = Sources["awsCli"]["upstream"];

/**
 * Downloads and verifies the installer, and returns its path.
 * @throws {SignatureError} When its signature is bad or missing: then nothing else is tried.
 * @throws {UnreachableError} When the host does not respond.
 */
export async function fetchInstaller(
  upstream: UpstreamAwsCli,
  target: Architecture,
): Promise<string> {
  const { version } = upstream;
  const name = `awscli-exe-linux-${target.machine}-${version}.zip`;
  const installer = await download(fillUrl(upstream.url, version, target), name);
  const signatureUrl = fillUrl(upstream.signatureUrl, version, target);
  const signature = await download(signatureUrl, `${name}.sig`).catch((error: unknown) => {
    throw new SignatureError(`failed to fetch the signature of ${name}: ${String(error)}`, {
      cause: error,
    });
  });
  const key = join(ROOT, upstream.key);
  try {
    await verifySignature({
      file: installer,
      signature,
      key,
      fingerprint: upstream.fingerprint,
    });
  } catch (error) {
    // What is not proven must not lie in the cache for the next run.
    for (const path of [installer, signature]) rmSync(path, { force: true });
    throw error;
  }
  return installer;
}

/** Unpacks an installer's zip into a layer's tree, as its `install` script would. */
export async function stageInstaller(
  tree: string,
  installer: string,
  source: string,
  target: Architecture,
): Promise<Part[]> {
  step(`unpack the AWS CLI for ${target.name} from ${source}`);
  const folder = workFolder("unpack");
  try {
    await run(["unzip", "-q", installer, "-d", folder]);
    const dist = join(folder, "aws/dist");
    if (!existsSync(join(dist, "aws"))) {
      throw new Error(`failed to unpack ${installer}: it holds no aws/dist/aws`);
    }
    const version = versionOf(dist, installer);
    const home = join(tree, "aws-cli/v2", version);
    mkdirSync(join(home, "bin"), { recursive: true });
    mkdirSync(join(tree, "bin"), { recursive: true });
    renameSync(dist, join(home, "dist"));
    chmodSync(join(home, "dist/aws"), 0o755);
    symlinkSync("../dist/aws", join(home, "bin/aws"));
    symlinkSync(version, join(tree, "aws-cli/v2/current"));
    symlinkSync("../aws-cli/v2/current/bin/aws", join(tree, "bin/aws"));
    return [await partOf(version, source, installer, join(folder, "aws"), target)];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The version of an unpacked installer: that of its metadata, else of its file name. */
function versionOf(dist: string, installer: string): string {
  const pattern = /(\d+\.\d+\.\d+)/;
  const metadata = readdirSync(dist).find((name) => /^awscli-\d.*\.dist-info$/.test(name));
  const version = pattern.exec(metadata ?? installer.split("/").at(-1) ?? "")?.[1];
  if (version === undefined) {
    throw new Error(
      `failed to find the version of ${installer}: its name must hold it, as in ` +
        "awscli-exe-linux-aarch64-2.38.1.zip",
    );
  }
  return version;
}

async function partOf(
  version: string,
  source: string,
  installer: string,
  unpacked: string,
  target: Architecture,
): Promise<Part> {
  const notices = ["THIRD_PARTY_LICENSES", "README.md"]
    .map((name) => join(unpacked, name))
    .filter((path) => existsSync(path))
    .map((path): LicenseText => ({
      fileName: `awscli-${path.split("/").at(-1)}.txt`,
      text: readFileSync(path, "utf8"),
    }));
  const apache: LicenseText = {
    fileName: "awscli.txt",
    text: readFileSync(join(LAYER, "licenses/Apache-2.0.txt"), "utf8"),
  };
  return {
    name: "awscli",
    version,
    license: "Apache-2.0",
    source,
    purl: `pkg:github/aws/aws-cli@${version}?arch=${target.name}`,
    sha256: await sha256OfFile(installer),
    licenses: [apache, ...notices],
  };
}
