import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { prune } from "./prune.ts";
import { walk } from "./tree.ts";

const ROOTS = ["aws-cli/lib/python3.14/site-packages", "aws-cli/v2/2.38.1/dist"];

test("prune() removes the examples of the CLI, but not what a help page cannot be made without", () => {
  const needed = ["global_options.rst", "s3/_concepts.rst", "emr/create-cluster-synopsis.txt"];
  const tree = temporaryFolder("prune");
  for (const root of ROOTS) {
    for (const name of [...needed, "s3/cp.rst", "ec2/run-instances.rst"]) {
      const path = join(tree, root, "awscli/examples", name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "12345");
    }
  }
  const [examples] = prune(tree);
  expect(examples).toMatchObject({ files: 4, bytes: 20 });
  const left = walk(tree).map(({ path }) => path);
  expect(left.sort()).toEqual(
    ROOTS.flatMap((root) => needed.map((name) => `${root}/awscli/examples/${name}`)).sort(),
  );
});
