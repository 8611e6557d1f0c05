// Runs between the dynamic loader and the program's own entry point, on arm64: decides which variables
// the program sees, asks the kernel for every hot run of pages unless they are in memory already, and
// goes on as if nothing had been. stub.ts holds the bytes.
//
// At entry (System V ABI for AArch64): x0 is a function for atexit and sp the argument block; every
// other register is unspecified. A system call changes x0 only. Results are ignored: a kernel that
// refuses an address (one with pages of 64 KiB, say) costs us speed, nothing else.

        .text
        .globl  _start
_start:
        mov     x20, x0                 // kept over the system calls

// The environment. Only pointers change: the strings stay, for those who read /proc/self/environ.
        ldr     x9, variable            // where the C library's variable environ is
        ldr     x10, environment
        cbz     x10, filter
        str     x10, [x9]               // the program's own entries take the place of all
        b       ready
filter:
        ldr     x10, [x9]               // the next entry
        mov     x11, x10                // where the next one that stays goes
        cbz     x10, ready
entries:
        ldr     x12, [x10], #8
        cbz     x12, filtered
        ldr     x13, prefixes
prefix:
        mov     x14, x12
        ldrb    w15, [x13], #1
        cbz     w15, keep               // an empty one ends the prefixes: the entry stays
letter:
        ldrb    w16, [x14], #1
        orr     w16, w16, #0x20         // in lower case, as the prefixes are
        cmp     w16, w15
        b.ne    skip
        ldrb    w15, [x13], #1
        cbnz    w15, letter
        b       entries                 // begins with the whole prefix: left out
skip:
        ldrb    w15, [x13], #1
        cbnz    w15, skip
        b       prefix
keep:
        str     x12, [x11], #8
        b       entries
filtered:
        str     xzr, [x11]              // the end

// In memory already? Read a byte of some pages, which must not wait (RWF_NOWAIT).
ready:
        adr     x21, probes
        ldr     w22, [x21]
        cbz     w22, done               // nothing to ask for
        mov     w0, #-100               // AT_FDCWD
        adr     x1, executable
        mov     w2, #02000000           // O_RDONLY, O_CLOEXEC
        mov     x8, #56                 // openat
        svc     #0
        tbnz    w0, #31, ask
        mov     w19, w0
        sub     sp, sp, #32
        add     x9, sp, #16             // struct iovec: the address of what is read,
        mov     x10, #1                 // its length
        stp     x9, x10, [sp]
probe:
        ldr     w22, [x21], #4          // page of the file; 0 ends the list
        cbz     w22, close
        mov     w0, w19
        mov     x1, sp
        mov     x2, #1                  // one iovec
        lsl     x3, x22, #12            // pages of 4096 bytes to bytes
        mov     x4, #0                  // upper half of the position
        mov     w5, #8                  // RWF_NOWAIT
        mov     x8, #286                // preadv2
        svc     #0
        cmp     x0, #1
        b.eq    probe
close:
        mov     w0, w19
        mov     x8, #57                 // close
        svc     #0
        add     sp, sp, #32
        cbz     w22, done               // no probe has failed

ask:
        adr     x10, table
next:
        ldp     w0, w1, [x10], #8       // first page of the run, and its number of pages
        cbz     w1, done                // 0 pages end the table
        lsl     x0, x0, #12
        lsl     x1, x1, #12
        mov     x2, #3                  // MADV_WILLNEED
        mov     x8, #233                // madvise
        svc     #0
        b       next
done:
        mov     x0, x20
        ldr     x16, entry              // x16 is free for jumps between modules
        br      x16

executable:
        .asciz  "/proc/self/exe"
        .balign 8, 0
// All below is filled in; the strings and the environment follow the table.
entry:       .quad 0                    // address of the program's own entry point
variable:    .quad 0                    // address of the C library's variable environ
environment: .quad 0                    // address of an environment of the program's own, or 0
prefixes:    .quad 0                    // address of strings in lower case, with 0x7f for _; "" ends them
probes:      .fill 6, 4, 0              // pages of the file, a 0 at the end
table:                                  // pairs of 32-bit numbers, (page, pages), a (0, 0) at the end
