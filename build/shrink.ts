/**
 * Makes a compiled executable smaller: takes out data that the runtime never reads, and zeros that
 * only fill the file. build/shrink/README.md says why and how.
 *
 * Nothing moves in memory: every byte that stays keeps its virtual address.
 *
 * @module
 */

import {
  HEADER_BYTES,
  PROGRAM_HEADER_BYTES,
  type ProgramHeader,
  PT_LOAD,
  readHeader,
  readProgramHeaders,
  readSections,
  roundUp,
  SECTION_HEADER_BYTES,
} from "./prefetch/elf.ts";
import { type Gap, removeGaps } from "./shrink/gaps.ts";
import { type ByteRange, cutIcuData } from "./shrink/icu-data.ts";

/** The program header table grows by a row for each segment that a gap divides. */
const ROWS_ADDED = 2;
const TABLE_ALIGN_BYTES = 8;

/**
 * Returns the executable without what it does not need, checked by reading it back.
 * @throws {Error} When it is not one that it understands, with the reason.
 */
export function shrink(file: Uint8Array): Uint8Array {
  const { shoff, shnum, phnum } = readHeader(file);
  if (shoff + shnum * SECTION_HEADER_BYTES !== file.byteLength) {
    throw new Error("its section header table is not the last part of the file");
  }
  const { file: cut, free } = cutIcuData(file);
  const tableAt = roundUp(free.start, TABLE_ALIGN_BYTES);
  const tableEnd = tableAt + (phnum + ROWS_ADDED) * PROGRAM_HEADER_BYTES;
  const gaps: Gap[] = [
    { start: tableEnd, end: free.end, becomes: "nothing" },
    { ...zeros(file), becomes: "zeros" },
  ];
  const shorter = removeGaps(cut, gaps, tableAt);
  verify(cut, shorter, free);
  return shorter;
}

/**
 * Finds the zeros that Bun writes out: memory that begins as zeros (.bss) needs no bytes in the file, but
 * what `bun build --compile` adds comes after it in the same segment.
 */
function zeros(file: Uint8Array): ByteRange {
  const sections = readSections(file);
  const [bss, ours] = [".bss", ".bun"].map((name) =>
    sections.find((section) => section.name === name),
  );
  const segment = readProgramHeaders(file).find(
    ({ type, vaddr, filesz }) =>
      bss !== undefined && type === PT_LOAD && bss.address >= vaddr && bss.address < vaddr + filesz,
  );
  if (bss === undefined || ours === undefined || segment === undefined) {
    throw new Error("it has no sections .bss and .bun in memory: is it a compiled program?");
  }
  const start = bss.address - segment.vaddr + segment.offset;
  if (start >= ours.offset || !isZero(file.subarray(start, ours.offset))) {
    throw new Error("its section .bss is not followed by .bun, or not of zeros");
  }
  return { start, end: ours.offset };
}

/**
 * Compares what is in memory before and after.
 * @param free What may be gone.
 * @throws {Error} When a byte is not at its address any more.
 */
export function verify(original: Uint8Array, shorter: Uint8Array, free: ByteRange): void {
  const loads = readProgramHeaders(shorter).filter(({ type }) => type === PT_LOAD);
  for (const [row, { vaddr, offset, align }] of loads.entries()) {
    const previous = loads[row - 1];
    const previousEnd = previous === undefined ? 0 : previous.vaddr + previous.memsz;
    if (vaddr < previousEnd || vaddr % align !== offset % align) {
      throw new Error(`failed to verify: the segment at ${hex(vaddr)} cannot be mapped`);
    }
  }
  for (const segment of readProgramHeaders(original)) {
    if (segment.type === PT_LOAD) verifySegment(original, segment, shorter, loads, free);
  }
}

function verifySegment(
  original: Uint8Array,
  segment: ProgramHeader,
  shorter: Uint8Array,
  loads: readonly ProgramHeader[],
  free: ByteRange,
): void {
  const before = maskTables(original);
  const after = maskTables(shorter);
  const offsetOf = (address: number) => address - segment.vaddr + segment.offset;
  let at = segment.vaddr;
  const end = segment.vaddr + segment.memsz;
  while (at < end) {
    const load = loads.find(({ vaddr, memsz }) => at >= vaddr && at < vaddr + memsz);
    if (load === undefined) {
      const next = Math.min(end, ...loads.map(({ vaddr }) => vaddr).filter((vaddr) => vaddr > at));
      if (offsetOf(at) < free.start || offsetOf(next) > free.end) {
        throw new Error(`failed to verify: ${hex(at)} to ${hex(next)} are gone`);
      }
      at = next;
      continue;
    }
    const fileEnd = load.vaddr + load.filesz;
    const next = Math.min(end, at < fileEnd ? fileEnd : load.vaddr + load.memsz);
    const bytes = before.subarray(offsetOf(at), offsetOf(next));
    const isSame =
      at < fileEnd
        ? Buffer.compare(
            bytes,
            after.subarray(at - load.vaddr + load.offset, next - load.vaddr + load.offset),
          ) === 0
        : isZero(bytes);
    if (!isSame || load.flags !== segment.flags) {
      throw new Error(`failed to verify: ${hex(at)} to ${hex(next)} are not the same`);
    }
    at = next;
  }
}

/** A copy with zeros for the ELF header and the program header table, which change. */
function maskTables(file: Uint8Array): Uint8Array {
  const { phoff, phnum } = readHeader(file);
  const masked = new Uint8Array(file);
  masked.fill(0, 0, HEADER_BYTES);
  return masked.fill(0, phoff, phoff + phnum * PROGRAM_HEADER_BYTES);
}

function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, Buffer.alloc(bytes.byteLength)) === 0;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
