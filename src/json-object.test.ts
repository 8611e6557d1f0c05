import { expect, test } from "bun:test";

import { isObject, memberOf, membersOf, parsedObject } from "./json-object.ts";

test.each(['{"a":1}', "{}", ' {"a":{"b":null}}\n'])("%s is an object", (json) => {
  const value = JSON.parse(json);
  expect(isObject(value)).toBe(true);
  expect(membersOf(value)).toBe(value);
  expect(parsedObject(json)).toEqual(value);
});

test.each(["[]", '[{"a":1}]', "null", "1", '"{}"', "true"])("%s is not an object", (json) => {
  const value = JSON.parse(json);
  expect(isObject(value)).toBe(false);
  expect(membersOf(value)).toEqual({});
  expect(parsedObject(json)).toBeUndefined();
});

test.each(["", "{", "{}{}", "\ufeff{}"])("%j is not JSON", (text) => {
  expect(parsedObject(text)).toBeUndefined();
});

test.each([
  [[], { a: { b: 1, c: null } }],
  [["a"], { b: 1, c: null }],
  [["a", "b"], 1],
  [["a", "c"], null],
  [["a", "c", "d"], undefined],
  [["x"], undefined],
  [["x", "y"], undefined],
  [["toString"], undefined],
  [["a", "constructor", "name"], undefined],
])("what stands at %j", (path, value) => {
  expect(memberOf({ a: { b: 1, c: null } }, ...path)).toEqual(value);
});
