/**
 * Reads what matters here of ELF files, with binutils' readelf, which knows every architecture.
 *
 * @module
 */

import { closeSync, existsSync, openSync, readFileSync, readSync } from "node:fs";

import { EHDR, HEADER_BYTES, PHDR } from "../prefetch/elf.ts";
import { run } from "./command.ts";

/** What an ELF file is and needs. */
export interface ElfFile {
  readonly path: string;
  /** Machine, as readelf names it: "AArch64" or "Advanced Micro Devices X86-64". */
  readonly machine: string;
  /** The name that others load it by; undefined for a program. */
  readonly soname: string | undefined;
  /** Libraries that it loads, by SONAME. */
  readonly needed: readonly string[];
  /** The loader that the kernel starts it with; undefined for a library or a static program. */
  readonly interpreter: string | undefined;
  /** The newest glibc version that it asks for, such as "2.38"; undefined if none. */
  readonly glibc: string | undefined;
}

/** Files that one readelf reads: an argument list has its limits. */
const FILES_PER_RUN = 200;

/** Whether a file begins as ELF does. */
function isElf(path: string): boolean {
  const magic = Buffer.alloc(4);
  const file = openSync(path, "r");
  try {
    readSync(file, magic, 0, magic.length, 0);
  } finally {
    closeSync(file);
  }
  return magic.toString("latin1") === "\x7fELF";
}

/**
 * Whether a file is there, ELF for 64 bits, and has all that its header names. What is cut off begins like a whole
 * one, and readelf only warns.
 */
export function isWholeElf(path: string): boolean {
  if (!existsSync(path) || !isElf(path)) return false;
  const bytes = readFileSync(path);
  if (bytes.length < HEADER_BYTES) return false;
  const offset = (at: number) => Number(bytes.readBigUInt64LE(at));
  const segments = offset(EHDR.phoff);
  const segmentBytes = bytes.readUInt16LE(EHDR.phentsize);
  const segmentsEnd = segments + segmentBytes * bytes.readUInt16LE(EHDR.phnum);
  // A file without sections may say of them that they have no length.
  const sectionsBytes = bytes.readUInt16LE(EHDR.shentsize) * bytes.readUInt16LE(EHDR.shnum);
  if (Math.max(segmentsEnd, offset(EHDR.shoff) + sectionsBytes) > bytes.length) return false;
  for (let at = segments; at < segmentsEnd; at += segmentBytes) {
    if (offset(at + PHDR.offset) + offset(at + PHDR.filesz) > bytes.length) return false;
  }
  return true;
}

/** Reads those of the given files that are ELF. */
export async function readElfFiles(paths: readonly string[]): Promise<ElfFile[]> {
  const elves = paths.filter(isElf);
  const files: ElfFile[] = [];
  for (let start = 0; start < elves.length; start += FILES_PER_RUN) {
    const some = elves.slice(start, start + FILES_PER_RUN);
    // readelf names the files only if there are several: the first one again makes it so.
    const report = await run(["readelf", "-hdlVW", ...some, ...some.slice(0, 1)]);
    const sections = report.split(/^File: /m).slice(1, 1 + some.length);
    files.push(...sections.map(parse));
  }
  return files;
}

function parse(section: string): ElfFile {
  const needs = section.split("Version needs section")[1] ?? "";
  const newest = [...needs.matchAll(/Name: GLIBC_(\d+)\.(\d+)/g)]
    .map(([, major, minor]) => [Number(major), Number(minor)] as const)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .at(-1);
  return {
    path: section.slice(0, section.indexOf("\n")),
    machine: /^ {2}Machine: +(.*)$/m.exec(section)?.[1] ?? "unknown",
    soname: /\(SONAME\).*\[(.*)\]/.exec(section)?.[1],
    needed: [...section.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name ?? ""),
    interpreter: /Requesting program interpreter: (.*)\]/.exec(section)?.[1],
    glibc: newest?.join("."),
  };
}
