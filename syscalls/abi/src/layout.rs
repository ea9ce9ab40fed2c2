//! Structures as they lie in guest memory on riscv64. All are plain bytes without hidden padding; a field named `pad…`
//! is padding that Linux leaves or that the C structure has.

use bytemuck::{Pod, Zeroable};

macro_rules! layouts {
    ($($(#[$doc:meta])* $name:ident[$size:literal] { $($(#[$fdoc:meta])* $field:ident: $ty:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[allow(missing_docs, reason = "the fields are those of the man page")]
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
            #[repr(C)]
            pub struct $name { $($(#[$fdoc])* pub $field: $ty,)* }

            const _: () = assert!(size_of::<$name>() == $size);

            impl Default for $name {
                fn default() -> $name {
                    $name::zeroed()
                }
            }
        )*
    };
}

layouts! {
    /// `struct stat` of fstat(2), newfstatat(2).
    Stat[128] {
        st_dev: u64,
        st_ino: u64,
        st_mode: u32,
        st_nlink: u32,
        st_uid: u32,
        st_gid: u32,
        st_rdev: u64,
        pad1: u64,
        st_size: i64,
        st_blksize: i32,
        pad2: u32,
        st_blocks: i64,
        st_atim: Timespec,
        st_mtim: Timespec,
        st_ctim: Timespec,
        unused: [u32; 2],
    }

    /// `struct statx_timestamp`.
    StatxTimestamp[16] { tv_sec: i64, tv_nsec: u32, pad: i32, }

    /// `struct statx` of statx(2).
    Statx[256] {
        stx_mask: u32,
        stx_blksize: u32,
        stx_attributes: u64,
        stx_nlink: u32,
        stx_uid: u32,
        stx_gid: u32,
        stx_mode: u16,
        pad0: u16,
        stx_ino: u64,
        stx_size: u64,
        stx_blocks: u64,
        stx_attributes_mask: u64,
        stx_atime: StatxTimestamp,
        stx_btime: StatxTimestamp,
        stx_ctime: StatxTimestamp,
        stx_mtime: StatxTimestamp,
        stx_rdev_major: u32,
        stx_rdev_minor: u32,
        stx_dev_major: u32,
        stx_dev_minor: u32,
        stx_mnt_id: u64,
        stx_dio_mem_align: u32,
        stx_dio_offset_align: u32,
        spare: [u64; 12],
    }

    /// `struct statfs` of statfs(2).
    Statfs[120] {
        f_type: i64,
        f_bsize: i64,
        f_blocks: u64,
        f_bfree: u64,
        f_bavail: u64,
        f_files: u64,
        f_ffree: u64,
        f_fsid: [i32; 2],
        f_namelen: i64,
        f_frsize: i64,
        f_flags: i64,
        f_spare: [i64; 4],
    }

    /// `struct timespec`: seconds and nanoseconds.
    Timespec[16] { tv_sec: i64, tv_nsec: i64, }

    /// `struct timeval`: seconds and microseconds.
    Timeval[16] { tv_sec: i64, tv_usec: i64, }

    /// `struct timezone` of gettimeofday(2).
    Timezone[8] { tz_minuteswest: i32, tz_dsttime: i32, }

    /// `struct itimerval` of setitimer(2).
    Itimerval[32] { it_interval: Timeval, it_value: Timeval, }

    /// `struct itimerspec` of timer_settime(2).
    Itimerspec[32] { it_interval: Timespec, it_value: Timespec, }

    /// `struct tms` of times(2), in clock ticks of 10 ms.
    Tms[32] { tms_utime: i64, tms_stime: i64, tms_cutime: i64, tms_cstime: i64, }

    /// `struct rusage` of getrusage(2).
    Rusage[144] {
        ru_utime: Timeval,
        ru_stime: Timeval,
        ru_maxrss: i64,
        ru_ixrss: i64,
        ru_idrss: i64,
        ru_isrss: i64,
        ru_minflt: i64,
        ru_majflt: i64,
        ru_nswap: i64,
        ru_inblock: i64,
        ru_oublock: i64,
        ru_msgsnd: i64,
        ru_msgrcv: i64,
        ru_nsignals: i64,
        ru_nvcsw: i64,
        ru_nivcsw: i64,
    }

    /// `struct rlimit64` of prlimit64(2).
    Rlimit[16] { rlim_cur: u64, rlim_max: u64, }

    /// The kernel's `struct sigaction` of rt_sigaction(2): riscv64 has no `sa_restorer`.
    Sigaction[24] { sa_handler: u64, sa_flags: u64, sa_mask: u64, }

    /// `stack_t` of sigaltstack(2).
    SigStack[24] { ss_sp: u64, ss_flags: i32, pad: u32, ss_size: u64, }

    /// `siginfo_t`. `fields` is the union from offset 16.
    Siginfo[128] {
        si_signo: i32,
        si_errno: i32,
        si_code: i32,
        pad: u32,
        fields: [u64; 14],
    }

    /// `struct mq_attr` of mq_open(2).
    MqAttr[64] {
        mq_flags: i64,
        mq_maxmsg: i64,
        mq_msgsize: i64,
        mq_curmsgs: i64,
        pad: [i64; 4],
    }

    /// `struct sigevent` of timer_create(2).
    Sigevent[64] {
        sigev_value: u64,
        sigev_signo: i32,
        sigev_notify: i32,
        /// The thread of `SIGEV_THREAD_ID`.
        sigev_notify_thread_id: i32,
        pad: [i32; 11],
    }

    /// `mcontext_t`: `struct sigcontext` of the RISC-V signal frame.
    Mcontext[784] {
        /// `pc` in the place of `x0`, then `x1` to `x31`.
        gregs: [u64; 32],
        /// `f0` to `f31`.
        fregs: [u64; 32],
        fcsr: u32,
        /// The rest of the 528-byte union of floating-point formats; the extension header (all zero: none) ends it.
        reserved: [u32; 3],
        pad: [u64; 32],
    }

    /// `ucontext_t` on the signal stack.
    Ucontext[960] {
        uc_flags: u64,
        uc_link: u64,
        uc_stack: SigStack,
        uc_sigmask: u64,
        /// Room of glibc's 1,024-bit `sigset_t`, and alignment of the next member to 16.
        unused: [u64; 16],
        uc_mcontext: Mcontext,
    }

    /// `struct rt_sigframe`: what signal delivery pushes and `rt_sigreturn` reads back.
    Sigframe[1088] { info: Siginfo, uc: Ucontext, }

    /// `struct utsname` of uname(2); each field ends with a zero byte.
    Utsname[390] {
        sysname: [u8; 65],
        nodename: [u8; 65],
        release: [u8; 65],
        version: [u8; 65],
        machine: [u8; 65],
        domainname: [u8; 65],
    }

    /// `struct sysinfo` of sysinfo(2).
    Sysinfo[112] {
        uptime: i64,
        loads: [u64; 3],
        totalram: u64,
        freeram: u64,
        sharedram: u64,
        bufferram: u64,
        totalswap: u64,
        freeswap: u64,
        procs: u16,
        pad: u16,
        pad2: u32,
        totalhigh: u64,
        freehigh: u64,
        mem_unit: u32,
        pad3: u32,
    }

    /// The fixed part of `struct linux_dirent64`; the name and a zero byte follow at offset 19, and `d_reclen` is a
    /// multiple of 8.
    DirentHead[24] { d_ino: u64, d_off: i64, d_reclen: u16, d_type: u8, name_start: [u8; 5], }

    /// `struct iovec`.
    Iovec[16] { iov_base: u64, iov_len: u64, }

    /// `struct msghdr` of sendmsg(2).
    Msghdr[56] {
        msg_name: u64,
        msg_namelen: u32,
        pad1: u32,
        msg_iov: u64,
        msg_iovlen: u64,
        msg_control: u64,
        msg_controllen: u64,
        msg_flags: i32,
        pad2: u32,
    }

    /// `struct mmsghdr` of sendmmsg(2).
    Mmsghdr[64] { msg_hdr: Msghdr, msg_len: u32, pad: u32, }

    /// `struct cmsghdr`; the data follow, and the next header is at a multiple of 8.
    Cmsghdr[16] { cmsg_len: u64, cmsg_level: i32, cmsg_type: i32, }

    /// `struct ucred`.
    Ucred[12] { pid: i32, uid: u32, gid: u32, }

    /// `struct ipc64_perm`, sysvipc(7).
    IpcPerm[48] {
        key: i32,
        uid: u32,
        gid: u32,
        cuid: u32,
        cgid: u32,
        mode: u32,
        seq: u16,
        pad1: u16,
        pad2: u32,
        unused: [u64; 2],
    }

    /// `struct shmid64_ds` of shmctl(2).
    Shmid[112] {
        shm_perm: IpcPerm,
        shm_segsz: u64,
        shm_atime: i64,
        shm_dtime: i64,
        shm_ctime: i64,
        shm_cpid: i32,
        shm_lpid: i32,
        shm_nattch: u64,
        unused: [u64; 2],
    }

    /// `struct shminfo64` of shmctl(2).
    Shminfo[72] { shmmax: u64, shmmin: u64, shmmni: u64, shmseg: u64, shmall: u64, unused: [u64; 4], }

    /// `struct shm_info` of shmctl(2).
    ShmTotals[48] {
        used_ids: i32,
        pad: u32,
        shm_tot: u64,
        shm_rss: u64,
        shm_swp: u64,
        swap_attempts: u64,
        swap_successes: u64,
    }

    /// `struct sembuf` of semop(2).
    Sembuf[6] { sem_num: u16, sem_op: i16, sem_flg: i16, }

    /// `struct semid64_ds` of semctl(2).
    Semid[88] { sem_perm: IpcPerm, sem_otime: i64, sem_ctime: i64, sem_nsems: u64, unused: [u64; 2], }

    /// `struct seminfo` of semctl(2).
    Seminfo[40] {
        semmap: i32,
        semmni: i32,
        semmns: i32,
        semmnu: i32,
        semmsl: i32,
        semopm: i32,
        semume: i32,
        semusz: i32,
        semvmx: i32,
        semaem: i32,
    }

    /// `struct msqid64_ds` of msgctl(2).
    Msqid[120] {
        msg_perm: IpcPerm,
        msg_stime: i64,
        msg_rtime: i64,
        msg_ctime: i64,
        msg_cbytes: u64,
        msg_qnum: u64,
        msg_qbytes: u64,
        msg_lspid: i32,
        msg_lrpid: i32,
        unused: [u64; 2],
    }

    /// `struct msginfo` of msgctl(2).
    Msginfo[32] {
        msgpool: i32,
        msgmap: i32,
        msgmax: i32,
        msgmnb: i32,
        msgmni: i32,
        msgssz: i32,
        msgtql: i32,
        msgseg: u16,
        pad: u16,
    }

    /// `struct pollfd`.
    Pollfd[8] { fd: i32, events: u16, revents: u16, }

    /// `struct epoll_event`, which is not packed on riscv64.
    EpollEvent[16] { events: u32, pad: u32, data: u64, }

    /// The kernel's `struct termios` of TCGETS.
    Termios[36] {
        c_iflag: u32,
        c_oflag: u32,
        c_cflag: u32,
        c_lflag: u32,
        c_line: u8,
        c_cc: [u8; 19],
    }

    /// `struct termios2` of TCGETS2.
    Termios2[44] {
        c_iflag: u32,
        c_oflag: u32,
        c_cflag: u32,
        c_lflag: u32,
        c_line: u8,
        c_cc: [u8; 19],
        c_ispeed: u32,
        c_ospeed: u32,
    }

    /// `struct winsize` of TIOCGWINSZ, in characters and pixels.
    Winsize[8] { ws_row: u16, ws_col: u16, ws_xpixel: u16, ws_ypixel: u16, }

    /// `struct flock` of F_SETLK.
    Flock[32] { l_type: i16, l_whence: i16, pad: u32, l_start: i64, l_len: i64, l_pid: i32, pad2: u32, }

    /// `struct f_owner_ex` of F_SETOWN_EX.
    OwnerEx[8] { kind: i32, pid: i32, }

    /// `struct robust_list_head` of set_robust_list(2).
    RobustListHead[24] { list: u64, futex_offset: i64, list_op_pending: u64, }

    /// `struct futex_waitv` of futex_waitv(2).
    FutexWaitv[24] { val: u64, uaddr: u64, flags: u32, reserved: u32, }

    /// `struct open_how` of openat2(2).
    OpenHow[24] { flags: u64, mode: u64, resolve: u64, }

    /// `struct clone_args` of clone3(2), version 2.
    CloneArgs[88] {
        flags: u64,
        pidfd: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
        set_tid: u64,
        set_tid_size: u64,
        cgroup: u64,
    }

    /// `struct riscv_hwprobe` of riscv_hwprobe(2).
    Hwprobe[16] { key: i64, value: u64, }

    /// `struct __user_cap_header_struct` of capget(2).
    CapHeader[8] { version: u32, pid: i32, }

    /// `struct __user_cap_data_struct` of capget(2).
    CapData[12] { effective: u32, permitted: u32, inheritable: u32, }

    /// The six-argument tail of pselect6(2): a pointer to a signal set and its size.
    SigsetArg[16] { ss: u64, ss_len: u64, }

    /// `struct signalfd_siginfo` of signalfd(2).
    SignalfdSiginfo[128] {
        ssi_signo: u32,
        ssi_errno: i32,
        ssi_code: i32,
        ssi_pid: u32,
        ssi_uid: u32,
        ssi_fd: i32,
        ssi_tid: u32,
        ssi_band: u32,
        ssi_overrun: u32,
        ssi_trapno: u32,
        ssi_status: i32,
        ssi_int: i32,
        ssi_ptr: u64,
        ssi_utime: u64,
        ssi_stime: u64,
        ssi_addr: u64,
        pad: [u64; 6],
    }
}

/// Where the name lies in a directory entry, after [`DirentHead`]'s fixed fields.
pub const DIRENT_NAME_OFFSET: usize = 19;

/// Packs a device number as `st_rdev` holds it (makedev(3)).
#[must_use]
pub const fn makedev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    ((major & 0xffff_f000) << 32) | ((major & 0xfff) << 8) | ((minor & 0xffff_ff00) << 12) | (minor & 0xff)
}

/// The major number of a device (major(3)).
#[must_use]
pub const fn major(dev: u64) -> u32 {
    (((dev >> 32) & 0xffff_f000) | ((dev >> 8) & 0xfff)) as u32
}

/// The minor number of a device (minor(3)).
#[must_use]
pub const fn minor(dev: u64) -> u32 {
    (((dev >> 12) & 0xffff_ff00) | (dev & 0xff)) as u32
}
