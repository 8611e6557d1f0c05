/**
 * Events that consist of one special byte: they arrive as they are, and cost what their size costs. A
 * cost that grows with the square takes minutes here, and the test's time limit ends it.
 *
 * @module
 */

import { describe, expect, test } from "bun:test";

import { difference } from "../testing/bytes.ts";
import { EnvironmentUnderTest } from "../testing/environment-under-test.ts";
import { SHELLS } from "../testing/shells.ts";

/** Near to the most that Lambda allows. */
const BYTES = 5_000_000;

const KINDS: readonly (readonly [string, string])[] = [
  ["apostrophes", "'"],
  ["double quotes", '"'],
  ["backslashes", "\\"],
  ["dollars", "$"],
  ["backticks", "`"],
  ["exclamation marks", "!"],
  ["line ends", "\n"],
  ["the bytes that bash escapes inside", "\x01\x7f"],
  ["bytes that are not UTF-8", "\xff"],
  ["all of them", "'\"\\$`!\n\x01\x7f\xff"],
  ["high bytes, each in front of a backslash", "'\x83\\"],
];

describe.each(SHELLS.map(({ name }) => name))("%s", (shell) => {
  test.concurrent.each(KINDS)(
    "an event of five megabytes of %s arrives whole",
    async (_, piece) => {
      const body = Buffer.from(piece.repeat(BYTES / piece.length), "latin1");
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": "handler() { printf '%s' \"$1\"; }" },
      });
      const post = await environment.api.invoke({ body });
      expect(difference(post.body, body)).toBeUndefined();
    },
  );

  test.concurrent(
    "NUL bytes are left out of the argument, and kept on standard input",
    async () => {
      const body = Buffer.from("'\0a\0".repeat(BYTES / 8), "latin1");
      await using environment = await EnvironmentUnderTest.start({
        shell,
        files: { "function.sh": "handler() { printf '%s' \"$1\"; cat; }" },
      });
      const post = await environment.api.invoke({ body });
      const argument = Buffer.from("'a".repeat(BYTES / 8), "latin1");
      expect(difference(post.body, Buffer.concat([argument, body]))).toBeUndefined();
    },
  );
});
