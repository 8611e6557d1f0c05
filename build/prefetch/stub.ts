/**
 * The machine code that our executables start with: stub-amd64.s and stub-arm64.s, assembled, with
 * the program's own entry point, its environment and the table of hot runs filled in.
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

/** Which variables the program itself sees; /proc/self/environ shows what it was started with. */
export type ProgramEnvironment =
  | {
      /** These entries, `NAME=value`, and none of those that it was started with. */
      readonly kind: "own";
      readonly entries: readonly string[];
    }
  | {
      /** Those that it was started with, but for names with one of these beginnings, in any case. */
      readonly kind: "without";
      readonly prefixes: readonly string[];
    };

/** What is filled in. */
export interface StubContents {
  /** Virtual address at which the program itself starts. */
  readonly entry: number;
  /** Virtual address of the C library's variable `environ`. */
  readonly variable: number;
  readonly environment: ProgramEnvironment;
  /**
   * Pages of the file, at most {@link PROBES_MAX}: if all are in memory, nothing is asked for.
   * There are none if and only if there are no runs.
   */
  readonly probes: readonly number[];
  /** What to ask for, in that order. */
  readonly runs: readonly PageRun[];
}

/** Most pages of the file that are probed. */
export const PROBES_MAX = 5;

/** What the assembly sources have at the label `executable`, after the code. */
const EXECUTABLE = new TextEncoder().encode("/proc/self/exe\0");
/** Where they have the labels; the last one is the end of what they assemble to. */
export const ENTRY_AT = 0x130;
const VARIABLE_AT = 0x138;
export const ENVIRONMENT_AT = 0x140;
export const PREFIXES_AT = 0x148;
const PROBES_AT = 0x150;
export const TABLE_AT = 0x168;
const PROBE_BYTES = 4;
const RUN_BYTES = 8;
const POINTER_BYTES = 8;
/** Makes capitals small: how the stub reads names, and so how the prefixes are written. */
const SMALL_LETTER_BIT = 0x20;

const AMD64 = `
  49 89 d4                          mov    %rdx,%r12
  48 8b 0d 2e 01 00 00              mov    variable(%rip),%rcx
  48 8b 05 2f 01 00 00              mov    environment(%rip),%rax
  48 85 c0                          test   %rax,%rax
  74 05                             je     filter
  48 89 01                          mov    %rax,(%rcx)
  eb 56                             jmp    ready
  48 8b 31                  filter: mov    (%rcx),%rsi
  48 89 f7                          mov    %rsi,%rdi
  48 85 f6                          test   %rsi,%rsi
  74 4b                             je     ready
  48 8b 1e                 entries: mov    (%rsi),%rbx
  48 83 c6 08                       add    $0x8,%rsi
  48 85 db                          test   %rbx,%rbx
  74 3c                             je     filtered
  4c 8b 05 0f 01 00 00              mov    prefixes(%rip),%r8
  49 89 d9                  prefix: mov    %rbx,%r9
  41 80 38 00                       cmpb   $0x0,(%r8)
  74 23                             je     keep
  41 8a 00                  letter: mov    (%r8),%al
  49 ff c0                          inc    %r8
  84 c0                             test   %al,%al
  74 da                             je     entries
  41 8a 11                          mov    (%r9),%dl
  49 ff c1                          inc    %r9
  80 ca 20                          or     $0x20,%dl
  38 c2                             cmp    %al,%dl
  74 e9                             je     letter
  41 80 38 00                 skip: cmpb   $0x0,(%r8)
  4d 8d 40 01                       lea    0x1(%r8),%r8
  75 f6                             jne    skip
  eb d4                             jmp    prefix
  48 89 1f                    keep: mov    %rbx,(%rdi)
  48 83 c7 08                       add    $0x8,%rdi
  eb b8                             jmp    entries
  48 89 1f                filtered: mov    %rbx,(%rdi)
  4c 8d 2d d8 00 00 00       ready: lea    probes(%rip),%r13
  41 83 7d 00 00                    cmpl   $0x0,0x0(%r13)
  0f 84 8f 00 00 00                 je     done
  bf 9c ff ff ff                    mov    $0xffffff9c,%edi
  48 8d 35 8c 00 00 00              lea    executable(%rip),%rsi
  ba 00 00 08 00                    mov    $0x80000,%edx
  b8 01 01 00 00                    mov    $0x101,%eax
  0f 05                             syscall
  85 c0                             test   %eax,%eax
  78 49                             js     ask
  89 c3                             mov    %eax,%ebx
  6a 00                             push   $0x0
  48 89 e0                          mov    %rsp,%rax
  6a 01                             push   $0x1
  50                                push   %rax
  45 8b 55 00                probe: mov    0x0(%r13),%r10d
  49 83 c5 04                       add    $0x4,%r13
  49 c1 e2 0c                       shl    $0xc,%r10
  74 1f                             je     close
  89 df                             mov    %ebx,%edi
  48 89 e6                          mov    %rsp,%rsi
  ba 01 00 00 00                    mov    $0x1,%edx
  45 31 c0                          xor    %r8d,%r8d
  41 b9 08 00 00 00                 mov    $0x8,%r9d
  b8 47 01 00 00                    mov    $0x147,%eax
  0f 05                             syscall
  83 f8 01                          cmp    $0x1,%eax
  74 d3                             je     probe
  89 df                      close: mov    %ebx,%edi
  b8 03 00 00 00                    mov    $0x3,%eax
  0f 05                             syscall
  48 83 c4 18                       add    $0x18,%rsp
  4d 85 d2                          test   %r10,%r10
  74 2a                             je     done
  4c 8d 0d 79 00 00 00         ask: lea    table(%rip),%r9
  41 8b 39                    next: mov    (%r9),%edi
  41 8b 71 04                       mov    0x4(%r9),%esi
  49 83 c1 08                       add    $0x8,%r9
  48 c1 e7 0c                       shl    $0xc,%rdi
  48 c1 e6 0c                       shl    $0xc,%rsi
  74 0e                             je     done
  ba 03 00 00 00                    mov    $0x3,%edx
  b8 1c 00 00 00                    mov    $0x1c,%eax
  0f 05                             syscall
  eb dd                             jmp    next
  4c 89 e2                    done: mov    %r12,%rdx
  ff 25 15 00 00 00                 jmp    *entry(%rip)
`;

const ARM64 = `
  f4 03 00 aa                       mov    x20, x0
  a9 09 00 58                       ldr    x9, variable
  ca 09 00 58                       ldr    x10, environment
  6a 00 00 b4                       cbz    x10, filter
  2a 01 00 f9                       str    x10, [x9]
  17 00 00 14                       b      ready
  2a 01 40 f9               filter: ldr    x10, [x9]
  eb 03 0a aa                       mov    x11, x10
  8a 02 00 b4                       cbz    x10, ready
  4c 85 40 f8              entries: ldr    x12, [x10], #8
  2c 02 00 b4                       cbz    x12, filtered
  ed 08 00 58                       ldr    x13, prefixes
  ee 03 0c aa               prefix: mov    x14, x12
  af 15 40 38                       ldrb   w15, [x13], #1
  6f 01 00 34                       cbz    w15, keep
  d0 15 40 38               letter: ldrb   w16, [x14], #1
  10 02 1b 32                       orr    w16, w16, #0x20
  1f 02 0f 6b                       cmp    w16, w15
  81 00 00 54                       b.ne   skip
  af 15 40 38                       ldrb   w15, [x13], #1
  6f ff ff 35                       cbnz   w15, letter
  f4 ff ff 17                       b      entries
  af 15 40 38                 skip: ldrb   w15, [x13], #1
  ef ff ff 35                       cbnz   w15, skip
  f4 ff ff 17                       b      prefix
  6c 85 00 f8                 keep: str    x12, [x11], #8
  ef ff ff 17                       b      entries
  7f 01 00 f9             filtered: str    xzr, [x11]
  15 07 00 10                ready: adr    x21, probes
  b6 02 40 b9                       ldr    w22, [x21]
  d6 04 00 34                       cbz    w22, done
  60 0c 80 12                       mov    w0, #0xffffff9c
  e1 04 00 10                       adr    x1, executable
  02 01 a0 52                       mov    w2, #0x80000
  08 07 80 d2                       mov    x8, #0x38
  01 00 00 d4                       svc    #0x0
  e0 02 f8 37                       tbnz   w0, #31, ask
  f3 03 00 2a                       mov    w19, w0
  ff 83 00 d1                       sub    sp, sp, #0x20
  e9 43 00 91                       add    x9, sp, #0x10
  2a 00 80 d2                       mov    x10, #0x1
  e9 2b 00 a9                       stp    x9, x10, [sp]
  b6 46 40 b8                probe: ldr    w22, [x21], #4
  76 01 00 34                       cbz    w22, close
  e0 03 13 2a                       mov    w0, w19
  e1 03 00 91                       mov    x1, sp
  22 00 80 d2                       mov    x2, #0x1
  c3 ce 74 d3                       lsl    x3, x22, #12
  04 00 80 d2                       mov    x4, #0x0
  05 01 80 52                       mov    w5, #0x8
  c8 23 80 d2                       mov    x8, #0x11e
  01 00 00 d4                       svc    #0x0
  1f 04 00 f1                       cmp    x0, #0x1
  a0 fe ff 54                       b.eq   probe
  e0 03 13 2a                close: mov    w0, w19
  28 07 80 d2                       mov    x8, #0x39
  01 00 00 d4                       svc    #0x0
  ff 83 00 91                       add    sp, sp, #0x20
  56 01 00 34                       cbz    w22, done
  ea 03 00 10                  ask: adr    x10, table
  40 05 c1 28                 next: ldp    w0, w1, [x10], #8
  e1 00 00 34                       cbz    w1, done
  00 cc 74 d3                       lsl    x0, x0, #12
  21 cc 74 d3                       lsl    x1, x1, #12
  62 00 80 d2                       mov    x2, #0x3
  28 1d 80 d2                       mov    x8, #0xe9
  01 00 00 d4                       svc    #0x0
  f9 ff ff 17                       b      next
  e0 03 14 aa                 done: mov    x0, x20
  f0 00 00 58                       ldr    x16, entry
  00 02 1f d6                       br     x16
`;

const CODE: Readonly<Record<Architecture["name"], Uint8Array>> = {
  amd64: bytesOf(AMD64),
  arm64: bytesOf(ARM64),
};

/**
 * Returns the stub for an architecture.
 * @param address Virtual address at which it will be; a multiple of 8.
 * @throws {RangeError} When the contents cannot be filled in.
 */
export function stub(
  target: Pick<Architecture, "name">,
  address: number,
  { entry, variable, environment, probes, runs }: StubContents,
): Uint8Array {
  const isAsking = runs.length > 0;
  if (isAsking !== probes.length > 0 || probes.length > PROBES_MAX || probes.includes(0)) {
    throw new RangeError(
      `failed to make the stub: 1 to ${PROBES_MAX} pages to probe, none of them 0`,
    );
  }
  const code = CODE[target.name];
  const variablesAt = TABLE_AT + (runs.length + 1) * RUN_BYTES;
  const isOwn = environment.kind === "own";
  const variables = isOwn
    ? environmentBlock(address + variablesAt, environment.entries)
    : prefixList(environment.prefixes);
  const bytes = new Uint8Array(variablesAt + variables.byteLength);
  bytes.set(code);
  bytes.set(EXECUTABLE, code.length);
  bytes.set(variables, variablesAt);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(ENTRY_AT, BigInt(entry), true);
  view.setBigUint64(VARIABLE_AT, BigInt(variable), true);
  view.setBigUint64(isOwn ? ENVIRONMENT_AT : PREFIXES_AT, BigInt(address + variablesAt), true);
  for (const [row, page] of probes.entries()) {
    view.setUint32(PROBES_AT + row * PROBE_BYTES, page, true);
  }
  for (const [row, { page, pages }] of runs.entries()) {
    view.setUint32(TABLE_AT + row * RUN_BYTES, page, true);
    view.setUint32(TABLE_AT + row * RUN_BYTES + 4, pages, true);
  }
  return bytes;
}

/** Lays out a `char *[]` that a null pointer ends, and the strings that it points to. */
function environmentBlock(address: number, entries: readonly string[]): Uint8Array {
  const strings = entries.map((entry) => Buffer.from(`${entry}\0`));
  const pointersBytes = (entries.length + 1) * POINTER_BYTES;
  const pointers = new DataView(new ArrayBuffer(pointersBytes));
  let at = address + pointersBytes;
  for (const [row, string] of strings.entries()) {
    if (string.indexOf(0) !== string.length - 1 || !/^[A-Za-z_]\w*=/.test(entries[row] ?? "")) {
      throw new RangeError(`failed to make the stub: ${entries[row]} is not a variable`);
    }
    pointers.setBigUint64(row * POINTER_BYTES, BigInt(at), true);
    at += string.length;
  }
  return Buffer.concat([Buffer.from(pointers.buffer), ...strings]);
}

/** Lays out prefixes as strings in lower case, of which an empty one is the last. */
function prefixList(prefixes: readonly string[]): Uint8Array {
  for (const prefix of prefixes) {
    if (/^[A-Z_]+$/.test(prefix)) continue;
    throw new RangeError(`failed to make the stub: the prefix ${prefix} is not of A to Z and _`);
  }
  const bytes = Buffer.from(`${prefixes.map((prefix) => `${prefix}\0`).join("")}\0`);
  return bytes.map((byte) => (byte === 0 ? 0 : byte | SMALL_LETTER_BIT));
}

/** Takes the hexadecimal column of a listing: the pairs of digits that each line begins with. */
function bytesOf(listing: string): Uint8Array {
  const columns = listing.match(/^ +([0-9a-f]{2} )+/gm) ?? [];
  return Buffer.from(columns.join("").replaceAll(" ", ""), "hex");
}
