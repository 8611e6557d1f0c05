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

/** Most pages of the file that are probed. */
export const PROBES_MAX = 5;

/** What the assembly sources have at the label `executable`, behind the code. */
const EXECUTABLE = new TextEncoder().encode("/proc/self/exe\0");
/** Where they have the labels `entry`, `probes` and `table`; the last is the end of what they assemble to. */
export const ENTRY_AT = 0xb8;
const PROBES_AT = 0xc0;
export const TABLE_AT = 0xd8;
const PROBE_BYTES = 4;
const RUN_BYTES = 8;

const AMD64 = `
  49 89 d4                     mov    %rdx,%r12
  bf 9c ff ff ff               mov    $0xffffff9c,%edi
  48 8d 35 93 00 00 00         lea    executable(%rip),%rsi
  ba 00 00 08 00               mov    $0x80000,%edx
  b8 01 01 00 00               mov    $0x101,%eax
  0f 05                        syscall
  85 c0                        test   %eax,%eax
  78 50                        js     ask
  89 c3                        mov    %eax,%ebx
  6a 00                        push   $0x0
  48 89 e0                     mov    %rsp,%rax
  6a 01                        push   $0x1
  50                           push   %rax
  4c 8d 2d 90 00 00 00         lea    probes(%rip),%r13
  45 8b 55 00           probe: mov    0x0(%r13),%r10d
  49 83 c5 04                  add    $0x4,%r13
  49 c1 e2 0c                  shl    $0xc,%r10
  74 1f                        je     close
  89 df                        mov    %ebx,%edi
  48 89 e6                     mov    %rsp,%rsi
  ba 01 00 00 00               mov    $0x1,%edx
  45 31 c0                     xor    %r8d,%r8d
  41 b9 08 00 00 00            mov    $0x8,%r9d
  b8 47 01 00 00               mov    $0x147,%eax
  0f 05                        syscall
  83 f8 01                     cmp    $0x1,%eax
  74 d3                        je     probe
  89 df                 close: mov    %ebx,%edi
  b8 03 00 00 00               mov    $0x3,%eax
  0f 05                        syscall
  48 83 c4 18                  add    $0x18,%rsp
  4d 85 d2                     test   %r10,%r10
  74 2a                        je     done
  4c 8d 0d 62 00 00 00  ask:   lea    table(%rip),%r9
  41 8b 39              next:  mov    (%r9),%edi
  41 8b 71 04                  mov    0x4(%r9),%esi
  49 83 c1 08                  add    $0x8,%r9
  48 c1 e7 0c                  shl    $0xc,%rdi
  48 c1 e6 0c                  shl    $0xc,%rsi
  74 0e                        je     done
  ba 03 00 00 00               mov    $0x3,%edx
  b8 1c 00 00 00               mov    $0x1c,%eax
  0f 05                        syscall
  eb dd                        jmp    next
  4c 89 e2              done:  mov    %r12,%rdx
  ff 25 16 00 00 00            jmp    *entry(%rip)
`;

const ARM64 = `
  f4 03 00 aa         mov    x20, x0
  60 0c 80 12         mov    w0, #0xffffff9c
  01 05 00 10         adr    x1, executable
  02 01 a0 52         mov    w2, #0x80000
  08 07 80 d2         mov    x8, #0x38
  01 00 00 d4         svc    #0x0
  00 03 f8 37         tbnz   w0, #31, ask
  f3 03 00 2a         mov    w19, w0
  ff 83 00 d1         sub    sp, sp, #0x20
  e9 43 00 91         add    x9, sp, #0x10
  2a 00 80 d2         mov    x10, #0x1
  e9 2b 00 a9         stp    x9, x10, [sp]
  95 04 00 10         adr    x21, probes
  b6 46 40 b8  probe: ldr    w22, [x21], #4
  76 01 00 34         cbz    w22, close
  e0 03 13 2a         mov    w0, w19
  e1 03 00 91         mov    x1, sp
  22 00 80 d2         mov    x2, #0x1
  c3 ce 74 d3         lsl    x3, x22, #12
  04 00 80 d2         mov    x4, #0x0
  05 01 80 52         mov    w5, #0x8
  c8 23 80 d2         mov    x8, #0x11e
  01 00 00 d4         svc    #0x0
  1f 04 00 f1         cmp    x0, #0x1
  a0 fe ff 54         b.eq   probe
  e0 03 13 2a  close: mov    w0, w19
  28 07 80 d2         mov    x8, #0x39
  01 00 00 d4         svc    #0x0
  ff 83 00 91         add    sp, sp, #0x20
  56 01 00 34         cbz    w22, done
  0a 03 00 10  ask:   adr    x10, table
  40 05 c1 28  next:  ldp    w0, w1, [x10], #8
  e1 00 00 34         cbz    w1, done
  00 cc 74 d3         lsl    x0, x0, #12
  21 cc 74 d3         lsl    x1, x1, #12
  62 00 80 d2         mov    x2, #0x3
  28 1d 80 d2         mov    x8, #0xe9
  01 00 00 d4         svc    #0x0
  f9 ff ff 17         b      next
  e0 03 14 aa  done:  mov    x0, x20
  d0 00 00 58         ldr    x16, entry
  00 02 1f d6         br     x16
`;

const CODE: Readonly<Record<Architecture["name"], Uint8Array>> = {
  amd64: bytesOf(AMD64),
  arm64: bytesOf(ARM64),
};

/**
 * Returns the stub for an architecture: code, entry point, probes, table and the row that ends it.
 * @param entry Virtual address at which the program itself starts.
 * @param probes Pages of the file, one to {@link PROBES_MAX}: if all are in memory, nothing is asked for.
 * @param runs What to ask for, in that order.
 */
export function stub(
  target: Pick<Architecture, "name">,
  entry: number,
  probes: readonly number[],
  runs: readonly PageRun[],
): Uint8Array {
  if (probes.length === 0 || probes.length > PROBES_MAX || probes.includes(0)) {
    throw new RangeError(
      `failed to make the stub: 1 to ${PROBES_MAX} pages to probe, none of them 0`,
    );
  }
  const code = CODE[target.name];
  const bytes = new Uint8Array(TABLE_AT + (runs.length + 1) * RUN_BYTES);
  bytes.set(code);
  bytes.set(EXECUTABLE, code.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(ENTRY_AT, BigInt(entry), true);
  for (const [row, page] of probes.entries()) {
    view.setUint32(PROBES_AT + row * PROBE_BYTES, page, true);
  }
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
