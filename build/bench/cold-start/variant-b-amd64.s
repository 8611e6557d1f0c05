# Variant B of the prefetch stub, x86-64, for the bench only: asks for the hot pages, which lie
# together in the file, then moves each piece to the address that it is a copy of.

        .text
        .globl  _start
_start:
        movq    %rdx, %r12              # kept over the system calls
        leaq    tables(%rip), %r13
ask:                                    # rows (page, pages), ended by 0 pages
        movl    (%r13), %edi
        movl    4(%r13), %esi
        addq    $8, %r13
        testl   %esi, %esi
        je      move
        shlq    $12, %rdi
        shlq    $12, %rsi
        movl    $3, %edx                # MADV_WILLNEED
        movl    $28, %eax               # madvise
        syscall
        jmp     ask
move:                                   # rows (page of the copy, pages, page of the original)
        movl    (%r13), %edi
        movl    4(%r13), %esi
        movl    8(%r13), %r8d
        addq    $12, %r13
        testl   %esi, %esi
        je      done
        shlq    $12, %rdi
        shlq    $12, %rsi
        shlq    $12, %r8
        movq    %rsi, %rdx
        movl    $3, %r10d               # MREMAP_MAYMOVE | MREMAP_FIXED
        movl    $25, %eax               # mremap
        syscall
        jmp     move
done:
        movq    %r12, %rdx
        jmp     *entry(%rip)

        .balign 8
entry:  .quad   0
tables:
