/**
 * Builds variant B of the prefetch stub, to be measured only: the hot pages lie together in the
 * file, once more, and the stub moves them to their addresses with mremap. Fewer blocks of storage
 * are read, but every start pays for a few hundred moves. build/prefetch/README.md has the numbers.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { architectureOf } from "../prefetch.ts";
import {
  PF_R,
  PF_W,
  PF_X,
  type ProgramHeader,
  PT_LOAD,
  PT_NOTE,
  PT_PHDR,
  readHeader,
  readProgramHeaders,
  roundUp,
  writeEntry,
  writeProgramHeaders,
} from "../prefetch/elf.ts";
import { mergeRuns, readProfile, runsOf, splitRuns } from "../prefetch/hot-pages.ts";
import { PAGE_BYTES, type PageRun } from "../prefetch/stub.ts";
import { run } from "./cold-start-store.ts";

/** A run of pages and where its copy is. */
interface Copy extends PageRun {
  /** Page number of the copy's address. */
  readonly at: number;
}

/** The copies of one segment's hot pages, to be appended to the file. */
interface Pack {
  readonly copies: readonly Copy[];
  readonly bytes: Uint8Array;
}

/**
 * Writes variant B of an executable; x86-64 only.
 * @param folder An own, existing folder, for the assembler.
 */
export async function writeVariantB(plain: string, output: string, folder: string): Promise<void> {
  const file = new Uint8Array(readFileSync(plain));
  const headers = readProgramHeaders(file);
  const loads = headers.filter(({ type }) => type === PT_LOAD);
  const runs = mergeRuns(runsOf(readProfile(Bun.version, architectureOf(file))), 2);
  const lastEnd = Math.max(...loads.map(({ vaddr, memsz }) => vaddr + memsz));
  const readOnly = loads.filter(({ flags }) => flags === PF_R);
  const code = loads.filter(({ flags }) => flags === (PF_R | PF_X));
  const writable = loads.filter(({ flags }) => (flags & PF_W) !== 0);
  const assembled = await assemble(folder);

  const dataAt = roundUp(lastEnd, PAGE_BYTES);
  const data = pack(file, readOnly, runs, dataAt / PAGE_BYTES);
  // The stub and its tables have 16 pages before the code's copies; they stay where they are.
  const stubAt = dataAt + data.bytes.length;
  const stubBytes = 16 * PAGE_BYTES;
  const text = pack(file, code, runs, (stubAt + stubBytes) / PAGE_BYTES);
  const asks = [
    ...within(runs, writable),
    { page: dataAt / PAGE_BYTES, pages: data.bytes.length / PAGE_BYTES },
    { page: stubAt / PAGE_BYTES, pages: (stubBytes + text.bytes.length) / PAGE_BYTES },
  ];
  const tables = [
    ...splitRuns(asks).flatMap(({ page, pages }) => [page, pages]),
    ...[0, 0],
    ...[...data.copies, ...text.copies].flatMap(({ at, pages, page }) => [at, pages, page]),
    ...[0, 0, 0],
  ];
  const stub = new Uint8Array(stubBytes);
  stub.set(assembled);
  const view = new DataView(stub.buffer);
  view.setBigUint64(assembled.length - 8, BigInt(readHeader(file).entry), true);
  for (const [i, word] of tables.entries()) view.setUint32(assembled.length + 4 * i, word, true);

  const dataOffset = roundUp(file.length, PAGE_BYTES);
  const stubOffset = dataOffset + data.bytes.length;
  const result = new Uint8Array(stubOffset + stubBytes + text.bytes.length);
  result.set(file);
  result.set(data.bytes, dataOffset);
  result.set(stub, stubOffset);
  result.set(text.bytes, stubOffset + stubBytes);
  const segment = (flags: number, vaddr: number, offset: number, size: number): ProgramHeader => {
    return { type: PT_LOAD, flags, offset, vaddr, filesz: size, memsz: size, align: PAGE_BYTES };
  };
  const rows = headers.filter(({ type }) => type !== PT_PHDR && type !== PT_NOTE);
  rows.splice(
    rows.findLastIndex(({ type }) => type === PT_LOAD) + 1,
    0,
    segment(PF_R, dataAt, dataOffset, data.bytes.length),
    segment(PF_R | PF_X, stubAt, stubOffset, stubBytes + text.bytes.length),
  );
  writeEntry(result, stubAt);
  writeProgramHeaders(result, rows);
  writeFileSync(output, result, { mode: 0o755 });
}

/** The parts of runs that lie in whole pages of some segments. */
function within(runs: readonly PageRun[], segments: readonly ProgramHeader[]): PageRun[] {
  return runs.flatMap(({ page, pages }) =>
    segments.flatMap(({ vaddr, memsz }) => {
      const first = Math.max(page, Math.ceil(vaddr / PAGE_BYTES));
      const end = Math.min(page + pages, Math.floor((vaddr + memsz) / PAGE_BYTES));
      return end > first ? [{ page: first, pages: end - first }] : [];
    }),
  );
}

/** Copies the hot pages of segments together. */
function pack(
  file: Uint8Array,
  segments: readonly ProgramHeader[],
  runs: readonly PageRun[],
  firstPage: number,
): Pack {
  const copies: Copy[] = [];
  const pieces: Uint8Array[] = [];
  let at = firstPage;
  for (const { page, pages } of within(runs, segments)) {
    const address = page * PAGE_BYTES;
    const segment = segments.find(
      ({ vaddr, memsz }) => address >= vaddr && address < vaddr + memsz,
    );
    if (segment === undefined) continue;
    const offset = segment.offset + address - segment.vaddr;
    copies.push({ page, pages, at });
    pieces.push(file.subarray(offset, offset + pages * PAGE_BYTES));
    at += pages;
  }
  return { copies, bytes: new Uint8Array(Buffer.concat(pieces)) };
}

async function assemble(folder: string): Promise<Uint8Array> {
  const [object, binary] = [join(folder, "variant-b.o"), join(folder, "variant-b.bin")];
  const source = join(import.meta.dir, "cold-start/variant-b-amd64.s");
  await run(["as", "-o", object, source]);
  await run(["objcopy", "-O", "binary", "-j", ".text", object, binary]);
  return new Uint8Array(readFileSync(binary));
}
