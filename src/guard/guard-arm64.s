// A process between the tool and a runtime, on arm64: nothing of the runtime outlives either of them.
// guard-amd64.s says how; guard.ts holds the bytes.
//
// Registers that a system call keeps: all but x0.

        .set    BASE, 0x400000
        .set    DEATH, 50               // a real-time signal that nobody else sends
        .text
elf:    .ascii  "\177ELF\2\1\1"         // 64 bits, little-endian
        .fill   9, 1, 0
        .short  2, 183                  // ET_EXEC, EM_AARCH64
        .long   1
        .quad   BASE + _start - elf, 64, 0      // entry, program headers, no sections
        .long   0
        .short  64, 56, 2, 0, 0, 0
        .long   1, 5                    // PT_LOAD, readable and executable
        .quad   0, BASE, BASE, end - elf, end - elf, 0x10000
        .long   0x6474e551, 6           // PT_GNU_STACK, not executable
        .quad   0, 0, 0, 0, 0, 16

// On the stack: 64 bytes of small things, then 4096 bytes of a list of children.
        .set    MASK, 0                 // signals that were blocked before
        .set    WANTED, 8               // a set of signals
        .set    STATUS, 16              // of a child that has ended
        .set    DEFAULT, 24             // 32 bytes of 0: struct sigaction of SIG_DFL, an empty set
        .set    LIST, 64
        .set    FRAME, 4160

        .globl  _start
_start:
        ldr     x0, [sp]                // argc
        add     x20, sp, #8             // argv
        add     x21, x20, x0, lsl #3
        add     x21, x21, #8            // envp, after the NULL of argv
        sub     sp, sp, #4096
        sub     sp, sp, #FRAME - 4096
        stp     xzr, xzr, [sp, #DEFAULT]
        stp     xzr, xzr, [sp, #DEFAULT + 16]
        mov     w22, #9                 // the end when the program has none: SIGKILL
        mov     w19, #0                 // the program's pid, 0 while it has none

// Where SIGCHLD is ignored, children leave no status.
        mov     w0, #17                 // SIGCHLD
        bl      default
// All signals wait for rt_sigtimedwait, but SIGKILL and SIGSTOP.
        mov     x0, #-1
        str     x0, [sp, #WANTED]
        mov     w0, #2                  // SIG_SETMASK
        add     x1, sp, #WANTED
        add     x2, sp, #MASK
        mov     w3, #8                  // bytes of a set
        mov     w8, #135                // rt_sigprocmask
        svc     #0
        mov     w0, #15                 // PR_SET_NAME: what ps shows
        adr     x1, name
        mov     w8, #167                // prctl
        svc     #0
        mov     w0, #36                 // PR_SET_CHILD_SUBREAPER
        mov     x1, #1
        svc     #0
        mov     w0, #1                  // PR_SET_PDEATHSIG
        mov     x1, #DEATH
        svc     #0

// The tool may have died before that call: then the parent is another already.
        ldr     x1, [x20, #8]
        mov     w9, #0
        mov     w10, #10
digit:  ldrb    w0, [x1], #1
        subs    w0, w0, #'0'
        b.mi    parent                  // the NUL at the end
        madd    w9, w9, w10, w0
        b       digit
parent: mov     w8, #173                // getppid
        svc     #0
        cmp     w0, w9
        b.ne    finish

        mov     w8, #172                // getpid
        svc     #0
        mov     w23, w0
        mov     x0, #17                 // SIGCHLD: as fork does
        mov     x1, #0
        mov     x2, #0
        mov     x3, #0
        mov     x4, #0
        mov     w8, #220                // clone
        svc     #0
        cbz     w0, child
        tbnz    w0, #31, refused
        mov     w19, w0

        mov     x0, #1 << 16            // SIGCHLD
        orr     x0, x0, #1 << (DEATH - 1)
        str     x0, [sp, #WANTED]
wait:   add     x0, sp, #WANTED
        mov     x1, #0
        mov     x2, #0                  // for as long as it takes
        mov     w3, #8
        mov     w8, #137                // rt_sigtimedwait
        svc     #0
        cmp     w0, #DEATH
        b.eq    group
reap:   mov     w2, #1                  // WNOHANG
        bl      collect
        cbz     w0, wait
        tbnz    w0, #31, finish
        cbnz    w19, reap               // it was an orphan
        b       sweep

// At once what is in the program's group: a group that forks cannot run ahead of that.
group:  neg     w0, w19
        bl      slay
// Then the children, until there are none: those of the dead are adopted.
sweep:  mov     w0, #-100               // AT_FDCWD
        adr     x1, children
        mov     w2, #0                  // O_RDONLY
        mov     w8, #56                 // openat
        svc     #0
        tbnz    w0, #31, last
        mov     w23, w0
        add     x1, sp, #LIST
        mov     x2, #4096
        mov     w8, #63                 // read
        svc     #0
        mov     w24, w0                 // bytes of the list
        mov     w0, w23
        mov     w8, #57                 // close
        svc     #0
        cmp     w24, #0
        b.le    last
        add     x20, sp, #LIST          // argv is needed no more
        add     x24, x20, w24, sxtw     // end of the list
        mov     w10, #10
number: mov     w0, #0
figure: cmp     x20, x24                // a number that is cut off has its turn next time
        b.eq    dead
        ldrb    w9, [x20], #1
        subs    w9, w9, #'0'
        b.mi    space
        madd    w0, w0, w10, w9
        b       figure
space:  bl      slay
        b       number
dead:   mov     w2, #0                  // wait for one
        bl      collect
        tbz     w0, #31, sweep
last:   cbz     w19, finish             // without /proc the program alone is waited for
        mov     w2, #0
        bl      collect
        b       last

// Ends as the program did.
finish: ands    w0, w22, #0x7f          // the signal that killed it
        b.eq    exit
        mov     w19, w0
        cmp     w0, #9
        b.eq    signal                  // SIGKILL has no disposition
        bl      default
signal: mov     w0, #4                  // PR_SET_DUMPABLE: no core of this process
        mov     x1, #0
        mov     w8, #167                // prctl
        svc     #0
        mov     w0, #2                  // SIG_SETMASK
        add     x1, sp, #DEFAULT
        mov     x2, #0
        mov     w3, #8
        mov     w8, #135                // rt_sigprocmask
        svc     #0
        mov     w8, #172                // getpid
        svc     #0
        mov     w1, w19
        mov     w8, #129                // kill
        svc     #0
exit:   lsr     w0, w22, #8             // its exit status
        mov     w8, #94                 // exit_group
        svc     #0

// The program itself.
child:  mov     w8, #157                // setsid
        svc     #0
        mov     w0, #1                  // PR_SET_PDEATHSIG: should the guard be killed
        mov     x1, #9
        mov     w8, #167                // prctl
        svc     #0
        mov     w8, #173                // getppid: the guard may have been killed before that call
        svc     #0
        cmp     w0, w23
        b.ne    finish
        mov     w0, #2                  // SIG_SETMASK
        add     x1, sp, #MASK
        mov     x2, #0
        mov     w3, #8
        mov     w8, #135                // rt_sigprocmask
        svc     #0
        ldr     x0, [x20, #16]
        add     x1, x20, #24
        mov     x2, x21
        mov     w8, #221                // execve
        svc     #0
refused:
        neg     w0, w0                  // errno; the last signal stands for all from 31 on
        mov     w1, #31
        cmp     w0, w1
        csel    w0, w0, w1, ls
        add     w22, w0, #33
        b       finish

// Collects a child that has ended; w2 are wait4's options, w0 is its result. Of the program the status
// is kept, and its pid forgotten.
collect:
        mov     w0, #-1
        add     x1, sp, #STATUS
        mov     x3, #0
        mov     w8, #260                // wait4
        svc     #0
        cbz     w0, other
        cmp     w0, w19
        b.ne    other
        ldr     w22, [sp, #STATUS]
        mov     w19, #0
other:  ret

// Gives signal w0 its default action.
default:
        add     x1, sp, #DEFAULT
        mov     x2, #0
        mov     w3, #8
        mov     w8, #134                // rt_sigaction
        svc     #0
        ret

// Kills process w0, or group -w0; 0 and 1 are nobody's.
slay:   add     w1, w0, #1
        cmp     w1, #2
        b.ls    other
        mov     w1, #9
        mov     w8, #129                // kill
        svc     #0
        ret

children:
        .asciz  "/proc/thread-self/children"
name:   .asciz  "shell-guard"
        .balign 8, 0
end:
