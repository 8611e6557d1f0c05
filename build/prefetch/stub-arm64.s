// Runs between the dynamic loader and the program's own entry point, on arm64: asks the kernel for
// every hot run of pages, unless they are in memory already, then goes on as if nothing had been.
// stub.ts holds the bytes.
//
// At entry (System V ABI for AArch64): x0 is a function for atexit and sp the argument block; every
// other register is unspecified. A system call changes x0 only. Results are ignored: a kernel that
// refuses an address (one with pages of 64 KiB, say) costs us speed, nothing else.

        .text
        .globl  _start
_start:
        mov     x20, x0                 // kept over the system calls

// In memory already? Read a byte of some pages, which must not wait (RWF_NOWAIT).
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
        adr     x21, probes
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
entry:  .quad   0                       // filled in: the program's own entry point
probes: .fill   6, 4, 0                 // filled in: pages of the file, a 0 at the end
table:                                  // filled in: pairs of 32-bit numbers, (page, pages)
