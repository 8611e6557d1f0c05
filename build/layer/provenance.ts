/**
 * Writes a layer's papers into `share/lambda-shell-runtime/`: the manifest of its parts, its bill
 * of materials, and the licence text of each.
 *
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Architecture } from "../architectures.ts";
import { bunExecutable, lockedBun } from "../bun-executable.ts";
import { sha256OfFile } from "./download.ts";
import type { Part } from "./part.ts";
import { LAYER, ROOT, SHARE } from "./paths.ts";
import { billOfMaterials, checkBillOfMaterials } from "./sbom.ts";

/** A licence that a Debian copyright file only names, such as /usr/share/common-licenses/GPL-2. */
const COMMON_LICENSE = /common-licenses\/([A-Za-z]+(?:-[0-9.]*[0-9])?)/g;

/** The text that a name without a version stands for in Debian. */
const NEWEST_VERSIONS: Readonly<Record<string, string>> = {
  GPL: "GPL-3",
  LGPL: "LGPL-3",
  GFDL: "GFDL-1.3",
};

/** Our executable, with the Bun that it is compiled with. */
export async function bootstrapParts(
  target: Architecture,
  version: string,
  sha256: string,
): Promise<Part[]> {
  const text = (name: string) => readFileSync(join(LAYER, "licenses", name), "utf8");
  const bun = lockedBun(target);
  return [
    {
      name: "lambda-shell-runtime",
      version,
      license: "Apache-2.0",
      source: "this repository: src/bootstrap.ts",
      purl: `pkg:generic/lambda-shell-runtime@${version}?arch=${target.name}`,
      sha256,
      licenses: [
        { fileName: "lambda-shell-runtime.txt", text: text("Apache-2.0.txt") },
        {
          fileName: "lambda-shell-runtime-NOTICE.txt",
          text: readFileSync(join(ROOT, "NOTICE"), "utf8"),
        },
      ],
    },
    {
      name: "bun",
      version: bun.version,
      license: "MIT AND LGPL-2.0-or-later",
      source: `npm, ${target.bunPackage} ${bun.version}`,
      purl: `pkg:npm/${target.bunPackage.replace("@", "%40")}@${bun.version}`,
      sha256: await sha256OfFile(await bunExecutable(target)),
      licenses: [
        { fileName: "bun.txt", text: text("bun.txt") },
        { fileName: "LGPL-2.txt", text: text("common/LGPL-2") },
      ],
    },
  ];
}

/**
 * Mozilla's certificate authorities, which the AWS CLI brings along in one file: their terms are
 * their own.
 */
export function caBundleParts(tree: string): Part[] {
  const paths = [...new Bun.Glob("aws-cli/**/cacert.pem").scanSync({ cwd: tree })].sort();
  return paths.map((path) => {
    const content = readFileSync(join(tree, path));
    const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    return {
      name: "mozilla-ca-bundle",
      // It has no version of its own: its content names it.
      version: sha256.slice(0, 12),
      license: "MPL-2.0",
      source: `the AWS CLI, ${path}`,
      purl: `pkg:generic/mozilla-ca-bundle@${sha256.slice(0, 12)}`,
      sha256,
      licenses: [
        {
          fileName: "mozilla-ca-bundle.txt",
          text: readFileSync(join(LAYER, "licenses/common/MPL-2.0"), "utf8"),
        },
      ],
    };
  });
}

/** Writes the papers into a staged tree. */
export async function writeProvenance(
  tree: string,
  product: {
    readonly name: string;
    readonly version: string;
    readonly architecture: string;
  },
  parts: readonly Part[],
): Promise<void> {
  const folder = join(tree, SHARE);
  const licenses = join(folder, "licenses");
  mkdirSync(licenses, { recursive: true });
  const manifest = parts.map(({ licenses: texts, ...part }) => ({
    ...part,
    licenseFiles: texts.map(({ fileName }) => `licenses/${fileName}`),
  }));
  writeFileSync(
    join(folder, "manifest.json"),
    `${JSON.stringify({ ...product, parts: manifest }, null, 2)}\n`,
  );
  const bill = billOfMaterials(product, parts);
  await checkBillOfMaterials(bill);
  writeFileSync(join(folder, "sbom.cdx.json"), bill);
  const texts = parts.flatMap((part) => part.licenses);
  for (const { fileName, text } of texts) writeFileSync(join(licenses, fileName), text);
  const all = texts.map(({ text }) => text).join("\n");
  const named = [...all.matchAll(COMMON_LICENSE)].map(([, name = ""]) => name);
  for (const name of new Set(named.map((name) => NEWEST_VERSIONS[name] ?? name))) {
    const text = readFileSync(join(LAYER, "licenses/common", name), "utf8");
    writeFileSync(join(licenses, `common-${name}.txt`), text);
  }
}
