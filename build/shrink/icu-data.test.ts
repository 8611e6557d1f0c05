import { describe, expect, test } from "bun:test";

import { cutIcuData, KEPT_ITEMS } from "./icu-data.ts";

/** What a package is made of, in the order in which it is written. */
interface Contents {
  readonly prefix?: string;
  readonly items: readonly (readonly [name: string, bytes: number])[];
}

const HEADER = Buffer.from(
  `2000da271400000000000200436d6e440100000003000000${"00".repeat(8)}`,
  "hex",
);
/** Where it is in the file: not at a round place, as in Bun's. */
const PACKAGE_AT = 4096 + 480;
/** So many locales that the package is as large as a real one. */
const LOCALES = Array.from({ length: 2500 }, (_, row) => [`aa_${row}.res`, 4096] as const);
const REAL: Contents = {
  items: [...LOCALES, ...Object.keys(KEPT_ITEMS).map((name) => [name, 640] as const)].sort(
    ([a], [b]) => (a < b ? -1 : 1),
  ),
};
const LAST: Contents = { items: [...REAL.items, ["zz.res", 16]] };

/** A file with a package; each item is full of a byte of its own. */
function fileWith({ prefix = "icudt78l/", items }: Contents): Uint8Array {
  const names = items.map(([name]) => Buffer.from(`${prefix}${name}\0`));
  const tableBytes = 4 + 8 * items.length;
  const namesBytes = names.reduce((sum, { length }) => sum + length, 0);
  let itemAt = Math.ceil((tableBytes + namesBytes) / 16) * 16;
  const body = Buffer.alloc(itemAt + items.reduce((sum, [, bytes]) => sum + bytes, 0));
  body.writeUInt32LE(items.length, 0);
  let nameAt = tableBytes;
  for (const [row, [, bytes]] of items.entries()) {
    body.writeUInt32LE(nameAt, 4 + 8 * row);
    body.writeUInt32LE(itemAt, 8 + 8 * row);
    body.set(names[row] ?? Buffer.alloc(0), nameAt);
    body.fill((row % 255) + 1, itemAt, itemAt + bytes);
    nameAt += names[row]?.length ?? 0;
    itemAt += bytes;
  }
  return new Uint8Array(
    Buffer.concat([Buffer.alloc(PACKAGE_AT, 0xee), HEADER, body, Buffer.alloc(4096, 0xee)]),
  );
}

/** Reads a package as ICU does: name to bytes. */
function itemsOf(file: Uint8Array): Map<string, Buffer> {
  const bytes = Buffer.from(file);
  const tableAt = PACKAGE_AT + bytes.readUInt16LE(PACKAGE_AT);
  const count = bytes.readUInt32LE(tableAt);
  const row = (index: number) => tableAt + 4 + 8 * index;
  return new Map(
    Array.from({ length: count }, (_, index) => {
      const nameAt = tableAt + bytes.readUInt32LE(row(index));
      const start = tableAt + bytes.readUInt32LE(row(index) + 4);
      const end =
        index + 1 < count ? tableAt + bytes.readUInt32LE(row(index + 1) + 4) : start + 640;
      const name = bytes.toString("latin1", nameAt, bytes.indexOf(0, nameAt));
      return [name.slice("icudt78l/".length), bytes.subarray(start, end)] as const;
    }),
  );
}

describe("cutIcuData()", () => {
  test("keeps the items that are named, with their bytes, and frees the rest", () => {
    const file = fileWith(LAST);
    const { file: cut, free } = cutIcuData(file);
    const [before, after] = [itemsOf(file), itemsOf(cut)];
    expect([...after.keys()]).toEqual(Object.keys(KEPT_ITEMS).sort());
    for (const [name, bytes] of after) {
      expect(Buffer.compare(bytes, before.get(name) ?? Buffer.alloc(0))).toBe(0);
    }
    expect(cut.length).toBe(file.length);
    expect(free.end - free.start).toBeGreaterThan(10_000_000);
    expect(cut.subarray(free.start, free.end).every((byte) => byte === 0)).toBe(true);
    // What is around the package is as it was.
    expect(cut.subarray(0, PACKAGE_AT)).toEqual(file.subarray(0, PACKAGE_AT));
    expect(cut.subarray(free.end)).toEqual(file.subarray(free.end));
  });

  test("leaves the file that it was given as it is", () => {
    const file = fileWith(LAST);
    const copy = new Uint8Array(file);
    cutIcuData(file);
    expect(Buffer.compare(file, copy)).toBe(0);
  });

  const changed = (change: (file: Buffer) => void): Uint8Array => {
    const file = fileWith(LAST);
    change(Buffer.from(file.buffer));
    return file;
  };
  const without = (name: string): Contents => ({
    items: LAST.items.filter(([each]) => each !== name),
  });
  const withItem = (name: string): Contents => ({
    items: [...LAST.items, [name, 16] as const].sort(([a], [b]) => (a < b ? -1 : 1)),
  });
  const two = Buffer.concat([fileWith(LAST), fileWith(LAST)]);

  test.each<[string, Uint8Array, RegExp]>([
    ["no package", new Uint8Array(1000), /it is not there/],
    ["two packages", new Uint8Array(two), /there is more than one/],
    ["another format", changed((file) => file.write("CmnX", PACKAGE_AT + 12)), /it is not there/],
    ["another version", changed((file) => file.fill(2, PACKAGE_AT + 16)), /it is not there/],
    ["big-endian", changed((file) => file.writeUInt8(1, PACKAGE_AT + 8)), /it is not there/],
    ["a long header", changed((file) => file.writeUInt16LE(9999, PACKAGE_AT)), /9999 bytes/],
    ["few items", fileWith({ items: REAL.items.slice(0, 1000) }), /it has 1000 items/],
    ["many items", changed((file) => file.writeUInt32LE(1e6, PACKAGE_AT + 32)), /1000000 items/],
    ["a kept item missing", fileWith(without("root.res")), /it has no root.res/],
    ["the last item kept", fileWith(REAL), /zoneinfo64.res, which is kept/],
    ["names not sorted", fileWith({ items: LAST.items.toReversed() }), /follows/],
    ["a name twice", fileWith({ items: [...LAST.items, ["zz.res", 16]] }), /follows/],
    ["another package's name", fileWith({ ...LAST, prefix: "other/" }), /follows ""/],
    ["an item of an unknown kind", fileWith(withItem("confusables.cfu")), /kind that is not known/],
    ["an item of an unknown part", fileWith(withItem("translit/root.res")), /not known/],
    [
      "small items",
      fileWith({ items: LAST.items.map(([name]) => [name, 16] as const) }),
      /it has \d+ bytes/,
    ],
    [
      "an item that is not aligned",
      changed((file) =>
        file.writeUInt32LE(file.readUInt32LE(PACKAGE_AT + 40) + 1, PACKAGE_AT + 40),
      ),
      /its row 0 is/,
    ],
    [
      "a name inside the table",
      changed((file) => file.writeUInt32LE(8, PACKAGE_AT + 36)),
      /its row 0 is \(8, /,
    ],
  ])("refuses %s", (_, file, reason) => {
    expect(() => cutIcuData(file)).toThrow(reason);
    expect(() => cutIcuData(file)).toThrow("ICU's data is not as expected: ");
  });
});
