/** How standard input is cut into events, in whatever pieces it comes. */

import { expect, test } from "bun:test";

import { framedEvents, FRAMINGS } from "./stdio.ts";

async function* piecesOf(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += length) yield bytes.subarray(at, at + length);
}

async function events(bytes: Uint8Array, length: number, framing: (typeof FRAMINGS)[number]) {
  const found: string[] = [];
  for await (const event of framedEvents(piecesOf(bytes, length), framing)) {
    found.push(event.kind === "event" ? Buffer.from(event.bytes).toString() : event.reason);
  }
  return found;
}

const MARK = "\ufeff";

test.each([
  [`${MARK}{"a":1}\n`, ['{"a":1}']],
  [`${MARK}{\n"a":1\n}\n`, ['{\n"a":1\n}']],
  [`${MARK}{"a":1}\n{"b":2}\n`, ['{"a":1}', '{"b":2}']],
  [`${MARK}`, []],
  [`${MARK}\n`, ["{}"]],
  [`"${MARK}"\n`, [`"${MARK}"`]],
])("%j: a byte-order mark at the beginning is not a part of an event", async (text, expected) => {
  for (const length of [1, 2, 3, 4, 1000]) {
    expect(await events(Buffer.from(text), length, "auto")).toEqual(expected);
  }
});

test.each(FRAMINGS)("with --framing %s, too", async (framing) => {
  expect(await events(Buffer.from(`${MARK}{"a":1}`), 2, framing)).toEqual(['{"a":1}']);
});

test("what only begins like one is kept", async () => {
  for (const length of [1, 2, 1000]) {
    const bytes = Buffer.from([0xef, 0xbb, 0x31]);
    expect(await events(bytes, length, "lines")).toEqual(["invalid JSON: it is not UTF-8"]);
    const begun = bytes.subarray(0, 2);
    expect(await events(begun, length, "lines")).toEqual(["invalid JSON: it is not UTF-8"]);
  }
});

test.each([
  ["\n", "{}"],
  [" \t\r\n", "{}"],
  ["\xa0\n", "invalid JSON: it is not UTF-8"],
  ["\f\n", 'invalid JSON: offset 0: unexpected "\\f"'],
  ["\v\n", 'invalid JSON: offset 0: unexpected "\\u000b"'],
])(
  "a line is empty only where it has nothing but JSON's white space: %j",
  async (text, expected) => {
    for (const framing of ["lines", "auto"] as const) {
      expect(await events(Buffer.from(text, "latin1"), 1000, framing)).toEqual([expected]);
    }
  },
);
