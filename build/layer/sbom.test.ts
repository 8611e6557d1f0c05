import { expect, test } from "bun:test";

import type { Part } from "./part.ts";
import { billOfMaterials, checkBillOfMaterials } from "./sbom.ts";

const PRODUCT = { name: "lambda-shell-runtime", version: "1.2.3", architecture: "arm64" };
const PART: Part = {
  name: "libc6",
  version: "2.41-12+deb13u4",
  license: "LGPL-2.1-or-later",
  source: "https://example.org/libc6.deb",
  purl: "pkg:deb/debian/libc6@2.41-12%2Bdeb13u4?arch=arm64",
  sha256: "ab".repeat(32),
  licenses: [],
};
const STRANGE: Part = {
  ...PART,
  name: "docutils",
  license: "LicenseRef-docutils",
  purl: "pkg:a/b",
};

test("billOfMaterials() is valid CycloneDX and the same whatever the order of parts", async () => {
  const bill = billOfMaterials(PRODUCT, [PART, STRANGE]);
  await checkBillOfMaterials(bill);
  expect(billOfMaterials(PRODUCT, [STRANGE, PART])).toBe(bill);
  expect(JSON.parse(bill)).toMatchObject({
    bomFormat: "CycloneDX",
    metadata: { component: { name: "lambda-shell-runtime", version: "1.2.3" } },
    components: [
      { name: "docutils", licenses: [{ license: { name: "docutils" } }] },
      {
        name: "libc6",
        hashes: [{ alg: "SHA-256", content: PART.sha256 }],
        licenses: [{ expression: "LGPL-2.1-or-later" }],
      },
    ],
  });
});

test("checkBillOfMaterials() refuses what the schema does not know", async () => {
  const bill = JSON.parse(billOfMaterials(PRODUCT, [PART])) as { components: object[] };
  bill.components.push({ name: "without a type" });
  await expect(checkBillOfMaterials(JSON.stringify(bill))).rejects.toThrow(
    "failed to validate the bill of materials",
  );
});
