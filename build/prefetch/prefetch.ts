/**
 * Adds the stub to a compiled executable: its first instructions, which decide what variables Bun
 * sees and ask for the pages of its start at once. build/prefetch/README.md says why and how.
 *
 * Nothing moves. A segment with the stub and its table is appended to the file and mapped above
 * the image, and the entry point becomes the stub. Its row in the program header table takes the
 * place of PT_PHDR, which executables with fixed addresses do not need, so that the table keeps its
 * size and its place; every other byte of the file stays as it is.
 *
 * @module
 */

import { type Architecture, ARCHITECTURES } from "../architectures.ts";
import {
  EM_AARCH64,
  EM_X86_64,
  ENTRY_FIELD,
  ET_DYN,
  ET_EXEC,
  PF_R,
  PF_X,
  PROGRAM_HEADER_BYTES,
  type ProgramHeader,
  PT_LOAD,
  PT_PHDR,
  readBuildId,
  readCopiedVariable,
  readHeader,
  readProgramHeaders,
  readSections,
  roundUp,
  writeEntry,
  writeProgramHeaders,
} from "./elf.ts";
import { MERGE_PAGES, mergeRuns, type PageProfile, runsOf, splitRuns } from "./hot-pages.ts";
import { PAGE_BYTES, type PageRun, PROBES_MAX, type ProgramEnvironment, stub } from "./stub.ts";

/** The stub's segment begins at a multiple of this in the file: the table's rows are 8 bytes. */
const STUB_ALIGN_BYTES = 16;
/** An executable must not grow by more: a profile that needs more is broken. */
export const GROWTH_BYTES_MAX = 64 * 1024;

/** The section that `bun build --compile` adds: JavaScript, byte code and embedded files. */
const OUR_SECTION = ".bun";

/** The name that an executable's `e_machine` has in our files. */
const MACHINES: Readonly<Record<number, Architecture["name"]>> = {
  [EM_X86_64]: "amd64",
  [EM_AARCH64]: "arm64",
};

/** What the stub does before the program starts. */
export interface Start {
  /** Which variables the program itself sees. */
  readonly environment: ProgramEnvironment;
  /** What pages it asks for; `undefined`: none. */
  readonly profile: PageProfile | undefined;
}

/** An executable with the stub. */
export interface Started {
  readonly file: Uint8Array;
  /** How many runs of pages it asks for. */
  readonly runs: number;
  /** By how much it grew, in bytes. */
  readonly addedBytes: number;
}

/**
 * Returns the executable with the stub, checked by reading it back.
 * @throws {Error} When the file or the profile is not one that it understands, with the reason.
 */
export function addStub(file: Uint8Array, { environment, profile }: Start): Started {
  const headers = checkExecutable(file);
  const target = architectureOf(file);
  if (profile !== undefined) checkProfile(file, profile);
  const loads = headers.filter(({ type }) => type === PT_LOAD);
  const runs = profile === undefined ? [] : hotRuns(file, loads, profile);
  const make = (address: number) =>
    stub(target, address, {
      entry: readHeader(file).entry,
      variable: environmentVariable(file),
      environment,
      probes: probes(runs, loads),
      runs,
    });
  const segment = stubSegment(file, loads, make(0).byteLength);
  const started = new Uint8Array(segment.offset + segment.filesz);
  started.set(file);
  started.set(make(segment.vaddr), segment.offset);
  writeEntry(started, segment.vaddr);
  writeProgramHeaders(started, withSegment(headers, segment));
  verify(file, started);
  return { file: started, runs: runs.length, addedBytes: started.length - file.length };
}

/** Finds out which of our architectures an executable is for. */
export function architectureOf(file: Uint8Array): Architecture {
  const { machine } = readHeader(file);
  const found = ARCHITECTURES.find(({ name }) => name === MACHINES[machine]);
  if (found === undefined) {
    throw new Error(`the machine (e_machine) is ${machine}; only x86-64 and arm64 are understood`);
  }
  return found;
}

/** Where the C library's `environ` is: ld.so copies it into the executable. */
function environmentVariable(file: Uint8Array): number {
  const address = readCopiedVariable(file, "environ");
  if (address === undefined) {
    throw new Error(
      "it has no copy of the C library's variable environ (a copy relocation in .rela.dyn): " +
        "the stub cannot say what variables the program sees; is it made by another Bun?",
    );
  }
  return address;
}

/** Refuses whatever the stub's assumptions do not hold for, and returns the program headers. */
function checkExecutable(file: Uint8Array): ProgramHeader[] {
  const { type } = readHeader(file);
  if (type === ET_DYN) {
    throw new Error(
      "it is position-independent (PIE, ET_DYN): the table holds fixed addresses; " +
        "link without -pie",
    );
  }
  if (type !== ET_EXEC) throw new Error(`it is not an executable (e_type ${type}, not ET_EXEC)`);
  const headers = readProgramHeaders(file);
  if (headers[0]?.type !== PT_PHDR) {
    const hint = "has it the stub already? compile it again";
    throw new Error(`its first program header is not PT_PHDR, whose row the stub takes: ${hint}`);
  }
  const loads = headers.filter(({ type: kind }) => kind === PT_LOAD);
  for (const [row, { vaddr, filesz, memsz }] of loads.entries()) {
    const previous = loads[row - 1];
    if (previous !== undefined && vaddr < previous.vaddr + previous.memsz) {
      throw new Error(`its segment at ${hex(vaddr)} is not above the one before it`);
    }
    if (row === loads.length - 1 && filesz !== memsz) {
      throw new Error(
        `its segment at ${hex(vaddr)} has ${filesz} bytes in the file and ${memsz} in memory: ` +
          "the heap begins there and would meet the stub; " +
          "`bun build --compile` makes them equal: is it a compiled program?",
      );
    }
  }
  return headers;
}

function checkProfile(file: Uint8Array, profile: PageProfile): void {
  const found = architectureOf(file);
  if (found.name !== profile.architecture) {
    throw new Error(`it is for ${found.name}, the page profile for ${profile.architecture}`);
  }
  const buildId = readBuildId(file);
  if (buildId !== profile.buildId) {
    throw new Error(
      `its build id is ${buildId ?? "missing"}, but the page profile of Bun ${profile.bun} is for ` +
        `${profile.buildId}: it is another Bun; take a profile with \`make page-profile\`, ` +
        "or build with PREFETCH=off",
    );
  }
}

/**
 * The table: our own part of the file whole, then Bun's part by the profile.
 *
 * Our JavaScript and its byte code are the section .bun. Bun itself asks for all of it a few
 * milliseconds after its start (strace: madvise, MADV_WILLNEED), so asking first reads no more.
 */
function hotRuns(
  file: Uint8Array,
  loads: readonly ProgramHeader[],
  profile: PageProfile,
): PageRun[] {
  const ours = readSections(file).find(({ name }) => name === OUR_SECTION);
  if (ours === undefined || ours.address === 0) {
    throw new Error(
      `it has no section ${OUR_SECTION} in memory: is it made by \`bun build --compile\`?`,
    );
  }
  const firstPage = Math.floor(ours.address / PAGE_BYTES);
  const endPage = Math.ceil((ours.address + ours.size) / PAGE_BYTES);
  const bunRuns = runsOf(profile);
  for (const { page, pages } of bunRuns) {
    const [start, end] = [page * PAGE_BYTES, (page + pages) * PAGE_BYTES];
    const inside = loads.some(
      ({ vaddr, memsz }) => start + PAGE_BYTES > vaddr && end - PAGE_BYTES < vaddr + memsz,
    );
    if (!inside || (page < endPage && page + pages > firstPage)) {
      throw new Error(
        `the page profile has ${hex(start)} to ${hex(end)}, which is in no segment of Bun's; ` +
          "take a new one with `make page-profile`",
      );
    }
  }
  const ourRun = { page: firstPage, pages: endPage - firstPage };
  return splitRuns(mergeRuns([ourRun, ...bunRuns], MERGE_PAGES));
}

/**
 * Pages of the file that tell whether a start has to ask: spread over the hot runs of code, which
 * neither the kernel nor ld.so has touched by then.
 */
function probes(runs: readonly PageRun[], loads: readonly ProgramHeader[]): number[] {
  const code = loads.filter(({ flags }) => (flags & PF_X) !== 0);
  const pages = runs.flatMap(({ page }) => {
    const address = page * PAGE_BYTES;
    const segment = code.find(({ vaddr, memsz }) => address >= vaddr && address < vaddr + memsz);
    return segment === undefined ? [] : [(address - segment.vaddr + segment.offset) / PAGE_BYTES];
  });
  const sorted = pages.map(Math.floor).sort((a, b) => a - b);
  return Array.from(
    { length: Math.min(PROBES_MAX, sorted.length) },
    (_, index) => sorted[Math.floor(((index + 0.5) / PROBES_MAX) * sorted.length)] as number,
  );
}

/** Where the stub goes: at the end of the file, and in memory on the next page after the image. */
function stubSegment(
  file: Uint8Array,
  loads: readonly ProgramHeader[],
  bytes: number,
): ProgramHeader {
  const last = loads.at(-1);
  if (last === undefined) throw new Error("it has no segment to load (PT_LOAD)");
  const offset = roundUp(file.byteLength, STUB_ALIGN_BYTES);
  const growth = offset + bytes - file.byteLength;
  if (growth > GROWTH_BYTES_MAX) {
    throw new Error(`it would grow by ${growth} bytes, more than ${GROWTH_BYTES_MAX}`);
  }
  // The kernel maps whole pages: address and offset must agree below the alignment.
  const vaddr = roundUp(last.vaddr + last.memsz, last.align) + (offset % last.align);
  const flags = PF_R | PF_X;
  return { type: PT_LOAD, flags, offset, vaddr, filesz: bytes, memsz: bytes, align: last.align };
}

/** The table with the segment after the last of its kind (they stand by address) for PT_PHDR. */
function withSegment(headers: readonly ProgramHeader[], segment: ProgramHeader): ProgramHeader[] {
  const rows = headers.filter(({ type }) => type !== PT_PHDR);
  const last = rows.findLastIndex(({ type }) => type === PT_LOAD);
  return rows.toSpliced(last + 1, 0, segment);
}

/**
 * Reads the result as the kernel will, and compares it with the original.
 * @throws {Error} When a byte of an original segment is not at its virtual address (but for the
 *   entry point and the program header table, which change), or when two segments share a page.
 */
export function verify(original: Uint8Array, started: Uint8Array): void {
  const mapped = readProgramHeaders(started).filter(({ type }) => type === PT_LOAD);
  for (const { type, flags, vaddr, offset, filesz } of readProgramHeaders(original)) {
    if (type !== PT_LOAD) continue;
    const segment = mapped.find((row) => row.vaddr === vaddr && row.filesz === filesz);
    if (segment === undefined || segment.flags !== flags) {
      throw new Error(`failed to verify: the segment at ${hex(vaddr)} is lost`);
    }
    const before = withoutChanges(original, offset, filesz);
    const after = withoutChanges(started, segment.offset, filesz);
    if (Buffer.compare(before, after) !== 0) {
      throw new Error(`failed to verify: the segment at ${hex(vaddr)} has other bytes`);
    }
  }
  for (const [row, { vaddr, offset, align }] of mapped.entries()) {
    const previous = mapped[row - 1];
    const previousEnd = previous === undefined ? 0 : previous.vaddr + previous.memsz;
    const apart = vaddr - (vaddr % align) >= roundUp(previousEnd, align);
    if (!apart || vaddr % align !== offset % align) {
      throw new Error(`failed to verify: the segment at ${hex(vaddr)} meets the one before it`);
    }
  }
}

/** The bytes of a segment, with zeros for what may change. */
function withoutChanges(file: Uint8Array, offset: number, filesz: number): Uint8Array {
  const { phoff, phnum } = readHeader(file);
  const changes = [
    { start: ENTRY_FIELD.at, end: ENTRY_FIELD.at + ENTRY_FIELD.bytes },
    { start: phoff, end: phoff + phnum * PROGRAM_HEADER_BYTES },
  ];
  const segment = file.subarray(offset, offset + filesz);
  if (!changes.some(({ start, end }) => start < offset + filesz && end > offset)) return segment;
  // Not slice(): that of a Buffer shares its memory.
  const masked = new Uint8Array(segment);
  for (const { start, end } of changes) {
    masked.fill(0, Math.max(start - offset, 0), Math.max(end - offset, 0));
  }
  return masked;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
