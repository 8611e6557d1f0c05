/**
 * Removes parts of an executable from its file, so that every other byte stays at its virtual address.
 *
 * A segment with a gap becomes two, so that the program header table grows: it moves into what is left of
 * the first gap.
 *
 * @module
 */

import {
  PROGRAM_HEADER_BYTES,
  type ProgramHeader,
  PT_LOAD,
  PT_PHDR,
  readHeader,
  readProgramHeaders,
  readSections,
  roundUp,
  type Section,
  SHT_NOBITS,
  writeLayout,
} from "../prefetch/elf.ts";
import type { ByteRange } from "./icu-data.ts";

/** A part of a segment that goes. */
export interface Gap extends ByteRange {
  /** What its addresses are afterwards: zeros, or nothing at all, so that to read one is a crash. */
  readonly becomes: "zeros" | "nothing";
}

/** What a gap is trimmed to, so that the pieces around it can be mapped. */
interface Trimmed extends Gap {
  readonly segment: ProgramHeader;
}

/**
 * Returns the executable without its gaps.
 * @param gaps In ascending order; each lies in one segment. They are trimmed to whole pages of the
 *   segment's alignment.
 * @param tableAt Where in the file the program header table may go, before the first gap.
 * @throws {Error} When that cannot be done, with the reason.
 */
export function removeGaps(file: Uint8Array, gaps: readonly Gap[], tableAt: number): Uint8Array {
  const headers = readProgramHeaders(file);
  const trimmed = gaps.map((gap) => trim(gap, headers));
  const moved = (offset: number) =>
    trimmed.reduce((at, { start, end }) => (offset >= end ? at - (end - start) : at), offset);
  const rows = headers.flatMap((row) =>
    row.type === PT_LOAD ? piecesOf(row, trimmed, moved) : [movedRow(row, trimmed, moved)],
  );
  const tableBytes = rows.length * PROGRAM_HEADER_BYTES;
  const first = trimmed[0];
  if (first === undefined || tableAt + tableBytes > first.start) {
    throw new Error("there is no room for the program header table before the first gap");
  }
  const { vaddr, offset } = first.segment;
  const table = { offset: tableAt, vaddr: tableAt - offset + vaddr, bytes: tableBytes };
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const { start, end } of trimmed) {
    pieces.push(file.subarray(at, start));
    at = end;
  }
  pieces.push(file.subarray(at));
  const shorter = Buffer.concat(pieces);
  return writeLayout(shorter, {
    programHeaders: rows.map((row) =>
      row.type === PT_PHDR ? { ...row, ...table, filesz: table.bytes, memsz: table.bytes } : row,
    ),
    programHeadersAt: tableAt,
    sections: sectionsOf(file, trimmed, moved),
    sectionsAt: moved(readHeader(file).shoff),
  });
}

/** Trims a gap so that the pieces of its segment begin and end as the kernel maps them. */
function trim(gap: Gap, headers: readonly ProgramHeader[]): Trimmed {
  const segment = headers.find(
    ({ type, offset, filesz }) =>
      type === PT_LOAD && gap.start >= offset && gap.end <= offset + filesz,
  );
  if (segment === undefined || segment.filesz !== segment.memsz) {
    throw new Error(`no segment holds the file's bytes ${gap.start} to ${gap.end}`);
  }
  const { offset, vaddr, align } = segment;
  const address = (at: number) => at - offset + vaddr;
  const end = gap.end - (address(gap.end) % align);
  // Zeros need not begin on a page: the kernel clears the rest of the last one of the file.
  const start =
    gap.becomes === "zeros"
      ? gap.start + ((end - gap.start) % align)
      : gap.start + (roundUp(address(gap.start), align) - address(gap.start));
  if (start <= offset || start >= end) {
    throw new Error(`the gap from ${gap.start} to ${gap.end} has no whole page`);
  }
  return { ...gap, start, end, segment };
}

/** The pieces of a segment around the gaps in it. */
function piecesOf(
  segment: ProgramHeader,
  gaps: readonly Trimmed[],
  moved: (offset: number) => number,
): ProgramHeader[] {
  const pieces: ProgramHeader[] = [];
  let start = segment.offset;
  const add = (end: number, zeros: number) => {
    const filesz = end - start;
    const vaddr = start - segment.offset + segment.vaddr;
    pieces.push({ ...segment, offset: moved(start), vaddr, filesz, memsz: filesz + zeros });
  };
  for (const gap of gaps) {
    if (gap.segment !== segment) continue;
    add(gap.start, gap.becomes === "zeros" ? gap.end - gap.start : 0);
    start = gap.end;
  }
  add(segment.offset + segment.filesz, 0);
  return pieces;
}

/** A row that describes a part of a segment. */
function movedRow(
  row: ProgramHeader,
  gaps: readonly Trimmed[],
  moved: (offset: number) => number,
): ProgramHeader {
  const { offset, filesz } = row;
  if (gaps.some(({ start, end }) => start < offset + filesz && end > offset)) {
    throw new Error(`the program header of type ${row.type} holds a part that goes`);
  }
  return { ...row, offset: moved(offset) };
}

/** The section header table, for tools: a section with a gap becomes two of one name. */
function sectionsOf(
  file: Uint8Array,
  gaps: readonly Trimmed[],
  moved: (offset: number) => number,
): Section[] {
  const added: Section[] = [];
  const sections = readSections(file).map((section) => {
    const { address, offset, size, type } = section;
    if (type === SHT_NOBITS) return { ...section, offset: moved(offset) };
    const gap = gaps.find(({ start, end }) => start < offset + size && end > offset);
    if (gap === undefined) return { ...section, offset: moved(offset) };
    if (gap.start <= offset || gap.end >= offset + size) {
      throw new Error(`the section ${section.name} begins or ends in a part that goes`);
    }
    added.push({
      ...section,
      address: gap.end - offset + address,
      offset: moved(gap.end),
      size: offset + size - gap.end,
    });
    return { ...section, offset: moved(offset), size: gap.start - offset };
  });
  // At the end, since the numbers of sections are in other tables.
  return [...sections, ...added];
}
