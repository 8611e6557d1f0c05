/**
 * Reads the parts of a 64-bit little-endian ELF file that our executables are made from, and writes
 * what changes: the entry point, the program header table, the section header table.
 *
 * Field names, offsets and sizes are those of the System V gABI, chapters "ELF Header",
 * "Sections", "Program Header" and "Note Section", and of elf(5).
 *
 * @module
 */

/** `e_type` of an executable with fixed addresses. */
export const ET_EXEC = 2;
/** `e_type` of a shared object or position-independent executable (PIE). */
export const ET_DYN = 3;
/** `e_machine` of x86-64. */
export const EM_X86_64 = 62;
/** `e_machine` of arm64. */
export const EM_AARCH64 = 183;
/** `p_type` of a segment that the kernel maps. */
export const PT_LOAD = 1;
/** `p_type` of the segment that names the dynamic loader. */
export const PT_INTERP = 3;
/** `p_type` of the note segment. */
const PT_NOTE = 4;
/** `p_type` of the entry that describes the program header table itself. */
export const PT_PHDR = 6;
/** `sh_type` of a section that takes no room in the file. */
export const SHT_NOBITS = 8;
/** `p_flags`: executable. */
export const PF_X = 1;
/** `p_flags`: readable. */
export const PF_R = 4;

/** Where the fields of the ELF header are, in bytes: `EHDR.phoff` is that of `e_phoff`. */
export const EHDR = {
  ...{ class: 4, data: 5, identVersion: 6, type: 16, machine: 18, version: 20, entry: 24 },
  ...{ phoff: 32, shoff: 40, phentsize: 54, phnum: 56, shentsize: 58, shnum: 60, shstrndx: 62 },
} as const;
/** Where those of a row of the program header table are: `PHDR.filesz` is that of `p_filesz`. */
export const PHDR = {
  type: 0,
  flags: 4,
  offset: 8,
  vaddr: 16,
  paddr: 24,
  filesz: 32,
  memsz: 40,
  align: 48,
} as const;
/** Where those of a row of the section header table are (`sh_name`). */
const SHDR = {
  ...{ name: 0, type: 4, flags: 8, addr: 16, offset: 24, size: 32, link: 40, info: 44 },
  ...{ addralign: 48, entsize: 56 },
} as const;
/** Where those of the header of a note are (`n_namesz`). */
const NHDR = { namesz: 0, descsz: 4, type: 8 } as const;
/** Where the parts of a relocation are: `r_offset`, and the type and the symbol in `r_info`. */
const RELA = { offset: 0, type: 8, symbol: 12 } as const;

/** The entry point (`e_entry`) in the ELF header, in bytes. */
export const ENTRY_FIELD = { at: EHDR.entry, bytes: 8 } as const;

/** Length of the ELF header (`e_ehsize`), in bytes. */
export const HEADER_BYTES = 64;
/** Bytes of a row of the program header table (`e_phentsize`). */
export const PROGRAM_HEADER_BYTES = 56;
/** Bytes of a row of the section header table (`e_shentsize`). */
export const SECTION_HEADER_BYTES = 64;
const NOTE_HEADER_BYTES = 12;
const NT_GNU_BUILD_ID = 3;
const RELOCATION_BYTES = 24;
const SYMBOL_BYTES = 24;
/** Relocation types by which ld.so copies a library's variable into the executable, by machine. */
const COPY_RELOCATIONS: Readonly<Record<number, number>> = { [EM_X86_64]: 5, [EM_AARCH64]: 1024 };

/** The fields of the ELF header that matter here. */
export interface ElfHeader {
  readonly type: number;
  readonly machine: number;
  /** Virtual address at which the program starts. */
  readonly entry: number;
  /** File offset of the program header table, in bytes. */
  readonly phoff: number;
  readonly phnum: number;
  /** File offset of the section header table, in bytes. */
  readonly shoff: number;
  readonly shnum: number;
  readonly shstrndx: number;
}

/** One row of the program header table. */
export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  /** File offset, in bytes. */
  readonly offset: number;
  /** Virtual address. */
  readonly vaddr: number;
  /** Bytes in the file. */
  readonly filesz: number;
  /** Bytes in memory. */
  readonly memsz: number;
  /** Alignment, in bytes. */
  readonly align: number;
}

/** One row of the section header table. */
export interface Section {
  readonly name: string;
  /** Where its name is in the section of names. */
  readonly nameAt: number;
  readonly type: number;
  readonly flags: number;
  /** Virtual address; 0 when the section is not in memory. */
  readonly address: number;
  /** File offset, in bytes. */
  readonly offset: number;
  /** Length, in bytes. */
  readonly size: number;
  readonly link: number;
  readonly info: number;
  /** Alignment, in bytes. */
  readonly align: number;
  /** Length of an entry, in bytes, if it is a table. */
  readonly entryBytes: number;
}

/**
 * Reads the ELF header.
 * @throws {Error} When the file is not a 64-bit little-endian ELF file of version 1.
 */
export function readHeader(file: Uint8Array): ElfHeader {
  const view = viewOf(file);
  if (file.byteLength < HEADER_BYTES || view.getUint32(0) !== 0x7f454c46) {
    throw new Error("failed to read ELF header: the file does not begin with 7f 45 4c 46");
  }
  const [elfClass, data, version] = [EHDR.class, EHDR.data, EHDR.identVersion].map((at) =>
    view.getUint8(at),
  );
  if (elfClass !== 2 || data !== 1) {
    throw new Error(
      `failed to read ELF header: class ${elfClass}, data ${data}; ` +
        "only 64-bit little-endian files (2, 1) are understood",
    );
  }
  const fileVersion = view.getUint32(EHDR.version, true);
  if (version !== 1 || fileVersion !== 1) {
    throw new Error(
      `failed to read ELF header: version ${version} and ${fileVersion}; ` +
        "only ELF version 1 is understood",
    );
  }
  const [phentsize, shentsize] = [EHDR.phentsize, EHDR.shentsize].map((at) =>
    view.getUint16(at, true),
  );
  if (phentsize !== PROGRAM_HEADER_BYTES || shentsize !== SECTION_HEADER_BYTES) {
    throw new Error(
      `failed to read ELF header: table rows of ${phentsize} and ${shentsize} bytes; ` +
        `only ${PROGRAM_HEADER_BYTES} and ${SECTION_HEADER_BYTES} are understood`,
    );
  }
  return {
    type: view.getUint16(EHDR.type, true),
    machine: view.getUint16(EHDR.machine, true),
    entry: readNumber(view, EHDR.entry),
    phoff: readNumber(view, EHDR.phoff),
    shoff: readNumber(view, EHDR.shoff),
    phnum: view.getUint16(EHDR.phnum, true),
    shnum: view.getUint16(EHDR.shnum, true),
    shstrndx: view.getUint16(EHDR.shstrndx, true),
  };
}

/** Writes the entry point (`e_entry`), a virtual address, into the ELF header. */
export function writeEntry(file: Uint8Array, entry: number): void {
  viewOf(file).setBigUint64(EHDR.entry, BigInt(entry), true);
}

/**
 * Reads the program header table.
 * @throws {RangeError} When the table does not lie in the file.
 */
export function readProgramHeaders(file: Uint8Array): ProgramHeader[] {
  const { phoff, phnum } = readHeader(file);
  const view = viewOf(file);
  return Array.from({ length: phnum }, (_, row) => {
    const at = phoff + row * PROGRAM_HEADER_BYTES;
    return {
      type: view.getUint32(at + PHDR.type, true),
      flags: view.getUint32(at + PHDR.flags, true),
      offset: readNumber(view, at + PHDR.offset),
      vaddr: readNumber(view, at + PHDR.vaddr),
      filesz: readNumber(view, at + PHDR.filesz),
      memsz: readNumber(view, at + PHDR.memsz),
      align: readNumber(view, at + PHDR.align),
    };
  });
}

/**
 * Writes the program header table over the one that is there.
 * @throws {Error} When the number of rows differs: the table has no room to grow.
 */
export function writeProgramHeaders(file: Uint8Array, rows: readonly ProgramHeader[]): void {
  const { phoff, phnum } = readHeader(file);
  if (rows.length !== phnum) {
    throw new Error(`failed to write program headers: ${rows.length} rows in place of ${phnum}`);
  }
  writeProgramHeaderRows(file, phoff, rows);
}

function writeProgramHeaderRows(
  file: Uint8Array,
  tableAt: number,
  rows: readonly ProgramHeader[],
): void {
  const view = viewOf(file);
  for (const [row, header] of rows.entries()) {
    const at = tableAt + row * PROGRAM_HEADER_BYTES;
    view.setUint32(at + PHDR.type, header.type, true);
    view.setUint32(at + PHDR.flags, header.flags, true);
    view.setBigUint64(at + PHDR.offset, BigInt(header.offset), true);
    view.setBigUint64(at + PHDR.vaddr, BigInt(header.vaddr), true);
    // p_paddr, which Linux ignores, is the virtual address in every file that linkers write.
    view.setBigUint64(at + PHDR.paddr, BigInt(header.vaddr), true);
    view.setBigUint64(at + PHDR.filesz, BigInt(header.filesz), true);
    view.setBigUint64(at + PHDR.memsz, BigInt(header.memsz), true);
    view.setBigUint64(at + PHDR.align, BigInt(header.align), true);
  }
}

/** Both tables of a file, and where they are in it. */
export interface Layout {
  readonly programHeaders: readonly ProgramHeader[];
  readonly programHeadersAt: number;
  readonly sections: readonly Section[];
  /** The table of sections is the last part of the file. */
  readonly sectionsAt: number;
}

/**
 * Returns a copy of the file with other tables; the old program header table becomes zeros.
 *
 * A loader in memory finds the program header table where it is in the file: the first segment
 * must hold it.
 */
export function writeLayout(file: Uint8Array, layout: Layout): Uint8Array {
  const { programHeaders, programHeadersAt, sections, sectionsAt } = layout;
  const { phoff, phnum } = readHeader(file);
  const written = new Uint8Array(sectionsAt + sections.length * SECTION_HEADER_BYTES);
  written.set(file.subarray(0, sectionsAt));
  written.fill(0, phoff, phoff + phnum * PROGRAM_HEADER_BYTES);
  writeProgramHeaderRows(written, programHeadersAt, programHeaders);
  const view = viewOf(written);
  view.setBigUint64(EHDR.phoff, BigInt(programHeadersAt), true);
  view.setBigUint64(EHDR.shoff, BigInt(sectionsAt), true);
  view.setUint16(EHDR.phnum, programHeaders.length, true);
  view.setUint16(EHDR.shnum, sections.length, true);
  for (const [row, section] of sections.entries()) {
    const at = sectionsAt + row * SECTION_HEADER_BYTES;
    view.setUint32(at + SHDR.name, section.nameAt, true);
    view.setUint32(at + SHDR.type, section.type, true);
    view.setBigUint64(at + SHDR.flags, BigInt(section.flags), true);
    view.setBigUint64(at + SHDR.addr, BigInt(section.address), true);
    view.setBigUint64(at + SHDR.offset, BigInt(section.offset), true);
    view.setBigUint64(at + SHDR.size, BigInt(section.size), true);
    view.setUint32(at + SHDR.link, section.link, true);
    view.setUint32(at + SHDR.info, section.info, true);
    view.setBigUint64(at + SHDR.addralign, BigInt(section.align), true);
    view.setBigUint64(at + SHDR.entsize, BigInt(section.entryBytes), true);
  }
  return written;
}

/**
 * Reads the section header table, names included.
 * @throws {RangeError} When the table does not lie in the file.
 */
export function readSections(file: Uint8Array): Section[] {
  const { shoff, shnum, shstrndx } = readHeader(file);
  const view = viewOf(file);
  const row = (index: number) => shoff + index * SECTION_HEADER_BYTES;
  const names = file.subarray(readNumber(view, row(shstrndx) + SHDR.offset));
  return Array.from({ length: shnum }, (_, index) => {
    const at = row(index);
    const nameAt = view.getUint32(at + SHDR.name, true);
    return {
      name: new TextDecoder().decode(names.subarray(nameAt, names.indexOf(0, nameAt))),
      nameAt,
      type: view.getUint32(at + SHDR.type, true),
      flags: readNumber(view, at + SHDR.flags),
      address: readNumber(view, at + SHDR.addr),
      offset: readNumber(view, at + SHDR.offset),
      size: readNumber(view, at + SHDR.size),
      link: view.getUint32(at + SHDR.link, true),
      info: view.getUint32(at + SHDR.info, true),
      align: readNumber(view, at + SHDR.addralign),
      entryBytes: readNumber(view, at + SHDR.entsize),
    };
  });
}

/**
 * Returns the linker's build id (NT_GNU_BUILD_ID) in hexadecimal, or `undefined` when there is none.
 *
 * `bun build --compile` copies Bun's executable, so a compiled program has the id of its Bun.
 */
export function readBuildId(file: Uint8Array): string | undefined {
  const view = viewOf(file);
  for (const note of readProgramHeaders(file).filter(({ type }) => type === PT_NOTE)) {
    let at = note.offset;
    while (at + NOTE_HEADER_BYTES <= note.offset + note.filesz) {
      const namesz = view.getUint32(at + NHDR.namesz, true);
      const descsz = view.getUint32(at + NHDR.descsz, true);
      const description = at + NOTE_HEADER_BYTES + roundUp(namesz, 4);
      const name = file.subarray(at + NOTE_HEADER_BYTES, at + NOTE_HEADER_BYTES + namesz);
      const isGnu = Buffer.from(name).toString("latin1") === "GNU\0";
      if (isGnu && view.getUint32(at + NHDR.type, true) === NT_GNU_BUILD_ID) {
        return Buffer.from(file.subarray(description, description + descsz)).toString("hex");
      }
      at = description + roundUp(descsz, 4);
    }
  }
  return undefined;
}

/**
 * Returns the virtual address of a library's variable that ld.so copies into the executable, which
 * every library then uses: a copy relocation. `undefined` when it has none of that name.
 */
export function readCopiedVariable(file: Uint8Array, name: string): number | undefined {
  const view = viewOf(file);
  const { machine } = readHeader(file);
  const sections = new Map(readSections(file).map((section) => [section.name, section]));
  const [relocations, symbols, names] = [".rela.dyn", ".dynsym", ".dynstr"].map((key) =>
    sections.get(key),
  );
  if (relocations === undefined || symbols === undefined || names === undefined) return undefined;
  const end = relocations.offset + relocations.size;
  for (let at = relocations.offset; at < end; at += RELOCATION_BYTES) {
    if (view.getUint32(at + RELA.type, true) !== COPY_RELOCATIONS[machine]) continue;
    const symbolAt = symbols.offset + view.getUint32(at + RELA.symbol, true) * SYMBOL_BYTES;
    const nameAt = names.offset + view.getUint32(symbolAt, true);
    const symbol = file.subarray(nameAt, file.indexOf(0, nameAt));
    if (Buffer.from(symbol).toString("latin1") === name) return readNumber(view, at + RELA.offset);
  }
  return undefined;
}

/** Rounds up to a multiple. */
export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

function viewOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}

/** Reads 8 bytes; every address and size of a user program is below 2^53. */
function readNumber(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
