import { describe, expect, test } from "bun:test";

import { LOCALE_NAMES } from "../testing/locales.ts";
import { expectReadAsTheyAre, hardText, readsExactly } from "../testing/quoted-texts.ts";
import { Random } from "../testing/random.ts";
import { FURTHER_SHELLS, SHELLS } from "../testing/shells.ts";
import { isPlain, quote } from "./quote.ts";

describe("quote", () => {
  test.each([
    ["nothing", "", "''"],
    ["plain text", "a b", "'a b'"],
    ["what only double quotes would expand", '$x `y` \\ "z"', "'$x `y` \\ \"z\"'"],
    ["a line end and an exclamation mark", "a!\n", "'a!\n'"],
    ["an apostrophe", "it's", '"it\'s"'],
    ["an apostrophe and what double quotes expand", "'$x`y`\\\"", '"\'\\$x\\`y\\`\\\\\\""'],
    ["a high byte in the middle", "é.a", "'é.a'"],
    ["a high byte at the end", "a\x81", '"a\x81$*"'],
    ["a high byte and a digit at the end", "a\x810", '"a\x810$*"'],
    ["an escaped byte after a high one", "'\x83\\", '"\'\x83$*\\\\$*"'],
    ["an escaped byte after a high one and a digit", "'\xfe0\"-", '"\'\xfe0$*\\"-$*"'],
  ])("of %s", (_, text, quoted) => {
    expect(quote(text)).toBe(quoted);
  });

  test("is plain exactly where single quotes around the bytes are enough", () => {
    const samples = [
      "",
      "a",
      "a'b",
      "a\0",
      "\xc3\xa9",
      "\xc3\xa9}",
      "\xc3\xa9 }",
      '{"a":"\\u00e9"}',
    ];
    for (const sample of samples) {
      const isQuoted = quote(sample) === `'${sample}'` && !sample.includes("\0");
      expect([sample, isPlain(Buffer.from(sample, "latin1"))]).toEqual([sample, isQuoted]);
    }
  });
});

/** Every byte but NUL, alone and in bulk, at the begin, in the middle, at the end. */
const EVERY_BYTE = Array.from({ length: 255 }, (_, index) => String.fromCharCode(index + 1));

describe.each([...SHELLS, ...FURTHER_SHELLS].map(({ name }) => name))("%s", (shell) => {
  for (const locale of LOCALE_NAMES.filter((name) => readsExactly(shell, name))) {
    test.concurrent(`reads every byte as it is, in ${locale}`, () => {
      expectReadAsTheyAre(
        EVERY_BYTE.flatMap((byte) => [byte, `'${byte.repeat(100)}`]),
        shell,
        locale,
      );
    });

    test.concurrent(`reads random texts as they are, in ${locale}`, () => {
      const random = new Random(20_261_128);
      expectReadAsTheyAre(
        Array.from({ length: 200 }, () => hardText(random)),
        shell,
        locale,
      );
    });
  }
});
