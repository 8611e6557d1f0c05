/**
 * SAM's templates as the CloudFormation templates that AWS makes of them.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../../src/testing/temporary-folder.ts";
import { ROOT } from "../layer-dist.ts";
import { pythonProgram } from "../moto-server.ts";
import { run } from "../run.ts";

/**
 * What AWS's transform makes of a template, as if its code were in a bucket or a registry already.
 * @param name Path of the template from layer/.
 */
export async function translateSam(name: string): Promise<unknown> {
  const text = readFileSync(join(ROOT, "layer", name), "utf8")
    .replace(/CodeUri: .*/g, "CodeUri: s3://code-bucket/code.zip")
    .replace(/ContentUri: .*/g, "ContentUri: s3://code-bucket/layer.zip")
    .replace(/PackageType: Image/g, "PackageType: Image\n      ImageUri: registry/image:tag");
  const file = join(temporaryFolder("translate"), "template.yaml");
  writeFileSync(file, text);
  const program = join(import.meta.dir, "translate_sam.py");
  const env = { AWS_DEFAULT_REGION: "us-east-1" };
  return JSON.parse((await run([pythonProgram("python"), program, file], { env })).stdout);
}
