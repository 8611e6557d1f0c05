import { expect, test } from "bun:test";

import {
  compactJson,
  decodeUtf8,
  isJson,
  JsonBoundary,
  jsonComplaint,
  rawElements,
  rawMembers,
} from "./json-text.ts";

test.each([
  ['{ "a" : [ 1.0 , 2e5 ] }', '{"a":[1.0,2e5]}'],
  ['"a  b"\n', '"a  b"'],
  ['{"a":"\\" } ", "b" : 1}', '{"a":"\\" } ","b":1}'],
  ['["\\\\" , "x"]', '["\\\\","x"]'],
])("compactJson() of %j is %j", (text, compact) => {
  expect(Buffer.from(compactJson(Buffer.from(text))).toString()).toBe(compact);
});

test.each([
  ["{}", {}],
  [' {"a":1.0,"b":{"c":[1,2]},"d":"x,y:z"}\n', { a: "1.0", b: '{"c":[1,2]}', d: '"x,y:z"' }],
  ['{"a\\":b" : 12345678901234567890 }', { 'a":b': "12345678901234567890" }],
  ['{"a":1,"a":2}', { a: "2" }],
])("rawMembers() of %j keeps each value as it is written", (text, members) => {
  expect(Object.fromEntries(rawMembers(text) ?? [])).toEqual(members);
});

test.each(["[]", "1", "null", "{", '{"a":1,}', ""])("rawMembers() of %j is nothing", (text) => {
  expect(rawMembers(text)).toBeUndefined();
});

test.each([
  ["[]", []],
  [' [ 1.0, [2,3] ,"a,b"] ', ["1.0", "[2,3]", '"a,b"']],
])("rawElements() of %j are its elements as they are written", (text, elements) => {
  expect(rawElements(text)).toEqual(elements);
});

/** Cuts a text where the boundary says so. */
function documents(text: string): string[] {
  const boundary = new JsonBoundary();
  const found: string[] = [];
  let start = 0;
  for (const [at, byte] of [...Buffer.from(text)].entries()) {
    const place = boundary.take(byte);
    if (place === "after" || place === "before") {
      found.push(text.slice(start, place === "after" ? at + 1 : at).trim());
      start = place === "after" ? at + 1 : at;
    }
  }
  return [...found, text.slice(start).trim()].filter((piece) => piece !== "");
}

test.each([
  ['{"a":1}{"b":2}', ['{"a":1}', '{"b":2}']],
  ['{"a":"}"}\n[1,[2]]', ['{"a":"}"}', "[1,[2]]"]],
  ['1 2\n"x""y"', ["1", "2", '"x"', '"y"']],
  ["12{}", ["12", "{}"]],
  ['"\\"{" {', ['"\\"{"', "{"]],
  ["} {}", ["}", "{}"]],
])("the documents of %j are %j", (text, expected) => {
  expect(documents(text)).toEqual(expected);
});

/** Random JSON text with white space, from a fixed seed. */
function* randomDocuments(count: number): Generator<string> {
  let state = 1;
  const random = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  const space = () => ["", " ", "\n\t"][random(3)] ?? "";
  const scalars = [
    "1.0",
    "-0",
    "1e400",
    '"a,b"',
    '"\\\\"',
    '"\\"[{:"',
    "null",
    "12345678901234567",
  ];
  const value = (depth: number): string => {
    const kind = depth > 3 ? 2 : random(3);
    if (kind === 2) return scalars[random(scalars.length)] ?? "0";
    const items = Array.from({ length: random(4) }, () => value(depth + 1));
    const wrap = (open: string, parts: readonly string[], close: string) =>
      `${open}${space()}${parts.join(`${space()},${space()}`)}${space()}${close}`;
    if (kind === 0) return wrap("[", items, "]");
    return wrap(
      "{",
      items.map((item, at) => `"k${at}:"${space()}:${item}`),
      "}",
    );
  };
  for (let made = 0; made < count; made += 1) yield value(0);
}

test("random documents keep their tokens, and their parts put together are the whole", () => {
  for (const json of randomDocuments(2_000)) {
    const compact = Buffer.from(compactJson(Buffer.from(json))).toString();
    expect(compact).toBe(json.replaceAll(/[\n\t ]/g, ""));
    const [first] = compact;
    if (first === "[") expect(`[${rawElements(compact)?.join(",")}]`).toBe(compact);
    if (first !== "{") continue;
    const members = [...(rawMembers(json) ?? [])];
    const written = members.map(([name, raw]) => `${JSON.stringify(name)}:${raw}`).join(",");
    expect(Buffer.from(compactJson(Buffer.from(`{${written}}`))).toString()).toBe(compact);
    expect(documents(json)).toEqual([json]);
  }
});

test("bytes that are not UTF-8 are not text and not JSON", () => {
  expect(decodeUtf8(Uint8Array.of(0x22, 0xff, 0x22))).toBeUndefined();
  expect(isJson(Uint8Array.of(0x22, 0xff, 0x22))).toBe(false);
  expect(decodeUtf8(Buffer.from("\ufeffä"))).toBe("\ufeffä");
});

/** More levels than a parser can have that calls itself for each. */
const DEEP = "[".repeat(200_000);

test.each([
  ['{"a":1}', undefined],
  ['\ufeff{"a":1}', undefined],
  [`${DEEP}${"]".repeat(DEEP.length)}`, undefined],
  ['{"a":1}{"b":2}', 'offset 7: unexpected "{"'],
  ["1 2 3", 'offset 2: unexpected "2"'],
  ['{"a":1', 'offset 6: it ends before the closing "}"'],
  ["", "offset 0: expected a value, got the end"],
  [DEEP, "lists and objects in it are nested too deeply to tell where it is wrong"],
])("jsonComplaint() of %#: the place and what is wrong there", (text, complaint) => {
  expect(jsonComplaint(Buffer.from(text))).toBe(complaint);
});

test("jsonComplaint() of bytes that are not text says so", () => {
  expect(jsonComplaint(Uint8Array.of(0x22, 0xff, 0x22))).toBe("it is not UTF-8");
});
