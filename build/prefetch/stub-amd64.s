# Runs between the dynamic loader and the program's own entry point, on x86-64: asks the kernel for
# every hot run of pages, then goes on as if nothing had been. stub.ts holds the bytes.
#
# At entry (System V ABI for AMD64, "Process Initialization"): rdx is a function for atexit and rsp
# the argument block; every other register is unspecified. The kernel destroys rax, rcx and r11 in a
# system call. Results are ignored: a kernel that refuses an address costs us speed, nothing else.

        .text
        .globl  _start
_start:
        movq    %rdx, %r8               # kept over the system calls
        leaq    table(%rip), %r9
next:
        movl    (%r9), %edi             # first page of the run
        movl    4(%r9), %esi            # its number of pages; 0 ends the table
        addq    $8, %r9
        testl   %esi, %esi
        je      done
        shlq    $12, %rdi               # pages of 4096 bytes to bytes
        shlq    $12, %rsi
        movl    $3, %edx                # MADV_WILLNEED
        movl    $28, %eax               # madvise
        syscall
        jmp     next
done:
        movq    %r8, %rdx
        jmp     *entry(%rip)

        .balign 8
entry:  .quad   0                       # filled in: the program's own entry point
table:                                  # filled in: pairs of 32-bit numbers, (page, pages)
