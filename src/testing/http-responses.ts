/**
 * Random HTTP responses with what a reader must make of them, and their bytes in random pieces.
 *
 * @module
 */

import { expect } from "bun:test";

import {
  ConnectionError,
  HttpResponseReader,
  HttpSyntaxError,
  type ReceivedResponse,
} from "../runtime/http-response-reader.ts";
import type { Random } from "./random.ts";

/** What a reader must find, in the order of the responses. */
export interface ExpectedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isLast: boolean;
}

/** A reader over bytes that come in pieces of given lengths, the last of them again and again. */
export function readerOf(bytes: Uint8Array, pieces: readonly number[]): HttpResponseReader {
  let at = 0;
  let turn = 0;
  return new HttpResponseReader((into) => {
    const length = pieces[Math.min(turn, pieces.length - 1)] ?? bytes.length;
    turn += 1;
    const piece = bytes.subarray(at, at + Math.min(length, into.length));
    into.set(piece);
    at += piece.length;
    return piece.length;
  });
}

/** A response as plain data. */
export function plain({ status, headers, body, isLast }: ReceivedResponse): ExpectedResponse {
  return {
    status,
    headers: Object.fromEntries(headers),
    body: Buffer.from(body).toString("latin1"),
    isLast,
  };
}

const TEXT = "ab\0 :,;\r\n\u00ff0";
const VALUE = "ab :,;\"'\u00e9\u00ff0";
const NAMES = ["X", "lambda-runtime-aws-request-id", "DATE", "x-Long-Name-1"];

function word(random: Random, letters: string, lengthMax: number): string {
  let text = "";
  for (let left = random.below(lengthMax + 1); left > 0; left -= 1) {
    text += letters.charAt(random.below(letters.length));
  }
  return text;
}

function inAnyCase(random: Random, text: string): string {
  return [...text]
    .map((letter) => (random.below(2) === 0 ? letter.toLowerCase() : letter.toUpperCase()))
    .join("");
}

/** Some responses on one connection: bytes in latin1, and what they are. */
function randomResponses(random: Random): { text: string; expected: ExpectedResponse[] } {
  let text = "";
  const expected: ExpectedResponse[] = [];
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    const interim = random.below(5);
    for (let at = 0; at < interim - 2; at += 1)
      text += `HTTP/1.1 10${at} On\r\n\r\n`.replace("101", "102");
    const response = randomResponse(random, left === 1);
    text += response.text;
    expected.push(response.expected);
    if (response.expected.isLast) break;
  }
  return { text, expected };
}

function randomResponse(random: Random, mayBeLast: boolean) {
  const end = random.pick(["\r\n", "\r\n", "\r\n", "\n"]);
  const status = random.pick([200, 202, 204, 304, 400, 413, 500, 999]);
  const body = word(random, TEXT, random.pick([0, 1, 10, 300]));
  const headers: Record<string, string> = {};
  const lines: string[] = [];
  const add = (name: string, value: string) => {
    headers[name.toLowerCase()] = value;
    const [before, after] = [random.pick(["", " ", "\t "]), random.pick(["", " ", " \t"])];
    lines.push(`${inAnyCase(random, name)}:${before}${value}${after}`);
  };
  for (const name of NAMES) {
    if (random.below(2) === 0)
      add(
        name,
        word(random, VALUE, 20)
          .trim()
          .replace(/^\s+|\s+$/g, ""),
      );
  }
  const isOld = mayBeLast && random.below(6) === 0;
  const saysClose = mayBeLast && random.below(6) === 0;
  if (saysClose)
    add("Connection", inAnyCase(random, random.pick(["close", "te, close", "close ,x"])));
  else if (random.below(6) === 0) add("Connection", random.pick(["keep-alive", "te", "x,y"]));
  const hasBody = status !== 204 && status !== 304;
  const framing = hasBody
    ? random.pick(mayBeLast ? ["length", "chunks", "end"] : ["length", "chunks"])
    : "none";
  let sent = "";
  if (framing === "length") {
    add("Content-Length", `${body.length}`);
    sent = body;
  } else if (framing === "chunks") {
    add("Transfer-Encoding", inAnyCase(random, "chunked"));
    sent = chunksOf(random, body, end);
  } else if (framing === "end") {
    sent = body;
  }
  const keepsOld = headers["connection"] === "keep-alive" && framing !== "chunks";
  const isLast = framing === "end" || saysClose || (isOld && !keepsOld);
  return {
    text: [`HTTP/1.${isOld ? 0 : 1} ${status} ${word(random, VALUE, 5)}`, ...lines, "", sent].join(
      end,
    ),
    expected: { status, headers, body: hasBody ? body : "", isLast },
  };
}

function chunksOf(random: Random, body: string, end: string): string {
  let text = "";
  for (let at = 0; at < body.length;) {
    const piece = body.slice(at, at + 1 + random.below(20));
    at += piece.length;
    const size = piece.length.toString(16).padStart(random.below(4), "0");
    text += `${inAnyCase(random, size)}${random.pick(["", " ", ";a=b", ' ;x="y;z"'])}${end}${piece}${end}`;
  }
  const trailers = random.below(3) === 0 ? `Trailer: x${end}` : "";
  return `${text}${"0".repeat(1 + random.below(3))}${end}${trailers}${end}`;
}

/** Reads random responses, in random pieces: all of them are found as they are. */
export function tryValidResponses(random: Random): void {
  const { text, expected } = randomResponses(random);
  const pieces = Array.from({ length: 1 + random.below(30) }, () => 1 + random.below(40));
  const reader = readerOf(Buffer.from(text, "latin1"), pieces);
  const found = expected.map(() => plain(reader.read()));
  // Only bytes that come together are known to be too many: between two of these responses they may.
  const comparable = (responses: readonly ExpectedResponse[]) =>
    responses.map((response, at) =>
      at < responses.length - 1 ? { ...response, isLast: false } : response,
    );
  expect(comparable(found)).toEqual(comparable(expected));
}

/** Reads responses of which some bytes were changed: they are read, or refused, and that at once. */
export function tryDamagedResponses(random: Random): void {
  const bytes = Buffer.from(randomResponses(random).text, "latin1");
  for (let changes = random.below(6); changes > 0; changes -= 1) {
    bytes[random.below(bytes.length)] = random.pick([0, 9, 10, 13, 32, 48, 58, 59, 102, 255]);
  }
  const cut = random.below(3) === 0 ? random.below(bytes.length) : bytes.length;
  const reader = readerOf(bytes.subarray(0, cut), [1 + random.below(200)]);
  try {
    for (let responses = 0; responses < 100; responses += 1) {
      const { status, body, isLast } = reader.read();
      expect(status >= 100 && status <= 999).toBe(true);
      expect(body.length).toBeLessThanOrEqual(bytes.length);
      if (isLast) return;
    }
    throw new Error("more responses than there can be");
  } catch (error) {
    if (!(error instanceof ConnectionError || error instanceof HttpSyntaxError)) throw error;
  }
}
