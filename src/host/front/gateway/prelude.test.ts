import { expect, test } from "bun:test";

import {
  CONTENT_TYPE,
  PRELUDE_BYTES_MAX,
  PRELUDE_DELIMITER,
} from "../../../runtime-api/contract.ts";
import { splitPrelude, streamedResponse } from "./prelude.ts";

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const TYPE = CONTENT_TYPE.httpIntegrationResponse;

async function split(prelude: string, body: string, size: number, type: string | undefined = TYPE) {
  const bytes = Buffer.concat([Buffer.from(prelude), PRELUDE_DELIMITER, Buffer.from(body)]);
  const { prelude: parsed, body: rest } = await splitPrelude(pieces(bytes, size), type);
  const chunks: Uint8Array[] = [];
  for await (const chunk of rest) chunks.push(chunk);
  return { parsed, rest: Buffer.concat(chunks), whole: bytes };
}

/** A prelude of so many bytes. */
const prelude = (length: number) => `{"statusCode":201,"pad":"${"x".repeat(length - 27)}"}`;

test.each([1, 7, 8, 9, 1000])("a prelude in pieces of %d bytes is found", async (size) => {
  const { parsed, rest } = await split('{"statusCode":201}', "body", size);
  expect(parsed).toEqual({ statusCode: 201 });
  expect(rest.toString()).toBe("body");
});

test.each([1_000, PRELUDE_BYTES_MAX * 2])(
  "a prelude ends with its delimiter within the limit, in pieces of %d bytes",
  async (size) => {
    const longest = PRELUDE_BYTES_MAX - PRELUDE_DELIMITER.length;
    const within = await split(prelude(longest), "body", size);
    expect([within.parsed?.["statusCode"], within.rest.toString()]).toEqual([201, "body"]);
    const beyond = await split(prelude(longest + 1), "body", size);
    expect(beyond.parsed).toBeUndefined();
    expect(beyond.rest.equals(beyond.whole)).toBe(true);
  },
);

test("a stream that does not begin with a JSON object is passed on whole", async () => {
  for (const text of ["", "[1]", "{no json}", '"text"']) {
    const { parsed, rest, whole } = await split(text, "body", 3);
    expect(parsed).toBeUndefined();
    expect(rest.equals(whole)).toBe(true);
  }
});

test.each([undefined, "text/plain", "application/json", "application/octet-stream"])(
  "a stream of the type %s is passed on from its first byte: only its type can announce a prelude",
  async (type) => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield Buffer.from("{");
      await Promise.withResolvers().promise;
    }
    const { prelude: parsed, body } = await splitPrelude(endless(), type);
    expect(parsed).toBeUndefined();
    for await (const chunk of body) {
      expect(Buffer.from(chunk).toString()).toBe("{");
      break;
    }
  },
);

test("a stream without a delimiter within the limit is passed on while it goes on", async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("{".padEnd(PRELUDE_BYTES_MAX));
    await Promise.withResolvers().promise;
  }
  const { prelude: parsed, body } = await splitPrelude(endless(), TYPE);
  expect(parsed).toBeUndefined();
  for await (const chunk of body) {
    expect(chunk.byteLength).toBe(PRELUDE_BYTES_MAX);
    break;
  }
});

type Header = readonly [string, string];
const BYTES: Header = ["Content-Type", "application/octet-stream"];

test.each<[string, Record<string, unknown> | undefined, string | undefined, number, Header[]]>([
  ["no prelude", undefined, undefined, 200, [BYTES]],
  ["no prelude, with a type", undefined, "text/plain", 200, [["Content-Type", "text/plain"]]],
  ["{}", {}, "text/plain", 200, [BYTES]],
  ["a status as text", { statusCode: "404" }, undefined, 404, [BYTES]],
  [
    "a type in any case",
    { headers: { "content-TYPE": "text/csv" } },
    undefined,
    200,
    [["content-TYPE", "text/csv"]],
  ],
  [
    "a length, which is not that of the chunks",
    { headers: { "Content-Length": 3 } },
    undefined,
    200,
    [["x-amzn-remapped-content-length", "3"], BYTES],
  ],
])("the response to a stream with %s", (_, parsed, type, status, headers) => {
  const body = pieces(Buffer.from("body"), 4);
  const response = streamedResponse({ prelude: parsed, body, discard: async () => {} }, type);
  expect(response).toEqual({ status, headers, body });
});

test.each([
  ["headers", { headers: { a: ["b"] } }],
  ["multiValueHeaders", { multiValueHeaders: { a: [{}] } }],
  ["cookies", { cookies: [["a=b"]] }],
])(
  "a prelude with a list or an object in place of text in its %s makes no response",
  (_, parsed) => {
    const body = pieces(Buffer.from("body"), 4);
    const split = { prelude: parsed, body, discard: async () => {} };
    expect(streamedResponse(split)).toBeUndefined();
  },
);
