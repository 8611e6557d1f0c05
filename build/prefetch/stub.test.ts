import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { type Architecture, ARCHITECTURES } from "../architectures.ts";
import {
  ENTRY_AT,
  ENVIRONMENT_AT,
  PREFIXES_AT,
  stub,
  type StubContents,
  TABLE_AT,
} from "./stub.ts";

/** A stub that leaves everything as it is. */
const NOTHING: StubContents = {
  entry: 0,
  variable: 0,
  environment: { kind: "without", prefixes: [] },
  probes: [],
  runs: [],
};

/** Where binutils for a machine are: plain names on that machine, prefixed on another. */
function binutils({ node, machine }: Architecture): { as: string; objcopy: string } | undefined {
  const prefix = node === process.arch ? "" : `${machine}-linux-gnu-`;
  const [as, objcopy] = [Bun.which(`${prefix}as`), Bun.which(`${prefix}objcopy`)];
  return as === null || objcopy === null ? undefined : { as, objcopy };
}

for (const target of ARCHITECTURES) {
  const tools = binutils(target);

  test.skipIf(tools === undefined)(
    `stub() has the bytes that stub-${target.name}.s assembles to`,
    () => {
      if (tools === undefined) throw new Error("unreachable");
      const folder = temporaryFolder("stub");
      const source = join(import.meta.dir, `stub-${target.name}.s`);
      const [object, binary] = [join(folder, "stub.o"), join(folder, "stub.bin")];
      for (const words of [
        [tools.as, "-o", object, source],
        [tools.objcopy, "-O", "binary", "-j", ".text", object, binary],
      ]) {
        expect(Bun.spawnSync(words).stderr.toString()).toBe("");
      }
      const assembled = readFileSync(binary);
      expect(assembled.byteLength).toBe(TABLE_AT);
      // What is filled in is zero in the sources; here it is only where the prefixes are.
      const made = Buffer.from(stub(target, 0, NOTHING));
      expect(made.readBigUInt64LE(PREFIXES_AT)).toBe(BigInt(TABLE_AT + 8));
      made.writeBigUInt64LE(0n, PREFIXES_AT);
      expect(made.toString("hex")).toBe(`${assembled.toString("hex")}${"00".repeat(8 + 1)}`);
    },
  );

  test(`stub() for ${target.name} holds entry point, probes, runs and the rows that end them`, () => {
    const made = stub(target, 0x7000000, {
      entry: 0x1a40d00,
      variable: 0x6a214a0,
      environment: { kind: "without", prefixes: ["BUN_", "A"] },
      probes: [0x1839, 0x5000],
      runs: [
        { page: 0x200, pages: 3 },
        { page: 0xabcdef, pages: 1 },
      ],
    });
    const tail = Buffer.from(made).subarray(ENTRY_AT);
    expect(tail.toString("hex")).toBe(
      "000da40100000000" +
        "a014a20600000000" +
        "0000000000000000" +
        "8001000700000000" +
        "39180000" +
        "00500000" +
        "00000000".repeat(4) +
        "0002000003000000" +
        "efcdab0001000000" +
        "0000000000000000" +
        // In small letters: "bun" and 0x7f for the underscore.
        "62756e7f00" +
        "6100" +
        "00",
    );
  });

  test(`stub() for ${target.name} holds an environment and where its entries are`, () => {
    const made = stub(target, 0x7000000, {
      ...NOTHING,
      environment: { kind: "own", entries: ["A=1", "LONG=\u00fc"] },
    });
    const block = Buffer.from(made).subarray(TABLE_AT + 8);
    expect(Buffer.from(made).readBigUInt64LE(ENVIRONMENT_AT)).toBe(0x7000170n);
    expect(Buffer.from(made).readBigUInt64LE(PREFIXES_AT)).toBe(0n);
    expect(block.toString("hex")).toBe(
      "8801000700000000" +
        "8c01000700000000" +
        "0000000000000000" +
        `${Buffer.from("A=1").toString("hex")}00` +
        `${Buffer.from("LONG=\u00fc").toString("hex")}00`,
    );
  });

  test(`stub() for ${target.name} refuses an environment that is none`, () => {
    for (const entry of ["", "A", "=1", "A B=1", "A=1\0B=2"]) {
      const environment = { kind: "own", entries: ["OK=1", entry] } as const;
      expect(() => stub(target, 0, { ...NOTHING, environment })).toThrow("is not a variable");
    }
    for (const prefix of ["", "bun_", "A=", "1"]) {
      const environment = { kind: "without", prefixes: [prefix] } as const;
      expect(() => stub(target, 0, { ...NOTHING, environment })).toThrow("is not of A to Z and _");
    }
  });

  test(`stub() for ${target.name} refuses no probe, too many, and the file's first page`, () => {
    const runs = [{ page: 1, pages: 1 }];
    for (const probes of [[], [1, 2, 3, 4, 5, 6], [0]]) {
      const contents = { ...NOTHING, runs, probes };
      expect(() => stub(target, 0, contents)).toThrow("1 to 5 pages to probe, none of them 0");
    }
    expect(() => stub(target, 0, { ...NOTHING, probes: [1] })).toThrow("1 to 5 pages to probe");
  });
}
