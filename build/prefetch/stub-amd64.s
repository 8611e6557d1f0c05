# Runs between the dynamic loader and the program's own entry point, on x86-64: decides which variables
# the program sees, asks the kernel for every hot run of pages unless they are in memory already, and
# goes on as if nothing had been. stub.ts holds the bytes.
#
# At entry (System V ABI for AMD64, "Process Initialization"): rdx is a function for atexit and rsp
# the argument block; every other register is unspecified. The kernel destroys rax, rcx and r11 in a
# system call. Results are ignored: a kernel that refuses an address costs us speed, nothing else.

        .text
        .globl  _start
_start:
        movq    %rdx, %r12              # kept over the system calls

# The environment. Only pointers change: the strings stay, for those who read /proc/self/environ.
        movq    variable(%rip), %rcx    # where the C library's variable environ is
        movq    environment(%rip), %rax
        testq   %rax, %rax
        je      filter
        movq    %rax, (%rcx)            # the program's own entries take the place of all
        jmp     ready
filter:
        movq    (%rcx), %rsi            # the next entry
        movq    %rsi, %rdi              # where the next one that stays goes
        testq   %rsi, %rsi
        je      ready
entries:
        movq    (%rsi), %rbx
        addq    $8, %rsi
        testq   %rbx, %rbx
        je      filtered
        movq    prefixes(%rip), %r8
prefix:
        movq    %rbx, %r9
        cmpb    $0, (%r8)               # an empty one ends the prefixes: the entry stays
        je      keep
letter:
        movb    (%r8), %al
        incq    %r8
        testb   %al, %al
        je      entries                 # begins with the whole prefix: left out
        movb    (%r9), %dl
        incq    %r9
        orb     $0x20, %dl              # in lower case, as the prefixes are
        cmpb    %al, %dl
        je      letter
skip:
        cmpb    $0, (%r8)
        leaq    1(%r8), %r8
        jne     skip
        jmp     prefix
keep:
        movq    %rbx, (%rdi)
        addq    $8, %rdi
        jmp     entries
filtered:
        movq    %rbx, (%rdi)            # the end

# In memory already? Read a byte of some pages, which must not wait (RWF_NOWAIT).
ready:
        leaq    probes(%rip), %r13
        cmpl    $0, (%r13)              # nothing to ask for
        je      done
        movl    $-100, %edi             # AT_FDCWD
        leaq    executable(%rip), %rsi
        movl    $02000000, %edx         # O_RDONLY, O_CLOEXEC
        movl    $257, %eax              # openat
        syscall
        testl   %eax, %eax
        js      ask
        movl    %eax, %ebx
        pushq   $0                      # what is read
        movq    %rsp, %rax
        pushq   $1                      # struct iovec: its length,
        pushq   %rax                    # its address
probe:
        movl    (%r13), %r10d           # page of the file; 0 ends the list
        addq    $4, %r13
        shlq    $12, %r10               # pages of 4096 bytes to bytes
        je      close
        movl    %ebx, %edi
        movq    %rsp, %rsi
        movl    $1, %edx                # one iovec
        xorl    %r8d, %r8d              # upper half of the position
        movl    $8, %r9d                # RWF_NOWAIT
        movl    $327, %eax              # preadv2
        syscall
        cmpl    $1, %eax
        je      probe
close:
        movl    %ebx, %edi
        movl    $3, %eax                # close
        syscall
        addq    $24, %rsp
        testq   %r10, %r10              # 0: no probe has failed
        je      done

ask:
        leaq    table(%rip), %r9
next:
        movl    (%r9), %edi             # first page of the run
        movl    4(%r9), %esi            # its number of pages; 0 ends the table
        addq    $8, %r9
        shlq    $12, %rdi
        shlq    $12, %rsi
        je      done
        movl    $3, %edx                # MADV_WILLNEED
        movl    $28, %eax               # madvise
        syscall
        jmp     next
done:
        movq    %r12, %rdx
        jmp     *entry(%rip)

executable:
        .asciz  "/proc/self/exe"
        .balign 8, 0
# All below is filled in; the strings and the environment follow the table.
entry:       .quad 0                    # address of the program's own entry point
variable:    .quad 0                    # address of the C library's variable environ
environment: .quad 0                    # address of an environment of the program's own, or 0
prefixes:    .quad 0                    # address of strings in lower case, with 0x7f for _; "" ends them
probes:      .fill 6, 4, 0              # pages of the file, a 0 at the end
table:                                  # pairs of 32-bit numbers, (page, pages), a (0, 0) at the end
