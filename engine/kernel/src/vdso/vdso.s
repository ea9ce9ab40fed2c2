# The vDSO: functions that libc looks up in the image at AT_SYSINFO_EHDR, and the return path of signal handlers.
# Each makes the system call of the same name; its value is that the names exist and that a later version may do
# without the call.

        .option norvc
        .text

        .macro  function name, number
        .globl  \name
        .type   \name, @function
\name:
        .cfi_startproc
        li      a7, \number
        ecall
        ret
        .cfi_endproc
        .size   \name, . - \name
        .endm

# Unwinders know a signal frame by these two instructions and by the frame description with "S": the context lies at
# the stack pointer, 128 bytes of siginfo and 176 of ucontext below the registers.
        .globl  __vdso_rt_sigreturn
        .type   __vdso_rt_sigreturn, @function
        .balign 8
        nop
__vdso_rt_sigreturn:
        .cfi_startproc
        .cfi_signal_frame
        li      a7, 139
        ecall
        .cfi_endproc
        .size   __vdso_rt_sigreturn, . - __vdso_rt_sigreturn

        .balign 8
        function __vdso_clock_gettime, 113
        function __vdso_clock_getres, 114
        function __vdso_gettimeofday, 169
        function __vdso_getcpu, 168
        function __vdso_flush_icache, 259

        .section .note.GNU-stack, "", @progbits
