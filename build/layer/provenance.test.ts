import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { SHARE } from "./paths.ts";
import { caBundleParts, writeProvenance } from "./provenance.ts";
import { checkBillOfMaterials } from "./sbom.ts";

const PRODUCT = { name: "lambda-shell-runtime", version: "1.2.3", architecture: "arm64" };

function treeWith(files: Readonly<Record<string, string>>): string {
  const tree = temporaryFolder("provenance");
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), content);
  }
  return tree;
}

describe("Mozilla's certificate authorities", () => {
  test.each([
    ["none", {}, []],
    ["one", { "aws-cli/lib/certifi/cacert.pem": "A" }, ["aws-cli/lib/certifi/cacert.pem"]],
    [
      "two, of different content",
      {
        "aws-cli/botocore/cacert.pem": "A",
        "aws-cli/pip/certifi/cacert.pem": "B",
        "etc/cacert.pem": "C",
      },
      ["aws-cli/botocore/cacert.pem", "aws-cli/pip/certifi/cacert.pem"],
    ],
  ])("have a part for each bundle: %s", (_, files, paths) => {
    const parts = caBundleParts(treeWith(files));
    expect(parts.map(({ source }) => source)).toEqual(paths.map((path) => `the AWS CLI, ${path}`));
    expect(parts.every(({ license }) => license === "MPL-2.0")).toBeTrue();
    expect(new Set(parts.map(({ purl }) => purl)).size).toBe(paths.length);
  });

  test("have a line in the bill of materials, and the text of their licence beside it", async () => {
    const tree = treeWith({ "aws-cli/botocore/cacert.pem": "A" });
    await writeProvenance(tree, PRODUCT, caBundleParts(tree));
    const folder = join(tree, SHARE);
    const licence = readFileSync(join(folder, "licenses/mozilla-ca-bundle.txt"), "utf8");
    expect(licence).toContain("Mozilla Public License");
    const bill = readFileSync(join(folder, "sbom.cdx.json"), "utf8");
    await checkBillOfMaterials(bill);
    expect(JSON.parse(bill)).toMatchObject({
      components: [{ name: "mozilla-ca-bundle", licenses: [{ expression: "MPL-2.0" }] }],
    });
  });
});
