/**
 * Programs and libraries of the function's own: whether Lambda can run them.
 *
 * @see https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
 * @module
 */

import { error, type Finding, warning } from "./finding.ts";

type Architecture = "amd64" | "arm64";

/** What an ELF file says of where it runs. */
export interface ElfFile {
  /** Nothing when it is for a machine that Lambda has not. */
  readonly architecture: Architecture | undefined;
  /** The loader that it needs; nothing for a library or a static program. */
  readonly loader: string | undefined;
  /** The newest version of glibc that it asks for, the part after `2.`; 0 when it asks for none. */
  readonly glibcMinor: number;
}

const MAGIC = Buffer.from("\x7fELF", "latin1");
/** Offsets in the header, in bytes, and the values of `e_machine`. */
const MACHINE_OFFSET = 18;
const HEADER_BYTES = 64;
const EM_X86_64 = 62;
const EM_AARCH64 = 183;
const PT_INTERP = 3;

/** glibc of `provided.al2023` is 2.34. */
const LAMBDA_GLIBC_MINOR = 34;

/** Reads an ELF file; nothing when the bytes are something else. */
export function readElf(bytes: Uint8Array): ElfFile | undefined {
  if (bytes.byteLength < HEADER_BYTES || !MAGIC.equals(bytes.subarray(0, MAGIC.length))) {
    return undefined;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const machine = view.getUint16(MACHINE_OFFSET, true);
  const others = machine === EM_AARCH64 ? ("arm64" as const) : undefined;
  return {
    architecture: machine === EM_X86_64 ? "amd64" : others,
    loader: loaderOf(view, bytes),
    glibcMinor: glibcMinor(bytes),
  };
}

function loaderOf(view: DataView, bytes: Uint8Array): string | undefined {
  const table = Number(view.getBigUint64(32, true));
  const rowBytes = view.getUint16(54, true);
  const rows = view.getUint16(56, true);
  for (let row = 0; row < rows; row += 1) {
    const at = table + row * rowBytes;
    if (at + 40 > bytes.byteLength) return undefined;
    if (view.getUint32(at, true) !== PT_INTERP) continue;
    const from = Number(view.getBigUint64(at + 8, true));
    const length = Number(view.getBigUint64(at + 32, true));
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

/** Words in a path that say for which architecture a file is, so that others lie beside it. */
const NAMED: Readonly<Record<Architecture, RegExp>> = {
  amd64: /amd64|x86[-_]64|x64/i,
  arm64: /arm64|aarch64/i,
};

/** AWS's names, which compilers know too. */
const AWS_NAMES: Readonly<Record<Architecture, string>> = { amd64: "x86_64", arm64: "arm64" };

/**
 * What is wrong with a program or library of the function's.
 * @param wanted Architecture that the function will run on.
 */
export function checkElf(path: string, elf: ElfFile, wanted: Architecture): readonly Finding[] {
  const { architecture, loader, glibcMinor: minor } = elf;
  // One that is named by its architecture, and those of packages, may have another beside it.
  const isOneOfSeveral =
    /(^|\/)node_modules\//.test(path) ||
    (architecture !== undefined && NAMED[architecture].test(path));
  if (architecture !== wanted) {
    if (isOneOfSeveral) return [];
    const machine = architecture === undefined ? "another machine" : AWS_NAMES[architecture];
    return [
      error(
        `${path} is for ${machine}, the function for ${AWS_NAMES[wanted]} (exec format error)`,
        `fix: build it for ${AWS_NAMES[wanted]}, or set Architectures: [${architecture === undefined ? AWS_NAMES[wanted] : AWS_NAMES[architecture]}]`,
      ),
    ];
  }
  if (loader !== undefined && /ld-musl/.test(loader)) {
    return [
      error(
        `${path} is linked with musl, which provided.al2023 does not have: no ${loader}`,
        "on AWS it fails with: No such file or directory",
        "fix: link it statically, or with glibc",
      ),
    ];
  }
  if (minor > LAMBDA_GLIBC_MINOR && !isOneOfSeveral) {
    return [
      warning(
        `${path} needs glibc 2.${minor}, provided.al2023 has 2.${LAMBDA_GLIBC_MINOR}`,
        `on AWS it may fail with: version \`GLIBC_2.${minor}' not found`,
        "fix: build it on Amazon Linux 2023, or link it statically",
      ),
    ];
  }
  return [];
}
