import { expect, test } from "bun:test";

import { sourcesOthers, splitTracing } from "./script.ts";

test.each([
  ["", "", ""],
  ["-x", "", "x"],
  ["-eux -o pipefail", "-eu -o pipefail", "x"],
  ["-euxo pipefail", "-euo pipefail", "x"],
  ["-e -v -x", "-e", "vx"],
  ["-o xtrace", "", "x"],
  ["-eo verbose -u", "-e -u", "v"],
  ["--verbose --norc", "--norc", "v"],
  ["-oe xtrace", "-e", "x"],
  ["-eou xtrace -o pipefail", "-eu -o pipefail", "x"],
  ["-oe pipefail -v", "-oe pipefail", "v"],
  ["-posix -x", "-posix", "x"],
  ["-verbose -e", "-e", "v"],
  ["--xtrace --posix", "--posix", "x"],
  ["sh -ex", "sh -e", "x"],
  ["-O extglob -e", "-O extglob -e", ""],
])("options that show what a shell does are taken out of %j", (words, others, tracing) => {
  const split = splitTracing(words.split(" ").filter((word) => word !== ""));
  expect([split.others.join(" "), split.tracing]).toEqual([others, tracing]);
});

test.each([
  [". ./lib.sh", true],
  ["  source lib.sh", true],
  ["handler() { . ./lib.sh; }", true],
  ["[ -f lib.sh ] && . ./lib.sh", true],
  ["if true; then . ./lib.sh; fi", true],
  ["for file in *; do source $file; done", true],
  ["( . ./lib.sh )", true],
  ["case $1 in x) . ./lib.sh ;; esac", true],
  ["if . ./lib.sh; then :; fi", true],
  ["! . ./lib.sh", true],
  ["command . ./lib.sh", true],
  ["\\. ./lib.sh", true],
  ["STAGE=test . ./lib.sh", true],
  ["eval '. ./lib.sh'", true],
  ['eval "source $file"', true],
  ["find . -name x", false],
  ["eval find . -name x", false],
  ["echo open source code", false],
  ["ls . ..", false],
  ["handler() { ./program; }", false],
])("a script takes in other files: %j", (text, expected) => {
  expect(sourcesOthers(text)).toBe(expected);
});
