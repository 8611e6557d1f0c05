// Runs between the dynamic loader and the program's own entry point, on arm64: asks the kernel for
// every hot run of pages, then goes on as if nothing had been. stub.ts holds the bytes.
//
// At entry (System V ABI for AArch64): x0 is a function for atexit and sp the argument block; every
// other register is unspecified. A system call changes x0 only. Results are ignored: a kernel that
// refuses an address (one with pages of 64 KiB, say) costs us speed, nothing else.

        .text
        .globl  _start
_start:
        mov     x9, x0                  // kept over the system calls
        adr     x10, table
next:
        ldp     w0, w1, [x10], #8       // first page of the run, and its number of pages
        cbz     w1, done                // 0 pages end the table
        lsl     x0, x0, #12             // pages of 4096 bytes to bytes
        lsl     x1, x1, #12
        mov     x2, #3                  // MADV_WILLNEED
        mov     x8, #233                // madvise
        svc     #0
        b       next
done:
        mov     x0, x9
        ldr     x16, entry              // x16 is free for jumps between modules
        br      x16

        .balign 8
entry:  .quad   0                       // filled in: the program's own entry point
table:                                  // filled in: pairs of 32-bit numbers, (page, pages)
