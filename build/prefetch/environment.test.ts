/**
 * Which variables a program with the stub sees, on both architectures (arm64 in an emulator).
 *
 * Each program is started with an environment that a small C program lays out, entry by entry, since
 * no shell and no library passes on what is odd.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { ARCHITECTURES, HOST_ARCHITECTURE } from "../architectures.ts";
import { compile, type Program } from "../compile.ts";
import { readCopiedVariable } from "./elf.ts";

const OWN_ENTRIES = ["BUN_JSC_useDFGJIT=0", "FIRST=1", "EMPTY="];
const PREFIXES = ["BUN_", "MIMALLOC_"];
const PROGRAMS = {
  own: program("own", { kind: "own", entries: OWN_ENTRIES }),
  none: program("none", { kind: "own", entries: [] }),
  without: program("without", { kind: "without", prefixes: PREFIXES }),
} as const;
const COMPILE_MS_MAX = 240_000;
const SYSTEM_ROOT = "/usr/aarch64-linux-gnu";

const folder = temporaryFolder("environment");
const launcher = join(folder, "launcher");

/** Replaces itself by a program with the environment in a file: entries, each ended by a NUL. */
const LAUNCHER_SOURCE = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
  FILE *file = fopen(argv[1], "r");
  static char block[1 << 24];
  size_t length = fread(block, 1, sizeof block - 1, file), count = 0;
  char **entries = calloc(length + 1, sizeof *entries);
  for (char *at = block; at < block + length; at += strlen(at) + 1) entries[count++] = at;
  execve(argv[2], argv + 2, entries);
  perror(argv[2]);
  return 99;
}
`;

function program(name: string, environment: Program["environment"]): Program {
  return {
    entry: "build/prefetch/fixtures/variables.ts",
    outputName: (target) => `${name}-${target.name}`,
    environment,
    bun: "small",
    prefetch: false,
    shrink: false,
    optimized: false,
    flags: [],
  };
}

beforeAll(async () => {
  writeFileSync(join(folder, "launcher.c"), LAUNCHER_SOURCE);
  const made = Bun.spawnSync(["cc", "-o", launcher, join(folder, "launcher.c")]);
  if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  for (const target of ARCHITECTURES) {
    for (const each of Object.values(PROGRAMS)) await compile(each, target, folder);
  }
}, COMPILE_MS_MAX);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

for (const target of ARCHITECTURES) {
  const emulator =
    target === HOST_ARCHITECTURE
      ? []
      : [Bun.which(`qemu-${target.machine}-static`) ?? "no emulator", "-L", SYSTEM_ROOT];
  const canRun = emulator.every((word) => word === "-L" || existsSync(word));

  /** What a program sees when it is started with some entries, sorted: the emulator turns them round. */
  const seenBy = (name: keyof typeof PROGRAMS, entries: readonly (string | Buffer)[]): string[] => {
    const file = join(folder, "entries");
    writeFileSync(file, Buffer.concat(entries.map((entry) => Buffer.from([...bytes(entry), 0]))));
    const words = [launcher, file, ...emulator, join(folder, PROGRAMS[name].outputName(target))];
    const { stdout, stderr, exitCode } = Bun.spawnSync(words, { env: {} });
    expect([exitCode, stderr.toString()]).toEqual([0, ""]);
    const lines = stdout.toString().split("\n").slice(0, -1);
    return lines.map((line) => Buffer.from(line, "hex").toString()).sort();
  };

  describe.skipIf(!canRun)(`on ${target.name}`, () => {
    test.each([
      ["none", []],
      ["one", ["A=1"]],
      ["those that configure Bun", ["BUN_OPTIONS=--help", "BUN_BE_BUN=1", "BUN_INSPECT=9229"]],
      ["an engine option that does not exist", ["BUN_JSC_nosuch=1", "A=1"]],
      ["the same name twice", ["FIRST=2", "FIRST=3", "BUN_JSC_useDFGJIT=1"]],
      ["entries without =, and empty ones", ["", "A", "=", "=x", ""]],
      ["a long value", [`A=${"x".repeat(128 * 1024 - 3)}`]],
      ["10,000 entries", Array.from({ length: 10_000 }, (_, n) => `N${n}=${n}`)],
    ])("a program with an environment of its own sees no other: %s", (_, entries) => {
      expect(seenBy("own", entries)).toEqual(OWN_ENTRIES.toSorted());
      expect(seenBy("none", entries)).toEqual([]);
    });

    test.each([
      ["nothing", [], []],
      ["nothing to leave out", ["A=1", "B="], ["A=1", "B="]],
      ["all", ["BUN_OPTIONS=--help", "BUN_BE_BUN=1", "BUN_JSC_nosuch=1"], []],
      ["the first", ["BUN_BE_BUN=1", "A=1"], ["A=1"]],
      ["the last", ["A=1", "BUN_BE_BUN=1"], ["A=1"]],
      ["in between", ["A=1", "BUN_BE_BUN=1", "MIMALLOC_VERBOSE=1", "B=2"], ["A=1", "B=2"]],
      ["names in any case", ["mimalloc_verbose=1", "MiMalloc_Verbose=1", "A=1"], ["A=1"]],
      ["names that are only a prefix", ["BUN_=1", "A=1"], ["A=1"]],
      [
        "what resembles a prefix",
        ["BUN=1", "BU=1", "B=1", "BUNX=1", "ABUN_=1", "MIMALLOC=1", "A=BUN_BE_BUN=1"],
        ["BUN=1", "BU=1", "B=1", "BUNX=1", "ABUN_=1", "MIMALLOC=1", "A=BUN_BE_BUN=1"],
      ],
      ["a name twice", ["BUN_X=1", "A=1", "BUN_X=2"], ["A=1"]],
      ["a prefix without =", ["BUN_", "MIMALLOC_", "BUN_BE_BUN", "A=1"], ["A=1"]],
      ["a long value", [`BUN_X=${"x".repeat(128 * 1024 - 7)}`, "A=1"], ["A=1"]],
    ])(
      "a program sees what does not begin with a prefix: %s",
      (_, entries, expected: readonly string[]) => {
        expect(seenBy("without", entries)).toEqual(expected.toSorted());
      },
    );

    test("a program sees all of 10,000 entries that do not begin with a prefix", () => {
      const numbers = Array.from({ length: 10_000 }, (_, n) => n);
      const entries = numbers.map((n) => `${n % 3 === 0 ? "BUN_" : "N"}${n}=${n}`);
      const expected = numbers.filter((n) => n % 3 !== 0).map((n) => `N${n}=${n}`);
      expect(seenBy("without", entries)).toEqual(expected.toSorted());
    });

    test("a program sees bytes that are not text as they are", () => {
      const odd = Buffer.concat([Buffer.from("A="), Buffer.from([0xff, 0x80])]);
      expect(seenBy("without", [odd, "BUN_X=1", "B=2"])).toEqual(["A=\ufffd\ufffd", "B=2"]);
    });
  });

  test(`the C library's environ is found in the executable for ${target.name}`, () => {
    const file = readFileSync(join(folder, PROGRAMS.own.outputName(target)));
    expect(readCopiedVariable(file, "environ")).toBeGreaterThan(0x200000);
    expect(readCopiedVariable(file, "no_such_variable")).toBeUndefined();
  });
}

function bytes(entry: string | Buffer): Buffer {
  return typeof entry === "string" ? Buffer.from(entry) : entry;
}
