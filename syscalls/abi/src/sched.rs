//! Tasks: clone(2), futex(2), prctl(2), wait(2), sched(7), capabilities(7), personality(2).

use crate::table::constants;

/// The exit signal's bits in clone(2)'s flags.
pub const CSIGNAL: u64 = 0xff;
/// Matches every waiter.
pub const FUTEX_BITSET_MATCH_ANY: u32 = 0xffff_ffff;
/// Flag of futex_waitv(2): the word has 32 bits.
pub const FUTEX2_SIZE_U32: u32 = 2;
/// The most words that futex_waitv(2) waits at.
pub const FUTEX_WAITV_MAX: u32 = 128;
/// No limit.
pub const RLIM_INFINITY: u64 = 0xffff_ffff_ffff_ffff;
/// Names anonymous memory.
pub const PR_SET_VMA_ANON_NAME: u32 = 0;
/// How many resources there are.
pub const RLIM_NLIMITS: usize = 0x10;

constants! {
    /// Flags of clone(2).
    CLONE_FLAGS: u64;
    CLONE_VM = 0x100,
    CLONE_FS = 0x200,
    CLONE_FILES = 0x400,
    CLONE_SIGHAND = 0x800,
    CLONE_PIDFD = 0x1000,
    CLONE_PTRACE = 0x2000,
    CLONE_VFORK = 0x4000,
    CLONE_PARENT = 0x8000,
    CLONE_THREAD = 0x1_0000,
    CLONE_NEWNS = 0x2_0000,
    CLONE_SYSVSEM = 0x4_0000,
    CLONE_SETTLS = 0x8_0000,
    CLONE_PARENT_SETTID = 0x10_0000,
    CLONE_CHILD_CLEARTID = 0x20_0000,
    CLONE_DETACHED = 0x40_0000,
    CLONE_UNTRACED = 0x80_0000,
    CLONE_CHILD_SETTID = 0x100_0000,
    CLONE_NEWCGROUP = 0x200_0000,
    CLONE_NEWUTS = 0x400_0000,
    CLONE_NEWIPC = 0x800_0000,
    CLONE_NEWUSER = 0x1000_0000,
    CLONE_NEWPID = 0x2000_0000,
    CLONE_NEWNET = 0x4000_0000,
    CLONE_IO = 0x8000_0000,
    CLONE_CLEAR_SIGHAND = 0x1_0000_0000,
    CLONE_INTO_CGROUP = 0x2_0000_0000,
}

constants! {
    /// Commands of futex(2).
    FUTEX_COMMANDS: u32;
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_FD = 2,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAKE_OP = 5,
    FUTEX_LOCK_PI = 6,
    FUTEX_UNLOCK_PI = 7,
    FUTEX_TRYLOCK_PI = 8,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_WAIT_REQUEUE_PI = 11,
    FUTEX_CMP_REQUEUE_PI = 12,
    FUTEX_LOCK_PI2 = 13,
}

constants! {
    /// Flags beside the command.
    FUTEX_FLAGS: u32;
    FUTEX_PRIVATE_FLAG = 0x80,
    FUTEX_CLOCK_REALTIME = 0x100,
}

constants! {
    /// Bits of a robust or priority-inheriting futex word.
    FUTEX_WORD_BITS: u32;
    FUTEX_WAITERS = 0x8000_0000,
    FUTEX_OWNER_DIED = 0x4000_0000,
    FUTEX_TID_MASK = 0x3fff_ffff,
}

constants! {
    /// Options of prctl(2).
    PRCTL_OPTIONS: u32;
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_GET_TIMING = 13,
    PR_SET_TIMING = 14,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_GET_SECCOMP = 21,
    PR_SET_SECCOMP = 22,
    PR_CAPBSET_READ = 23,
    PR_CAPBSET_DROP = 24,
    PR_GET_SECUREBITS = 27,
    PR_SET_SECUREBITS = 28,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_SET_THP_DISABLE = 41,
    PR_GET_THP_DISABLE = 42,
    PR_CAP_AMBIENT = 47,
    PR_SET_MM = 35,
    PR_SET_PTRACER = 1499557217,
    PR_SET_VMA = 1398164801,
}

constants! {
    /// Options of wait4(2) and waitid(2).
    WAIT_OPTIONS: u32;
    WNOHANG = 1,
    WUNTRACED = 2,
    WEXITED = 4,
    WCONTINUED = 8,
    WNOWAIT = 0x100_0000,
    __WNOTHREAD = 0x2000_0000,
    __WALL = 0x4000_0000,
    __WCLONE = 0x8000_0000,
}

constants! {
    /// Kinds of id of waitid(2).
    WAITID_KINDS: u32;
    P_ALL = 0,
    P_PID = 1,
    P_PGID = 2,
    P_PIDFD = 3,
}

constants! {
    /// Scheduling policies.
    SCHED_POLICIES: u32;
    SCHED_OTHER = 0,
    SCHED_FIFO = 1,
    SCHED_RR = 2,
    SCHED_BATCH = 3,
    SCHED_IDLE = 5,
}

constants! {
    /// Which of getpriority(2).
    PRIO_WHICH: u32;
    PRIO_PROCESS = 0,
    PRIO_PGRP = 1,
    PRIO_USER = 2,
}

constants! {
    /// Resources of prlimit(2).
    RESOURCES: u32;
    RLIMIT_CPU = 0,
    RLIMIT_FSIZE = 1,
    RLIMIT_DATA = 2,
    RLIMIT_STACK = 3,
    RLIMIT_CORE = 4,
    RLIMIT_RSS = 5,
    RLIMIT_NPROC = 6,
    RLIMIT_NOFILE = 7,
    RLIMIT_MEMLOCK = 8,
    RLIMIT_AS = 9,
    RLIMIT_LOCKS = 10,
    RLIMIT_SIGPENDING = 11,
    RLIMIT_MSGQUEUE = 12,
    RLIMIT_NICE = 13,
    RLIMIT_RTPRIO = 14,
    RLIMIT_RTTIME = 15,
}

constants! {
    /// Who of getrusage(2).
    RUSAGE_WHO: i32;
    RUSAGE_SELF = 0,
    RUSAGE_CHILDREN = -1,
    RUSAGE_THREAD = 1,
}

constants! {
    /// Versions of capget(2).
    CAPABILITY_VERSIONS: u32;
    _LINUX_CAPABILITY_VERSION_1 = 0x1998_0330,
    _LINUX_CAPABILITY_VERSION_2 = 0x2007_1026,
    _LINUX_CAPABILITY_VERSION_3 = 0x2008_0522,
}
