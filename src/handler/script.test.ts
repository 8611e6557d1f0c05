import { expect, test } from "bun:test";

import { sourcesOthers } from "./script.ts";

test.each([
  [". ./lib.sh", true],
  ["  source lib.sh", true],
  ["handler() { . ./lib.sh; }", true],
  ["[ -f lib.sh ] && . ./lib.sh", true],
  ["if true; then . ./lib.sh; fi", true],
  ["for file in *; do source $file; done", true],
  ["( . ./lib.sh )", true],
  ["echo open source code", false],
  ["ls . ..", false],
  ["handler() { ./program; }", false],
])("a script takes in other files: %j", (text, expected) => {
  expect(sourcesOthers(text)).toBe(expected);
});
