# A process between the tool and a runtime, on x86-64: nothing of the runtime outlives either of them.
#
#     guard PID PROGRAM NAME ARGUMENT…     PID is the tool's; NAME is the program's argv[0]
#
# It starts the program in a session of its own and adopts every descendant that loses its parent
# (PR_SET_CHILD_SUBREAPER), so that all of them are its children sooner or later, in whatever session,
# group or environment they are. It kills them, one generation after the other until it has none, when
# the program has ended, when the tool has died by whatever cause (PR_SET_PDEATHSIG), or when the tool
# asks for it by signal 50. Then it ends as the program did: by the same status or signal. When the
# program cannot be executed it is killed by signal 33 + errno.
#
# guard.ts holds the bytes: an executable whose headers stand here too, so that no linker is needed.
# Registers that a system call keeps: all but rax, rcx and r11.

        .set    BASE, 0x400000
        .set    DEATH, 50               # a real-time signal that nobody else sends
        .text
elf:    .ascii  "\177ELF\2\1\1"         # 64 bits, little-endian
        .fill   9, 1, 0
        .short  2, 62                   # ET_EXEC, EM_X86_64
        .long   1
        .quad   BASE + _start - elf, 64, 0      # entry, program headers, no sections
        .long   0
        .short  64, 56, 2, 0, 0, 0
        .long   1, 5                    # PT_LOAD, readable and executable
        .quad   0, BASE, BASE, end - elf, end - elf, 0x10000
        .long   0x6474e551, 6           # PT_GNU_STACK, not executable
        .quad   0, 0, 0, 0, 0, 16

# On the stack: 4096 bytes of a list of children, then
        .set    MASK, 4096              # signals that were blocked before
        .set    WANTED, 4104            # a set of signals
        .set    STATUS, 4112            # of a child that has ended
        .set    DEFAULT, 4120           # 32 bytes of 0: struct sigaction of SIG_DFL, an empty set
        .set    FRAME, 4152

        .globl  _start
_start:
        movq    (%rsp), %rax            # argc
        leaq    8(%rsp), %rbp           # argv
        leaq    8(%rbp,%rax,8), %r12    # envp, after the NULL of argv
        subq    $FRAME, %rsp
        xorl    %eax, %eax
        movq    %rax, DEFAULT(%rsp)
        movq    %rax, DEFAULT+8(%rsp)
        movq    %rax, DEFAULT+16(%rsp)
        movq    %rax, DEFAULT+24(%rsp)
        movl    $9, %r13d               # the end when the program has none: SIGKILL
        xorl    %ebx, %ebx              # the program's pid, 0 while it has none

# Where SIGCHLD is ignored, children leave no status.
        movl    $17, %edi               # SIGCHLD
        call    default
# All signals wait for rt_sigtimedwait, but SIGKILL and SIGSTOP.
        movq    $-1, WANTED(%rsp)
        movl    $2, %edi                # SIG_SETMASK
        leaq    WANTED(%rsp), %rsi
        leaq    MASK(%rsp), %rdx
        movl    $8, %r10d               # bytes of a set
        movl    $14, %eax               # rt_sigprocmask
        syscall
        movl    $15, %edi               # PR_SET_NAME: what ps shows
        leaq    name(%rip), %rsi
        movl    $157, %eax              # prctl
        syscall
        movl    $36, %edi               # PR_SET_CHILD_SUBREAPER
        movl    $1, %esi
        movl    $157, %eax
        syscall
        movl    $1, %edi                # PR_SET_PDEATHSIG
        movl    $DEATH, %esi
        movl    $157, %eax
        syscall

# The tool may have died before that call: then the parent is another already.
        movq    8(%rbp), %rsi
        xorl    %edi, %edi
digit:  movzbl  (%rsi), %eax
        incq    %rsi
        subl    $'0', %eax
        js      parent                  # the NUL at the end
        imull   $10, %edi, %edi
        addl    %eax, %edi
        jmp     digit
parent: movl    $110, %eax              # getppid
        syscall
        cmpl    %edi, %eax
        jne     finish

        movl    $39, %eax               # getpid
        syscall
        movl    %eax, %r14d
        movl    $57, %eax               # fork
        syscall
        testl   %eax, %eax
        jz      child
        js      refused
        movl    %eax, %ebx

        movabsq $(1 << 16 | 1 << (DEATH - 1)), %rax     # SIGCHLD and ours
        movq    %rax, WANTED(%rsp)
wait:   leaq    WANTED(%rsp), %rdi
        xorl    %esi, %esi
        xorl    %edx, %edx              # for as long as it takes
        movl    $8, %r10d
        movl    $128, %eax              # rt_sigtimedwait
        syscall
        cmpl    $DEATH, %eax
        je      group
reap:   movl    $1, %edx                # WNOHANG
        call    collect
        testl   %eax, %eax
        jz      wait
        js      finish
        testl   %ebx, %ebx
        jnz     reap                    # it was an orphan
        jmp     sweep

# At once what is in the program's group: a group that forks cannot run ahead of that.
group:  movl    %ebx, %edi
        negl    %edi
        call    slay
# Then the children, until there are none: those of the dead are adopted.
sweep:  leaq    children(%rip), %rdi
        xorl    %esi, %esi              # O_RDONLY
        movl    $2, %eax                # open
        syscall
        testl   %eax, %eax
        js      last
        movl    %eax, %r14d
        movl    %eax, %edi
        movq    %rsp, %rsi
        movl    $4096, %edx
        xorl    %eax, %eax              # read
        syscall
        movl    %eax, %r15d             # bytes of the list
        movl    %r14d, %edi
        movl    $3, %eax                # close
        syscall
        testl   %r15d, %r15d
        jle     last
        movq    %rsp, %rbp              # argv is needed no more
        addq    %rbp, %r15              # end of the list
number: xorl    %edi, %edi
figure: cmpq    %r15, %rbp              # a number that is cut off has its turn next time
        je      dead
        movzbl  (%rbp), %eax
        incq    %rbp
        subl    $'0', %eax
        js      space
        imull   $10, %edi, %edi
        addl    %eax, %edi
        jmp     figure
space:  call    slay
        jmp     number
dead:   xorl    %edx, %edx              # wait for one
        call    collect
        testl   %eax, %eax
        jns     sweep
last:   testl   %ebx, %ebx              # without /proc the program alone is waited for
        jz      finish
        xorl    %edx, %edx
        call    collect
        jmp     last

# Ends as the program did.
finish: movl    %r13d, %edi
        andl    $0x7f, %edi             # the signal that killed it
        jz      exit
        movl    %edi, %ebx
        cmpl    $9, %edi
        je      signal                  # SIGKILL has no disposition
        call    default
signal: movl    $4, %edi                # PR_SET_DUMPABLE: no core of this process
        xorl    %esi, %esi
        movl    $157, %eax
        syscall
        movl    $2, %edi                # SIG_SETMASK
        leaq    DEFAULT(%rsp), %rsi
        xorl    %edx, %edx
        movl    $8, %r10d
        movl    $14, %eax               # rt_sigprocmask
        syscall
        call    myself
exit:   movl    %r13d, %edi
        shrl    $8, %edi                # its exit status
        movl    $231, %eax              # exit_group
        syscall

# The program itself.
child:  movl    $112, %eax              # setsid
        syscall
        movl    $1, %edi                # PR_SET_PDEATHSIG: should the guard be killed
        movl    $9, %esi
        movl    $157, %eax              # prctl
        syscall
        movl    $110, %eax              # getppid: the guard may have been killed before that call
        syscall
        cmpl    %r14d, %eax
        jne     finish
        movl    $2, %edi                # SIG_SETMASK
        leaq    MASK(%rsp), %rsi
        xorl    %edx, %edx
        movl    $8, %r10d
        movl    $14, %eax               # rt_sigprocmask
        syscall
        movq    16(%rbp), %rdi
        leaq    24(%rbp), %rsi
        movq    %r12, %rdx
        movl    $59, %eax               # execve
        syscall
refused:
        negl    %eax                    # errno; the last signal stands for all from 31 on
        movl    $31, %ecx
        cmpl    %ecx, %eax
        cmoval  %ecx, %eax
        leal    33(%rax), %r13d
        jmp     finish

# Collects a child that has ended; edx are wait4's options, eax is its result. Of the program the status
# is kept, and its pid forgotten.
collect:
        movl    $-1, %edi
        leaq    STATUS+8(%rsp), %rsi    # the call's return address lies above
        xorl    %r10d, %r10d
        movl    $61, %eax               # wait4
        syscall
        cmpl    %ebx, %eax
        jne     other
        testl   %eax, %eax
        jz      other
        movl    STATUS+8(%rsp), %r13d
        xorl    %ebx, %ebx
other:  ret

# Gives signal edi its default action.
default:
        leaq    DEFAULT+8(%rsp), %rsi
        xorl    %edx, %edx
        movl    $8, %r10d
        movl    $13, %eax               # rt_sigaction
        syscall
        ret

# Kills process edi, or group -edi; 0 and 1 are nobody's.
slay:   leal    1(%rdi), %eax
        cmpl    $2, %eax
        jbe     other
        movl    $9, %esi
        movl    $62, %eax               # kill
        syscall
        ret

# Sends signal ebx to this process.
myself: movl    $39, %eax               # getpid
        syscall
        movl    %eax, %edi
        movl    %ebx, %esi
        movl    $62, %eax               # kill
        syscall
        ret

children:
        .asciz  "/proc/thread-self/children"
name:   .asciz  "shell-guard"
        .balign 8, 0
end:
