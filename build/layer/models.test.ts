import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { compressModels, keptModel, minifyJson, withoutDocumentation } from "./models.ts";

test("minifyJson() removes white space between tokens and keeps strings and digits", () => {
  const text = `{\n  "a" : [ 1 , 9223372036854775807, 1.0e-7 ],\t"b c" : " two  \\" spaces \\\\",\r\n "d":{}\n}\n`;
  const minified = minifyJson(text);
  expect(minified).toBe(
    '{"a":[1,9223372036854775807,1.0e-7],"b c":" two  \\" spaces \\\\","d":{}}',
  );
  expect(JSON.parse(minified)).toEqual(JSON.parse(text));
});

test.each([
  ['{"documentation":"x"}', "{}"],
  ['{"documentation":"x","a":1}', '{"a":1}'],
  ['{"a":1,"documentation":"say \\"documentation\\":\\"no\\", please"}', '{"a":1}'],
  ['{"a":1,"documentation":"x","b":2}', '{"a":1,"b":2}'],
  ['{"a":{"documentation":"x"},"documentation":"y"}', '{"a":{}}'],
  ['{"documentation":{"type":"string"}}', '{"documentation":{"type":"string"}}'],
])("withoutDocumentation(%j) is %j", (text, expected) => {
  expect(withoutDocumentation(text)).toBe(expected);
});

test.each([
  ["empty", () => Buffer.alloc(0)],
  ["cut off", (kept: Buffer) => kept.subarray(0, -1)],
  ["not zstd", () => Buffer.from("<html>")],
  ["another model", () => Buffer.from(Bun.zstdCompressSync('{"other":1}'))],
])("a compressed model in the cache that is %s is made again", async (_, damage) => {
  const text = `{ "model": "${crypto.randomUUID()}" }`;
  const kept = keptModel(Buffer.from(minifyJson(text)));
  const path =
    "aws-cli/lib/python3.14/site-packages/awscli/botocore/data/s/2020-01-01/service-2.json";
  for (const isDamaged of [false, true, false]) {
    if (isDamaged) writeFileSync(kept, damage(readFileSync(kept)));
    const tree = temporaryFolder("models");
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
    await compressModels(tree, false);
    const model = await Bun.zstdDecompress(readFileSync(join(tree, `${path}.zst`)));
    expect(Buffer.from(model).toString()).toBe(minifyJson(text));
  }
  rmSync(kept);
});
