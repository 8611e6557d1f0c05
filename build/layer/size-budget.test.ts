import { expect, test } from "bun:test";

import { budgetOf, checkBudget } from "./size-budget.ts";

const FILES = [
  { path: "bootstrap", bytes: 100 },
  { path: "aws-cli/lib/python3.13/site-packages/awscli/data.json", bytes: 1_000 },
  { path: "aws-cli/lib/python3.13/os.pyc", bytes: 20 },
];

test("the budgets are those that the layer was promised to keep", () => {
  expect(budgetOf("layer")).toEqual({ unzipped: 142_000_000, zipped: 64_000_000 });
  expect(budgetOf("slim")).toEqual({ unzipped: 76_000_000, zipped: 30_500_000 });
  expect(budgetOf("bootstrap")).toEqual({ unzipped: 74_000_000, zipped: 29_500_000 });
});

test("checkBudget() lets a zip of exactly its budget pass", () => {
  checkBudget("layer.zip", "layer", { ...budgetOf("layer"), files: FILES });
});

test.each(["unzipped", "zipped"] as const)(
  "checkBudget() refuses one byte more %s, and shows the largest parts",
  (side) => {
    const size = { ...budgetOf("layer"), files: FILES };
    expect(() => checkBudget("layer.zip", "layer", { ...size, [side]: size[side] + 1 })).toThrow(
      /failed to keep layer\.zip in its budget.*\naws-cli\/lib\/python3\.13\/site-packages +1000\n/s,
    );
  },
);
