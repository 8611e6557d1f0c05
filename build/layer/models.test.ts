import { expect, test } from "bun:test";

import { minifyJson, withoutDocumentation } from "./models.ts";

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
