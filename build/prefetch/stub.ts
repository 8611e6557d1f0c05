/**
 * The machine code that a prefetched executable starts with: stub-amd64.s and stub-arm64.s,
 * assembled, with the program's own entry point and the table of hot runs filled in.
 *
 * The bytes stand here so that a build needs no assembler; stub.test.ts assembles the sources and
 * compares.
 *
 * @module
 */

import type { Architecture } from "../architectures.ts";

/** Bytes of a page, the unit of the table: 4096 whatever the kernel's pages are. */
export const PAGE_BYTES = 4096;

/** Neighbouring pages that are asked for in one call. */
export interface PageRun {
  /** Virtual address of the first page, in pages. */
  readonly page: number;
  /** Length, in pages. */
  readonly pages: number;
}

/** Where the assembly sources have the label `entry`: after the code. */
const ENTRY_AT = 56;
/** Where the assembly sources have the label `table`, the end of what they assemble to. */
const TABLE_AT = 64;
const RUN_BYTES = 8;

const AMD64 = `
  49 89 d0              mov    %rdx,%r8
  4c 8d 0d 36 00 00 00  lea    table(%rip),%r9
  41 8b 39        next: mov    (%r9),%edi
  41 8b 71 04           mov    4(%r9),%esi
  49 83 c1 08           add    $8,%r9
  85 f6                 test   %esi,%esi
  74 16                 je     done
  48 c1 e7 0c           shl    $12,%rdi
  48 c1 e6 0c           shl    $12,%rsi
  ba 03 00 00 00        mov    $3,%edx
  b8 1c 00 00 00        mov    $28,%eax
  0f 05                 syscall
  eb db                 jmp    next
  4c 89 c2        done: mov    %r8,%rdx
  ff 25 00 00 00 00     jmp    *entry(%rip)
`;

const ARM64 = `
  e9 03 00 aa           mov    x9, x0
  ea 01 00 10           adr    x10, table
  40 05 c1 28     next: ldp    w0, w1, [x10], #8
  e1 00 00 34           cbz    w1, done
  00 cc 74 d3           lsl    x0, x0, #12
  21 cc 74 d3           lsl    x1, x1, #12
  62 00 80 d2           mov    x2, #3
  28 1d 80 d2           mov    x8, #233
  01 00 00 d4           svc    #0
  f9 ff ff 17           b      next
  e0 03 09 aa     done: mov    x0, x9
  70 00 00 58           ldr    x16, entry
  00 02 1f d6           br     x16
  1f 20 03 d5           nop
`;

const CODE: Readonly<Record<Architecture["name"], Uint8Array>> = {
  amd64: bytesOf(AMD64),
  arm64: bytesOf(ARM64),
};

/**
 * Returns the stub for an architecture: code, entry point, table and the row that ends it.
 * @param entry Virtual address at which the program itself starts.
 * @param runs What to ask for, in that order.
 */
export function stub(
  target: Pick<Architecture, "name">,
  entry: number,
  runs: readonly PageRun[],
): Uint8Array {
  const bytes = new Uint8Array(TABLE_AT + (runs.length + 1) * RUN_BYTES);
  bytes.set(CODE[target.name]);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(ENTRY_AT, BigInt(entry), true);
  for (const [row, { page, pages }] of runs.entries()) {
    view.setUint32(TABLE_AT + row * RUN_BYTES, page, true);
    view.setUint32(TABLE_AT + row * RUN_BYTES + 4, pages, true);
  }
  return bytes;
}

/** Takes the hexadecimal column of a listing: the pairs of digits that each line begins with. */
function bytesOf(listing: string): Uint8Array {
  const columns = listing.match(/^ +([0-9a-f]{2} )+/gm) ?? [];
  return Buffer.from(columns.join("").replaceAll(" ", ""), "hex");
}
