/** The functions that loops of a template make. */

import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { temporaryFolder } from "../testing/temporary-folder.ts";
import { templateFunctions } from "./function.ts";

const LOOPS = `
Parameters: { Names: { Type: CommaDelimitedList, Default: "one,two-b" } }
Mappings: { Of: { Stage: { Names: [x, y] } } }
Resources:
  Plain: { Type: "AWS::SNS::Topic" }
  "Fn::ForEach::Functions":
    - Name
    - COLLECTION
    - "&{Name}Function":
        Type: AWS::Serverless::Function
        Properties:
          CodeUri: "src/\${Name}"
          FunctionName: !Ref Name
          Handler: !Sub "\${Name}.handler"
          Environment: { Variables: { NAME: !Join ["-", [a, !Ref Name]], "OF_\${Name}": "\${Other}" } }
`;

test.each([
  ["[one, two-b]", ["oneFunction", "twobFunction"], ["one", "two-b"]],
  ["!Ref Names", ["oneFunction", "twobFunction"], ["one", "two-b"]],
  ["!FindInMap [Of, Stage, Names]", ["xFunction", "yFunction"], ["x", "y"]],
  ['!Split [" ", "p q"]', ["pFunction", "qFunction"], ["p", "q"]],
  ["[]", [], []],
  // Only a deployment knows these, or refuses them.
  ["!Ref Unknown", [], []],
  ["text", [], []],
])("Fn::ForEach over %s makes functions", (collection, logicalIds, names) => {
  const path = join(temporaryFolder("template"), "template.yaml");
  writeFileSync(path, LOOPS.replace("COLLECTION", collection));
  const { functions } = templateFunctions(path);
  expect(functions.map(({ logicalId }) => logicalId)).toEqual(logicalIds);
  expect(functions.map(({ name }) => name)).toEqual(names);
  for (const [index, { handler, directory, variables }] of functions.entries()) {
    const name = names[index];
    expect(handler).toBe(`${name}.handler`);
    expect(directory).toBe(join(dirname(path), "src", String(name)));
    expect(variables).toEqual({ NAME: `a-${name}`, [`OF_${name}`]: "${Other}" });
  }
});

test("loops within loops make functions, and what is not a loop is left alone", () => {
  const path = join(temporaryFolder("template"), "template.yaml");
  const inner = `["Stage", ["test", "live"], { "\${Stage}\${Name}": { "Type": "AWS::Lambda::Function" } }]`;
  const outer = `["Name", ["A", "B"], { "Fn::ForEach::Stages": ${inner} }]`;
  const wrong = `"Fn::ForEach::No": 1, "Fn::ForEach::Short": ["x"], "Fn::ForEach::Null": ["x", ["y"], null]`;
  writeFileSync(path, `{ "Resources": { "Fn::ForEach::Names": ${outer}, ${wrong} } }`);
  const { functions } = templateFunctions(path);
  expect(functions.map(({ logicalId }) => logicalId)).toEqual(["testA", "liveA", "testB", "liveB"]);
});

test("loops that multiply end in one message", () => {
  const path = join(temporaryFolder("template"), "template.yaml");
  const items = JSON.stringify(Array.from({ length: 100 }, (_, index) => `i${index}`));
  const loop = (inner: string, depth: number) =>
    `{ "Fn::ForEach::L${depth}": ["N${depth}", ${items}, ${inner}] }`;
  const innermost = '{ "F${N1}": { "Type": "AWS::Lambda::Function" } }';
  const resources = [1, 2, 3, 4].reduce((inner, depth) => loop(inner, depth), innermost);
  writeFileSync(path, `{ "Resources": ${resources} }`);
  expect(() => templateFunctions(path)).toThrow(
    `${path}: Fn::ForEach makes more than a template's 500 resources`,
  );
});
