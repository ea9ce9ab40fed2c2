//! Signals: signal(7), sigaction(2), sigaltstack(2).

use crate::table::constants;

/// The default action.
pub const SIG_DFL: u64 = 0;
/// Ignore.
pub const SIG_IGN: u64 = 1;

constants! {
    /// The standard signals.
    SIGNALS: u32;
    SIGHUP = 1,
    SIGINT = 2,
    SIGQUIT = 3,
    SIGILL = 4,
    SIGTRAP = 5,
    SIGABRT = 6,
    SIGBUS = 7,
    SIGFPE = 8,
    SIGKILL = 9,
    SIGUSR1 = 10,
    SIGSEGV = 11,
    SIGUSR2 = 12,
    SIGPIPE = 13,
    SIGALRM = 14,
    SIGTERM = 15,
    SIGSTKFLT = 16,
    SIGCHLD = 17,
    SIGCONT = 18,
    SIGSTOP = 19,
    SIGTSTP = 20,
    SIGTTIN = 21,
    SIGTTOU = 22,
    SIGURG = 23,
    SIGXCPU = 24,
    SIGXFSZ = 25,
    SIGVTALRM = 26,
    SIGPROF = 27,
    SIGWINCH = 28,
    SIGIO = 29,
    SIGPWR = 30,
    SIGSYS = 31,
}

constants! {
    /// Flags of sigaction(2).
    SIGACTION_FLAGS: u64;
    SA_NOCLDSTOP = 1,
    SA_NOCLDWAIT = 2,
    SA_SIGINFO = 4,
    SA_ONSTACK = 0x800_0000,
    SA_RESTART = 0x1000_0000,
    SA_NODEFER = 0x4000_0000,
    SA_RESETHAND = 0x8000_0000,
}

/// Flags that rt_sigaction(2) keeps; `SA_EXPOSE_TAGBITS` is one of them, which changes nothing on riscv64.
pub const SIGACTION_KNOWN: u64 =
    SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | 0x800 | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND;

constants! {
    /// How of sigprocmask(2).
    SIGPROCMASK_HOW: u32;
    SIG_BLOCK = 0,
    SIG_UNBLOCK = 1,
    SIG_SETMASK = 2,
}

constants! {
    /// Flags of sigaltstack(2).
    SIGSTACK_FLAGS: u32;
    SS_ONSTACK = 1,
    SS_DISABLE = 2,
}

constants! {
    /// Origins of a signal that are not faults.
    SI_CODES: i32;
    SI_USER = 0,
    SI_QUEUE = -1,
    SI_TIMER = -2,
    SI_MESGQ = -3,
    SI_ASYNCIO = -4,
    SI_SIGIO = -5,
    SI_TKILL = -6,
    SI_KERNEL = 128,
}

constants! {
    /// `si_code` of faults.
    FAULT_CODES: i32;
    ILL_ILLOPC = 1,
    SEGV_MAPERR = 1,
    SEGV_ACCERR = 2,
    BUS_ADRALN = 1,
    BUS_ADRERR = 2,
    BUS_OBJERR = 3,
    TRAP_BRKPT = 1,
    TRAP_TRACE = 2,
    FPE_INTDIV = 1,
}

constants! {
    /// `si_code` of SIGIO.
    POLL_CODES: i32;
    POLL_IN = 1,
    POLL_OUT = 2,
}

constants! {
    /// `si_code` of SIGCHLD.
    CHILD_CODES: i32;
    CLD_EXITED = 1,
    CLD_KILLED = 2,
    CLD_DUMPED = 3,
    CLD_TRAPPED = 4,
    CLD_STOPPED = 5,
    CLD_CONTINUED = 6,
}

constants! {
    /// Notification kinds of timer_create(2).
    SIGEV_KINDS: u32;
    SIGEV_SIGNAL = 0,
    SIGEV_NONE = 1,
    SIGEV_THREAD = 2,
    SIGEV_THREAD_ID = 4,
}

constants! {
    /// Flags of signalfd4(2).
    SFD_FLAGS: u32;
    SFD_CLOEXEC = 0x8_0000,
    SFD_NONBLOCK = 0x800,
}
