/**
 * Takes out of ICU's data what the runtime never reads: locales, collation, dictionaries.
 *
 * ICU's data is one package in Bun's read-only data: a header, a table of contents sorted by name, the
 * names, the items. The package is written again with the items that stay; a program that asks for another one
 * is told by ICU itself that it is missing.
 *
 * @see https://unicode-org.github.io/icu/userguide/icu_data/#icu-data-file-formats
 * @see https://github.com/unicode-org/icu/blob/main/icu4c/source/common/ucmndata.h
 * @module
 */

import { roundUp } from "../prefetch/elf.ts";

/** A part of a file, in bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A file whose package has become shorter. */
export interface CutData {
  readonly file: Uint8Array;
  /** What the package no longer takes, filled with zeros. */
  readonly free: ByteRange;
}

/**
 * What stays, by name in the package, with what it is for. ICU itself opens most of them when it
 * starts to work at all, and together they are a tenth of the package.
 */
export const KEPT_ITEMS: Readonly<Record<string, string>> = {
  "icustd.res": "ICU's own version",
  "icuver.res": "ICU's own version",
  "keyTypeData.res": "keys of locales",
  "metadata.res": "aliases of locales",
  "nfkc.nrm": "normalization, as in String.prototype.normalize",
  "nfkc_cf.nrm": "normalization",
  "nfkc_scf.nrm": "normalization",
  "pool.res": "strings that the other items share",
  "res_index.res": "the list of locales",
  "root.res": "what every locale falls back to",
  "supplementalData.res": "what no locale says",
  "timezoneTypes.res": "names of time zones",
  "uemoji.icu": "properties of emoji, as in regular expressions",
  "ulayout.icu": "properties of scripts, as in regular expressions",
  "uts46.nrm": "international host names, as in URL",
  "zoneinfo64.res": "rules of time zones, as in Date",
};

/** Kinds of items that are known, by their names without the package's prefix. */
const KNOWN_ITEMS = [
  /** A locale, or a table that all locales share, of ICU or of one of its parts. */
  /^(?:(?:brkitr|coll|curr|lang|rbnf|region|unit|zone)\/)?[A-Za-z0-9_]+\.res$/,
  /^brkitr\/[a-z_]+(?:_POSIX)?\.brk$/,
  /^brkitr\/[a-z]+dict\.dict$/,
  /^coll\/ucadata\.icu$/,
  /^[a-z0-9_]+\.nrm$/,
  /^(?:uemoji|ulayout)\.icu$/,
];

/** Where the header of the package (struct UDataInfo, ICU's udata.h) is told from other data. */
const HEADER_MAGIC = Buffer.from([0xda, 0x27]);
/**
 * The rest of a header: struct UDataInfo is 20 bytes, its reserved word 0, little-endian, in ASCII, with
 * characters of 2 bytes, the format "CmnD" in version 1.
 */
const PACKAGE_INFO = Buffer.from("1400000000000200436d6e4401000000", "hex");
const HEADER_BYTES_MAX = 1024;
const ITEM_ALIGN_BYTES = 16;
const TABLE_ROW_BYTES = 8;
/** A package of another order of size is none that we know, in bytes and in items. */
const PACKAGE_BYTES = { least: 8e6, most: 16e6 } as const;
const ITEMS = { least: 2000, most: 8000 } as const;

/** One item of the package. */
interface Item {
  /** With the package's name before it. */
  readonly name: string;
  /** Where its bytes are in the file; `undefined` for the end of the last one, which nothing says. */
  readonly start: number;
  readonly end: number | undefined;
}

/** The package as it is in a file. */
interface Package {
  readonly start: number;
  /** Where the table of contents begins, to which its offsets are relative. */
  readonly tableAt: number;
  readonly items: readonly Item[];
}

/**
 * Returns the file with the package made shorter, in its place.
 * @throws {Error} When the package is not as expected, with what is not.
 */
export function cutIcuData(file: Uint8Array): CutData {
  const found = readPackage(file);
  const kept = found.items.filter(({ name }) => itemName(name) in KEPT_ITEMS);
  const missing = Object.keys(KEPT_ITEMS).filter(
    (name) => !kept.some((item) => itemName(item.name) === name),
  );
  if (missing.length > 0) throw refusal(`it has no ${missing.join(", ")}`);
  const contents = writeContents(file, kept);
  const end = found.tableAt + contents.byteLength;
  const lastItem = found.items.at(-1);
  // The last item's length is not known: it stays behind as it is, where nobody finds it.
  if (lastItem === undefined || end > lastItem.start) throw refusal("nothing can be cut");
  const cut = new Uint8Array(file);
  cut.set(contents, found.tableAt);
  const free = { start: end, end: lastItem.start };
  cut.fill(0, free.start, free.end);
  return { file: cut, free };
}

function readPackage(file: Uint8Array): Package {
  const start = findPackage(file);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const headerBytes = view.getUint16(start, true);
  if (headerBytes < 24 || headerBytes > HEADER_BYTES_MAX || headerBytes % 4 !== 0) {
    throw refusal(`its header has ${headerBytes} bytes`);
  }
  const tableAt = start + headerBytes;
  const count = view.getUint32(tableAt, true);
  if (count < ITEMS.least || count > ITEMS.most) throw refusal(`it has ${count} items`);
  const namesAt = tableAt + 4 + count * TABLE_ROW_BYTES;
  const rows = Array.from({ length: count }, (_, row) => {
    const at = tableAt + 4 + row * TABLE_ROW_BYTES;
    return { nameAt: view.getUint32(at, true), itemAt: view.getUint32(at + 4, true) };
  });
  const items = rows.map(({ nameAt, itemAt }, row): Item => {
    const nextAt = rows[row + 1]?.itemAt;
    const isAscending = nextAt === undefined || nextAt > itemAt;
    if (tableAt + nameAt < namesAt || itemAt % ITEM_ALIGN_BYTES !== 0 || !isAscending) {
      throw refusal(`its row ${row} is (${nameAt}, ${itemAt}), and the next item is at ${nextAt}`);
    }
    const name = textAt(file, tableAt + nameAt);
    const end = nextAt === undefined ? undefined : tableAt + nextAt;
    return { name, start: tableAt + itemAt, end };
  });
  checkNames(items);
  const bytes = (items.at(-1)?.start ?? 0) - start;
  if (bytes < PACKAGE_BYTES.least || bytes > PACKAGE_BYTES.most || start + bytes > file.length) {
    throw refusal(`it has ${bytes} bytes`);
  }
  return { start, tableAt, items };
}

/** Finds the one package of a file. */
function findPackage(file: Uint8Array): number {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const header = Buffer.concat([HEADER_MAGIC, PACKAGE_INFO]);
  const at = bytes.indexOf(header);
  if (at < 2) throw refusal("it is not there");
  if (bytes.indexOf(header, at + 1) >= 0) throw refusal("there is more than one");
  return at - 2;
}

/** Refuses names that are not sorted, not of one package, or of a kind that we do not know. */
function checkNames(items: readonly Item[]): void {
  const [prefix = ""] = /^icudt\d+l\//.exec(items[0]?.name ?? "") ?? [];
  for (const [row, { name }] of items.entries()) {
    const previous = items[row - 1]?.name ?? "";
    if (prefix === "" || !name.startsWith(prefix) || !(previous < name)) {
      throw refusal(`its item ${JSON.stringify(name)} follows ${JSON.stringify(previous)}`);
    }
    if (!KNOWN_ITEMS.some((kind) => kind.test(itemName(name)))) {
      throw refusal(`its item ${JSON.stringify(name)} is of a kind that is not known`);
    }
  }
}

/** The table of contents, the names and the items of a package. */
function writeContents(file: Uint8Array, items: readonly Item[]): Uint8Array {
  const names = items.map(({ name }) => Buffer.from(`${name}\0`));
  const tableBytes = 4 + items.length * TABLE_ROW_BYTES;
  let nameAt = tableBytes;
  let itemAt = roundUp(
    names.reduce((at, { length }) => at + length, tableBytes),
    ITEM_ALIGN_BYTES,
  );
  const sizes = items.map((item) => {
    if (item.end === undefined) throw refusal(`its last item is ${item.name}, which is kept`);
    return item.end - item.start;
  });
  const contents = Buffer.alloc(sizes.reduce((at, size) => at + size, itemAt));
  contents.writeUInt32LE(items.length, 0);
  for (const [row, { start, end }] of items.entries()) {
    const name = names[row] ?? Buffer.alloc(0);
    contents.writeUInt32LE(nameAt, 4 + row * TABLE_ROW_BYTES);
    contents.writeUInt32LE(itemAt, 4 + row * TABLE_ROW_BYTES + 4);
    contents.set(name, nameAt);
    contents.set(file.subarray(start, end), itemAt);
    nameAt += name.length;
    // With its padding: the length of an item is the distance to the next one.
    itemAt += sizes[row] ?? 0;
  }
  return contents;
}

/** A name without the package's. */
function itemName(name: string): string {
  return name.slice(name.indexOf("/") + 1);
}

function textAt(file: Uint8Array, at: number): string {
  return Buffer.from(file.subarray(at, file.indexOf(0, at))).toString("latin1");
}

function refusal(reason: string): Error {
  return new Error(
    `ICU's data is not as expected: ${reason}; build/shrink/icu-data.ts must learn it`,
  );
}
