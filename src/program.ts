/**
 * Files that are executed: where an ELF file runs, and why one does not run here.
 *
 * @see https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
 * @module
 */

import { constants, existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import { closest, pathWord } from "./commands/cli/suggest.ts";
import { isAllowed, isRegularFile, linkTarget, namesIn, startBytes, statOf } from "./file-facts.ts";
import { definedFunctions, shebangWords } from "./handler/script.ts";

/** Lambda's architectures, as our files are named. Messages have AWS's names alone, as templates do. */
export type MachineArchitecture = "amd64" | "arm64";

/** What an ELF file says of where it runs. */
export interface ElfFile {
  /** Nothing when it is for a machine that Lambda has not. */
  readonly architecture: MachineArchitecture | undefined;
  /** The loader that it needs; nothing for a library or a static program. */
  readonly loader: string | undefined;
  /** The newest version of glibc that it asks for, the part after `2.`; 0 when it asks for none. */
  readonly glibcMinor: number;
}

const MAGIC = Buffer.from("\x7fELF", "latin1");
const HEADER_BYTES = 64;
/** Where the fields of the header are, in bytes, by their names in elf.h (`e_machine`). */
const HEADER = { machine: 18, phoff: 32, phentsize: 54, phnum: 56 } as const;
/** Where those of a program header are (`p_type`). */
const SEGMENT = { type: 0, offset: 8, filesz: 32 } as const;
/** The part of a program header that is read, in bytes. */
const SEGMENT_BYTES = 40;
/** Values of `e_machine`. */
const EM_X86_64 = 62;
const EM_AARCH64 = 183;
/** The `p_type` of the segment that names the loader. */
const PT_INTERP = 3;

/** Reads an ELF file; nothing when the bytes are something else. */
export function readElf(bytes: Uint8Array): ElfFile | undefined {
  if (bytes.byteLength < HEADER_BYTES || !MAGIC.equals(bytes.subarray(0, MAGIC.length))) {
    return undefined;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine = view.getUint16(HEADER.machine, true);
  const others = machine === EM_AARCH64 ? ("arm64" as const) : undefined;
  return {
    architecture: machine === EM_X86_64 ? "amd64" : others,
    loader: loaderOf(view, bytes),
    glibcMinor: glibcMinor(bytes),
  };
}

function loaderOf(view: DataView, bytes: Uint8Array): string | undefined {
  const table = Number(view.getBigUint64(HEADER.phoff, true));
  const rowBytes = view.getUint16(HEADER.phentsize, true);
  const rows = view.getUint16(HEADER.phnum, true);
  for (let row = 0; row < rows; row += 1) {
    const at = table + row * rowBytes;
    if (at + SEGMENT_BYTES > bytes.byteLength) return undefined;
    if (view.getUint32(at + SEGMENT.type, true) !== PT_INTERP) continue;
    const from = Number(view.getBigUint64(at + SEGMENT.offset, true));
    const length = Number(view.getBigUint64(at + SEGMENT.filesz, true));
    return Buffer.from(bytes.subarray(from, from + length - 1)).toString("latin1");
  }
  return undefined;
}

/** By the names of the versions that the linker has left: no other text in a program looks so. */
function glibcMinor(bytes: Uint8Array): number {
  const names = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString("latin1")
    .matchAll(/\0GLIBC_2\.(\d{1,3})(?:\.\d+)?(?=\0)/g);
  return Math.max(0, ...[...names].map(([, minor]) => Number(minor)));
}

/** AWS's name of an architecture, which compilers know too. */
export function awsArchitecture(architecture: MachineArchitecture): "x86_64" | "arm64" {
  return architecture === "amd64" ? "x86_64" : "arm64";
}

/** The architecture of this computer. */
export function localArchitecture(): MachineArchitecture {
  return process.arch === "arm64" ? "arm64" : "amd64";
}

/**
 * What helps with a program that could not be executed here, in a line; nothing where its file does not show it.
 * @param path Absolute, as it was named.
 */
export function programFix(path: string): string | undefined {
  const found = statOf(path);
  if (found === undefined) return missingFix(path);
  if (found.isDirectory()) return folderFix(path);
  if (!found.isFile()) return "it is not a regular file";
  if ((found.mode & 0o111) === 0) return notExecutableFix(path);
  return isAllowed(path, constants.X_OK) ? contentFix(path) : undefined;
}

function notExecutableFix(path: string): string {
  const text = startBytes(path, START_BYTES)?.toString("utf8") ?? "";
  const fix = `it is not executable: chmod +x ${pathWord(path)}`;
  return definedFunctions(text).length === 0
    ? fix
    : `${fix}\n  or, where it has a handler and is not a bootstrap, name its folder before --`;
}

function missingFix(path: string): string {
  const folder = dirname(path);
  const parent = statOf(folder);
  if (parent?.isDirectory() === false) return `${folder} is not a folder`;
  if (parent === undefined) return `the folder ${folder} is missing`;
  const target = linkTarget(path);
  if (target !== undefined) return `it is a link to ${target}, which leads to no file`;
  const [first = ""] = path.split(" ", 1);
  if (first !== path && isRegularFile(first)) {
    return `the file is missing: write its words apart: -- ${path}`;
  }
  const name = basename(path);
  if (Bun.which(name) !== null) {
    return `the file is missing; the program of that name that is installed: -- ${name}`;
  }
  const meant = closest(name, namesIn(folder));
  return meant === undefined
    ? "the file is missing: name the bootstrap to run: --bootstrap PATH, or -- COMMAND"
    : `the file is missing; did you mean ${join(folder, meant)}?`;
}

function folderFix(path: string): string {
  const bootstrap = join(path, "bootstrap");
  return isRegularFile(bootstrap)
    ? `it is a folder; its bootstrap is ${bootstrap}`
    : "it is a folder: the function's folder stands before --, a program after it";
}

/** Bytes of a file that show what it is: an ELF file's headers and its loader's name stand there. */
const START_BYTES = 64 * 1024;

/** What in a file's text, or its ELF header, keeps it from being executed. */
function contentFix(path: string): string | undefined {
  const start = startBytes(path, START_BYTES);
  if (start === undefined) return undefined;
  if (start.byteLength === 0) return "the file is empty";
  const elf = readElf(start);
  if (elf !== undefined) return elfFix(elf);
  const text = start.toString("utf8");
  const [first = ""] = text.split("\n", 1);
  if (text.startsWith("\x7fELF")) return "it is not a whole program: build or copy it again";
  if (!first.startsWith("#!")) return "it must begin with a #! line, as in #!/bin/sh";
  if (first.endsWith("\r")) return `it has CRLF line ends: sed -i 's/\\r$//' ${pathWord(path)}`;
  const [interpreter] = shebangWords(text);
  if (interpreter === undefined) return "its #! line names no program";
  if (!existsSync(interpreter)) return `its #! line names ${interpreter}, which is not there`;
  const isProgram = isRegularFile(interpreter) && isAllowed(interpreter, constants.X_OK);
  return isProgram ? undefined : `its #! line names ${interpreter}, which may not be executed`;
}

function elfFix({ architecture, loader }: ElfFile): string | undefined {
  const own = localArchitecture();
  if (architecture !== own) {
    const machine = architecture === undefined ? "another machine" : awsArchitecture(architecture);
    return `it is a program for ${machine}, this computer is ${awsArchitecture(own)}: build it for that`;
  }
  return loader === undefined || existsSync(loader)
    ? undefined
    : `the loader that it was linked for is not there: ${loader}`;
}
