import { describe, expect, test } from "bun:test";

import {
  type ExpectedResponse,
  plain,
  readerOf,
  tryDamagedResponses,
  tryValidResponses,
} from "../testing/http-responses.ts";
import { Random } from "../testing/random.ts";
import { ConnectionError, HttpResponseReader, HttpSyntaxError } from "./http-response-reader.ts";

/** Reads the first response of a text, in one piece, byte by byte and in others: all the same. */
function read(text: string): ExpectedResponse {
  const bytes = Buffer.from(text, "latin1");
  const readIn = (pieces: readonly number[]) => {
    try {
      return plain(readerOf(bytes, pieces).read());
    } catch (error) {
      return error as Error;
    }
  };
  const first = readIn([bytes.length]);
  for (const pieces of [[1], [2], [3], [7], [1, 1000]]) expect(readIn(pieces)).toEqual(first);
  if (first instanceof Error) throw first;
  return first;
}

const OK = "HTTP/1.1 200 OK\r\n";

describe("the status line", () => {
  test.each([
    ["HTTP/1.1 200 OK", 200],
    ["HTTP/1.1 202 ", 202],
    ["HTTP/1.1 202", 202],
    ["HTTP/1.0 500 Internal Server Error", 500],
    ["HTTP/1.9 413 x", 413],
    ["HTTP/1.1 999 \u00ff", 999],
    ["HTTP/1.1 101 Switching Protocols", 101],
  ])("%p is status %d", (line, status) => {
    expect(read(`${line}\r\nContent-Length: 0\r\n\r\n`)).toMatchObject({ status });
  });

  test.each([
    "",
    "HTTP/1.1",
    "HTTP/1.1 ",
    "HTTP/1.1 20",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1 099 OK",
    "HTTP/1.1 1e2 OK",
    "HTTP/1.1  20 OK",
    "HTTP/1.1 +20 OK",
    "HTTP/1.1 2 0 OK",
    "HTTP/1.1\t200 OK",
    "HTTP/1.x 200 OK",
    "HTTP/2.0 200 OK",
    "HTTP/11 200 OK",
    "http/1.1 200 OK",
    " HTTP/1.1 200 OK",
    "ICY 200 OK",
    "<html>",
  ])("%p is not HTTP", (line) => {
    expect(() => read(`${line}\r\nContent-Length: 0\r\n\r\n`)).toThrow(HttpSyntaxError);
  });
});

describe("the fields", () => {
  test.each([
    ["a: b", { a: "b" }],
    ["A:b", { a: "b" }],
    ["a:\t b \t", { a: "b" }],
    ["a:", { a: "" }],
    ["a: b: c", { a: "b: c" }],
    ["a : b", { a: "b" }],
    ["a: \u00a0b\u0085\u00ff", { a: "\u00a0b\u0085\u00ff" }],
    ["a: 1\r\nA: 2", { a: "2" }],
    ["a: 1\r\n 2\r\n\t3", { a: "1 2 3" }],
    ["without a colon\r\na: b", { a: "b" }],
    [": no name\r\na: b", { a: "b" }],
    [" folded without a field\r\na: b", { a: "b" }],
  ])("%p", (fields, expected) => {
    expect(read(`${OK}${fields}\r\nContent-Length: 0\r\n\r\n`).headers).toEqual({
      ...expected,
      "content-length": "0",
    });
  });

  test("may end their lines with LF alone, also in part", () => {
    for (const head of [
      "HTTP/1.1 200 OK\na: b\nContent-Length: 1\n\n",
      `${OK}a: b\nContent-Length: 1\r\n\n`,
    ]) {
      expect(read(`${head}x`)).toEqual({
        status: 200,
        headers: { a: "b", "content-length": "1" },
        body: "x",
        isLast: false,
      });
    }
  });
});

describe("the body", () => {
  test.each([
    ["Content-Length: 3\r\n\r\nabc", "abc"],
    ["Content-Length: 003\r\n\r\nabc", "abc"],
    ["Content-Length: 3, 3\r\n\r\nabc", "abc"],
    ["Content-Length: 3\r\nContent-Length: 03\r\n\r\nabc", "abc"],
    ["Content-Length: 0\r\n\r\n", ""],
    ["\r\nup to the end\r\n\r\n", "up to the end\r\n\r\n"],
    ["\r\n", ""],
    ["Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""],
    ["Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n000\r\n\r\n", "abc"],
    [
      "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0A;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\n",
      "a0123456789",
    ],
    ["Transfer-Encoding: chunked\r\n\r\n3 ; x\nabc\n0\n\n", "abc"],
    ["Transfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc"],
  ])("%p", (rest, body) => {
    expect(read(`${OK}${rest}`).body).toBe(body);
  });

  test.each([
    "Content-Length: 3x",
    "Content-Length: +3",
    "Content-Length: -3",
    "Content-Length: 0x3",
    "Content-Length: 3.0",
    "Content-Length: 3 3",
    "Content-Length: 3, 4",
    "Content-Length: 3,",
    "Content-Length: 3\r\nContent-Length: 4",
    "Content-Length:",
    "Content-Length: 99999999999999999999",
    "Content-Length: 67108865",
    "Transfer-Encoding: gzip",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding:",
  ])("of unknown length is refused: %p", (fields) => {
    expect(() => read(`${OK}${fields}\r\n\r\nabc\r\n0\r\n\r\n`)).toThrow(HttpSyntaxError);
  });

  test.each(["x", "", "-1", "0x3", "+3", " 3", "3x", "fffffffffffffff", "3;\r\nabcd"])(
    "with a chunk that is not a chunk is refused: %p",
    (size) => {
      expect(() =>
        read(`${OK}Transfer-Encoding: chunked\r\n\r\n${size}\r\nabc\r\n0\r\n\r\n`),
      ).toThrow(HttpSyntaxError);
    },
  );

  test.each([204, 304])("does not follow status %d, whatever the fields say", (status) => {
    const text = `HTTP/1.1 ${status} x\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n`;
    const reader = readerOf(Buffer.from(text), [1]);
    expect([reader.read(), reader.read()].map((response) => response.status)).toEqual([
      status,
      200,
    ]);
  });

  test("in many chunks takes memory and time for its size", () => {
    const count = 200_000;
    const text = `${OK}Transfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(count)}0\r\n\r\n`;
    const { body } = readerOf(Buffer.from(text), [65_536]).read();
    expect(body.length).toBe(count);
  });
});

describe("the connection can be used again after a response", () => {
  const length = "Content-Length: 0";
  test.each([
    ["1.1", [length], true],
    ["1.1", [length, "Connection: keep-alive"], true],
    ["1.1", [length, "Connection: te"], true],
    ["1.1", [length, "Connection: closed"], true],
    ["1.1", [length, "Connection:"], true],
    ["1.1", [length, "X-Connection: close"], true],
    ["1.1", [length, "Connection: close"], false],
    ["1.1", [length, "connection:CLOSE"], false],
    ["1.1", [length, "Connection: close, te"], false],
    ["1.1", [length, "Connection: te,close"], false],
    ["1.1", [length, "Connection: te ,\tClose "], false],
    ["1.1", [length, "Connection: keep-alive, close"], false],
    ["1.1", [length, "Connection: te", "Connection: close"], false],
    ["1.1", [length, "Connection: close", "Connection: te"], false],
    ["1.1", [], false],
    ["1.1", ["Connection: keep-alive"], false],
    ["1.1", [length, "Transfer-Encoding: chunked"], false],
    ["1.1", ["Transfer-Encoding: chunked"], true],
    ["1.0", [length], false],
    ["1.0", [length, "Connection: te"], false],
    ["1.0", [length, "Connection: Keep-Alive"], true],
    ["1.0", [length, "Connection: te, keep-alive"], true],
    ["1.0", ["Transfer-Encoding: chunked", "Connection: keep-alive"], false],
    ["1.0", ["Connection: keep-alive"], false],
  ])("of HTTP/%s with %p: %p", (version, fields, mayBeUsed) => {
    const isChunked = fields.some((field) => field.startsWith("Transfer"));
    const text = [`HTTP/${version} 200 OK`, ...fields, "", isChunked ? "0\r\n\r\n" : ""].join(
      "\r\n",
    );
    expect(read(text).isLast).toBe(!mayBeUsed);
  });

  test("not after one with more bytes than it should have, and not after another protocol", () => {
    const more = Buffer.from(`${OK}Content-Length: 1\r\n\r\nxyz`);
    expect(readerOf(more, [more.length]).read().isLast).toBe(true);
    expect(read("HTTP/1.1 101 Switching Protocols\r\n\r\n").isLast).toBe(true);
  });
});

describe("a response that only announces the one that counts", () => {
  test("is passed over, however many there are", () => {
    const text = `HTTP/1.1 100 Continue\r\n\r\n${"HTTP/1.1 103 Early Hints\r\nLink: x\r\nContent-Length: 9\r\n\r\n".repeat(50)}`;
    expect(read(`${text}${OK}Content-Length: 1\r\n\r\nx`)).toMatchObject({
      status: 200,
      body: "x",
    });
  });

  test("can be read by itself", () => {
    const text = `HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 1\r\n\r\nx`;
    const reader = readerOf(Buffer.from(text), [text.length]);
    expect([reader.readOne().status, reader.hasMore]).toEqual([100, true]);
    expect([reader.readOne().status, reader.hasMore]).toEqual([200, false]);
  });
});

describe("a connection that ends early", () => {
  const whole = [
    `${OK}a: b\r\nContent-Length: 5\r\n\r\nabcde`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nT: x\r\n\r\n`,
  ];
  test.each(whole)("is not a response, wherever it is cut: %p", (text) => {
    for (let length = 0; length < text.length; length += 1) {
      expect(() => read(text.slice(0, length))).toThrow(ConnectionError);
    }
    expect(read(text).body).toBe("abcde");
  });
});

test("a head without an end is refused before it fills the memory", () => {
  let received = 0;
  const reader = new HttpResponseReader((into) => {
    received += into.length;
    into.fill(0x61);
    return into.length;
  });
  expect(() => reader.read()).toThrow(HttpSyntaxError);
  expect(received).toBeLessThan(10_000_000);
});

test("what was received on one connection is forgotten on the next", () => {
  const left = `${OK}Content-Length: 1\r\n\r\nxHTTP/1.1 500 left over`;
  const next = `${OK}Content-Length: 1\r\n\r\ny`;
  const reader = readerOf(Buffer.from(left + next), [left.length, next.length]);
  expect(plain(reader.read())).toMatchObject({ body: "x", isLast: true });
  reader.reset();
  expect(plain(reader.read())).toMatchObject({ status: 200, body: "y", isLast: false });
});

test("on the next connection nothing has been received before the first byte", () => {
  const reader = readerOf(Buffer.from(`${OK}Content-Length: 5\r\n\r\nab`), [7]);
  expect(() => reader.read()).toThrow(ConnectionError);
  expect(reader.hasReceived).toBe(true);
  reader.reset();
  expect(reader.hasReceived).toBe(false);
});

test("random responses are read as they are, in random pieces", () => {
  for (let seed = 0; seed < 5_000; seed += 1) tryValidResponses(new Random(seed));
});

test("damaged responses are read or refused", () => {
  for (let seed = 0; seed < 5_000; seed += 1) tryDamagedResponses(new Random(seed));
});
