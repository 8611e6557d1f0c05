import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryFolder } from "../../src/testing/temporary-folder.ts";
import { type Architecture, ARCHITECTURES } from "../architectures.ts";
import { stub } from "./stub.ts";

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
      expect(assembled.byteLength).toBe(0xd8);
      // What is filled in is zero in the sources.
      const made = Buffer.from(stub(target, 0, [1], []));
      made.writeUInt32LE(0, 0xc0);
      expect(made.toString("hex")).toBe(assembled.toString("hex") + "00".repeat(8));
    },
  );

  test(`stub() for ${target.name} holds entry point, probes, runs and the rows that end them`, () => {
    const runs = [
      { page: 0x200, pages: 3 },
      { page: 0xabcdef, pages: 1 },
    ];
    const tail = Buffer.from(stub(target, 0x1a40d00, [0x1839, 0x5000], runs)).subarray(0xb8);
    expect(tail.toString("hex")).toBe(
      "000da40100000000" +
        "39180000" +
        "00500000" +
        "00000000".repeat(4) +
        "0002000003000000" +
        "efcdab0001000000" +
        "0000000000000000",
    );
  });

  test(`stub() for ${target.name} refuses no probe, too many, and the file's first page`, () => {
    for (const probes of [[], [1, 2, 3, 4, 5, 6], [0]]) {
      expect(() => stub(target, 0, probes, [])).toThrow("1 to 5 pages to probe, none of them 0");
    }
  });
}
